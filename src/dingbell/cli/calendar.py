"""`dingbell calendar …`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.frame import Account, Json, asked, print_json, print_views, run, table
from dingbell.cli.language import tr

if TYPE_CHECKING:
    from dingbell.operations.calendars import CalendarDiff, CalendarView, SpecialDay
    from dingbell.operations.context import Operations

__all__ = ["app"]

app = typer.Typer(
    help=tr(
        "workdays and holidays: see them, import what was published",
        "工作日与节假日: 查看, 导入已公布的安排",
    ),
    no_args_is_help=True,
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|URL",
        help=tr("JSON of holiday-cn, or ICS", "holiday-cn 的 JSON, 或 ICS"),
    ),
]
Name = Annotated[
    str,
    typer.Option(
        "--name", help=tr("of the calendar: cn is the statutory one", "日历名称: cn 为法定日历")
    ),
]
# So many instants of a schedule are named.
_TOLD = 5


@app.command(help=tr("a calendar in a year, or all of them", "查看某日历的一年, 或所有日历"))
def show(
    name: Annotated[
        str | None, typer.Argument(help=tr("which; left out, a list", "日历名称; 省略则列出全部"))
    ] = None,
    year: Annotated[
        int | None,
        typer.Option("--year", min=1901, max=2100, help=tr("this one if left out", "省略则为今年")),
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show one calendar, or list all."""
    from dingbell.operations import calendars

    if name is None and year is None:
        found = run(asked(calendars.listed))
        if as_json:
            print_views(found)
            return
        table(
            (tr("name", "名称"), tr("base", "基于"), tr("years", "年份")),
            (
                (one.name, one.base, f"{one.first_year}–{one.last_year}" if one.first_year else "")
                for one in found
            ),
        )
        return
    view = run(asked(lambda ops: calendars.show(ops, name or "cn", year)))
    if as_json:
        print_json(view.to_json())
    else:
        _show_year(view)


def _show_year(view: CalendarView) -> None:
    _days(view.days)
    workdays, year = view.workdays, view.year
    typer.echo(tr(f"{workdays} workdays in {year}", f"{year} 年共 {workdays} 个工作日"))
    for one in view.years:
        if one.year == year:
            version = f" ({tr('version', '版本')} {one.version})" if one.version else ""
            typer.echo(f"{tr('source', '来源')}: {one.source}{version}")
    if not view.known:
        typer.echo(
            tr(
                f"! {year} has not been published: weekdays count",
                f"! {year} 年尚未公布: 按周一至周五计算",
            ),
            err=True,
        )


def _days(days: tuple[SpecialDay, ...]) -> None:
    kinds = {True: tr("workday", "工作日"), False: tr("off", "休息")}
    table(
        (tr("day", "日期"), "", tr("holiday", "节日")),
        ((f"{one.day} {one.day:%a}", kinds[one.workday], one.name) for one in days),
    )


@app.command("import", help=tr("keep what was published for a year", "导入已公布的一年或多年"))
def import_(
    source: Source, name: Name = "cn", by: Account = None, as_json: Annotated[bool, Json] = False
) -> None:
    """Import years."""
    from dingbell.operations import calendars

    async def work(ops: Operations) -> CalendarDiff:
        notices = await calendars.read(source, name)
        return await calendars.import_(ops, name, notices, source=source)

    found = run(asked(work, by))
    if as_json:
        print_json(found.to_json())
        return
    _show_diff(found)
    for year, version in found.versions.items():
        typer.echo(tr(f"{year} imported, version {version}", f"已导入 {year} 年, 版本 {version}"))


@app.command(help=tr("which occurrences an import would move", "导入会改变哪些发送"))
def diff(source: Source, name: Name = "cn", as_json: Annotated[bool, Json] = False) -> None:
    """Compare before importing."""
    from dingbell.operations import calendars

    async def work(ops: Operations) -> CalendarDiff:
        return await calendars.diff(ops, name, await calendars.read(source, name))

    found = run(asked(work))
    if as_json:
        print_json(found.to_json())
    else:
        _show_diff(found)


def _show_diff(found: CalendarDiff) -> None:
    if found.days:
        _days(found.days)
    for one in found.moved:
        typer.echo(
            tr(
                f"{one.schedule}: {len(one.removed)} fewer, {len(one.added)} more",
                f"{one.schedule}: 减少 {len(one.removed)} 次, 增加 {len(one.added)} 次",
            )
        )
        for sign, instants in (("-", one.removed), ("+", one.added)):
            for instant in instants[:_TOLD]:
                typer.echo(f"  {sign} {instant.isoformat(' ', 'minutes')}")
            if len(instants) > _TOLD:
                typer.echo(f"  {sign} …")
    if not found.moved:
        typer.echo(tr("no schedule is moved", "没有日程受影响"))
