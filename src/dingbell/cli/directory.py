"""`dingbell directory …`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.frame import (
    Account,
    After,
    Json,
    asked,
    moment,
    more,
    print_json,
    print_views,
    run,
    table,
)
from dingbell.cli.language import tr
from dingbell.cli.screen import bare
from dingbell.display import visible

if TYPE_CHECKING:
    from dingbell.operations.context import Operations
    from dingbell.operations.directory import AudienceMembers, DirectoryView
    from dingbell.operations.directory_parts import AttributeKind

__all__ = ["app"]

app = typer.Typer(
    help=tr("read the directory, look people up", "同步通讯录, 查人"), no_args_is_help=True
)

App = Annotated[str | None, typer.Option("--app", help=tr("name of the app", "应用名称"))]


@app.command(help=tr("read the directory from DingTalk now", "立即从钉钉同步通讯录"))
def sync(app_name: App = None, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Sync the directory."""
    found = run(asked(lambda ops: _sync(ops, app_name, quiet=as_json), by))
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(
            tr(
                f"{found.people} people in {found.departments} departments",
                f"{found.departments} 个部门, {found.people} 人",
            )
        )


async def _sync(ops: Operations, app_name: str | None, *, quiet: bool) -> DirectoryView:
    from rich.console import Console

    from dingbell.operations import directory

    drawn = Console(file=bare(sys.stderr), quiet=quiet)
    status = drawn.status(tr("reading …", "读取中 …"))
    with status:
        return await directory.synchronise(
            ops,
            app_name,
            progress=lambda count: status.update(tr(f"{count} people", f"{count} 人")),
        )


@app.command(
    help=tr(
        "people, departments and roles by name, pinyin, userid, end of the mobile or job number",
        "按姓名、拼音、userid、手机尾号或工号查人, 也查部门和角色",
    )
)
def find(
    query: Annotated[str, typer.Argument(help=tr("part of it", "其中一部分"))],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Find people, departments and roles."""
    from dingbell.operations import directory

    found = run(asked(lambda ops: directory.find(ops, app_name, query)))
    if as_json:
        print_views(found)
        return
    people = [one for one in found if isinstance(one, directory.PersonView)]
    others = [one for one in found if isinstance(one, directory.FoundView)]
    table(
        ("userid", tr("name", "姓名"), tr("title", "职位"), tr("departments", "部门")),
        ((p.userid, p.name, p.title, ", ".join(p.departments)) for p in people),
    )
    if others:
        kinds = {"department": tr("department", "部门"), "role": tr("role", "角色")}
        table(
            ("id", tr("name", "名称"), tr("kind", "类别")),
            ((one.id, one.name, kinds[one.kind]) for one in others),
        )


@app.command(help=tr("departments with their ids", "部门及其 id"))
def departments(
    app_name: App = None,
    tree: Annotated[
        bool, typer.Option("--tree", help=tr("as they lie in one another", "按层级显示"))
    ] = False,
    after: After = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=5_000, help=tr("at most so many", "最多显示"))
    ] = 5_000,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """List departments."""
    from dingbell.operations import directory_parts

    found = run(
        asked(lambda ops: directory_parts.departments(ops, app_name, after=after, limit=limit))
    )
    if as_json:
        print_json(found.to_json())
        return
    if tree:
        for one in found.items:
            typer.echo(
                f"{'  ' * one.depth}{visible(one.name, one_line=True)}  {one.dept_id}  "
                + tr(f"{one.people} people", f"{one.people} 人")
            )
    else:
        table(
            ("id", tr("path", "路径"), tr("people", "人数")),
            ((one.dept_id, one.path, one.people) for one in found.items),
        )
    more(found.cursor)


@app.command(help=tr("roles with their ids", "角色及其 id"))
def roles(
    app_name: App = None,
    tree: Annotated[bool, typer.Option("--tree", help=tr("by their groups", "按分组显示"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """List roles."""
    from dingbell.operations import directory_parts

    found = run(asked(lambda ops: directory_parts.roles(ops, app_name)))
    if as_json:
        print_views(found)
        return
    if not tree:
        table(
            ("id", tr("name", "名称"), tr("group", "分组"), tr("people", "人数")),
            ((one.role_id, one.name, one.group, one.people) for one in found),
        )
        return
    group = None
    for one in found:
        if one.group != group:
            typer.echo(visible(one.group, one_line=True) or "-")
            group = one.group
        people = tr(f"{one.people} people", f"{one.people} 人")
        typer.echo(f"  {visible(one.name, one_line=True)}  {one.role_id}  {people}")


@app.command(
    help=tr(
        "all about a person, and how templates write it", "一个人的全部信息, 以及在模板中的写法"
    )
)
def show(
    userid: Annotated[str, typer.Argument(metavar="USERID", help="userid")],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Show a person."""
    from dingbell.operations import directory_parts

    found = run(asked(lambda ops: directory_parts.show(ops, app_name, userid)))
    if as_json:
        print_json(found.to_json())
        return
    left = tr(f"left {moment(found.left_at)}", f"{moment(found.left_at)} 已离开")
    shown = [found.userid, found.name, *([left] if found.left_at else ())]
    typer.echo("  ".join(visible(one, one_line=True) for one in shown))
    table((tr("department", "部门"), "id"), ((one.name, one.id) for one in found.departments))
    table((tr("role", "角色"), "id"), ((one.name, one.id) for one in found.roles))
    table(
        (
            tr("attribute", "属性"),
            tr("kind", "类型"),
            tr("value", "值"),
            tr("template", "模板写法"),
        ),
        ((one.name, _kind(one.kind), _written(one.value), one.example) for one in found.attributes),
    )


def _kind(kind: AttributeKind) -> str:
    return {
        "text": tr("text", "文本"),
        "number": tr("number", "数字"),
        "date": tr("date", "日期"),
        "yes or no": tr("yes or no", "是/否"),
        "list": tr("list", "列表"),
        "record": tr("record", "记录"),
    }[kind]


def _written(value: object) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@app.command(help=tr("whom a target means", "一个收件目标指哪些人"))
def audience(
    to: Annotated[list[str], typer.Argument(help="users:a,b departments:1,2 roles:… everyone")],
    app_name: App = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Resolve an audience."""
    found = run(asked(lambda ops: _members(ops, app_name, to)))
    if as_json:
        print_json(found.to_json())
        return
    typer.echo("\n".join(found.userids))
    typer.echo(tr(f"{found.people} people", f"{found.people} 人"), err=True)


async def _members(ops: Operations, app_name: str | None, to: list[str]) -> AudienceMembers:
    from dingbell.domain.audience import parse_targets
    from dingbell.operations import directory

    return await directory.members(ops, app_name, parse_targets(to))
