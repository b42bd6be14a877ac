"""`dingbell schedules …`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dingbell.cli.frame import (
    Account,
    After,
    Json,
    asked,
    more,
    print_json,
    run,
    table,
    totals,
)
from dingbell.cli.language import say, tr

if TYPE_CHECKING:
    from dingbell.operations.context import Operations
    from dingbell.operations.schedules import ScheduleView, Upcoming, UpcomingPeople

__all__ = ["app"]

app = typer.Typer(
    help=tr("see, pause, resume and run schedules", "查看、暂停、恢复、立即发送日程"),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help=tr("name of the schedule", "日程名称"))]


@app.command("list", help=tr("all schedules and when they fire next", "所有日程及下次发送时间"))
def list_(
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, max=10_000, help=tr("how many", "数量")),
    ] = 1_000,
    after: After = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """List schedules."""
    from dingbell.operations import schedules

    page = run(asked(lambda ops: schedules.page(ops, limit=limit, after=after)))
    if as_json:
        print_json([_told(one) for one in page.items])
        more(page.next)
        return
    table(
        (
            tr("name", "名称"),
            tr("state", "状态"),
            tr("next", "下次发送"),
            tr("when", "规则"),
            tr("app", "应用"),
        ),
        (
            (
                one.name,
                one.state,
                _local(one.next_due_at),
                say(one.words) if one.words else one.rule,
                one.app,
            )
            for one in page.items
        ),
    )
    more(page.next)


def _told(found: ScheduleView | Upcoming) -> dict[str, Any]:
    """A schedule as JSON, its rule in the reader's language."""
    return {**found.to_json(), "words": say(found.words) if found.words else None}


def _local(instant: datetime | None) -> str:
    """An instant of a schedule, in its own zone."""
    return instant.isoformat(" ", "seconds") if instant else ""


@app.command(help=tr("one schedule in full", "显示一个日程的全部内容"))
def show(name: Name, as_json: Annotated[bool, Json] = False) -> None:
    """Show one schedule."""
    from dingbell.operations import schedules

    found = _told(run(asked(lambda ops: schedules.show(ops, name))))
    if as_json:
        print_json(found)
        return
    spec = found.pop("spec")
    table(("", ""), [*found.items(), *spec.items()])


@app.command(help=tr("the next instants of a schedule", "预览接下来的发送时刻"))
def preview(
    name: Name,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=1000, help=tr("how many", "数量"))
    ] = 5,
    people: Annotated[
        bool,
        typer.Option(
            "--people",
            help=tr(
                "also who will get the next one, who will not and why",
                "同时预测下一次谁能收到、谁不能及原因",
            ),
        ),
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Preview instants."""
    from dingbell.operations import schedules

    if people:
        forecast = run(asked(lambda ops: schedules.preview_people(ops, name, count)))
        _show_preview(forecast, as_json=as_json)
        if not as_json:
            _show_people(forecast)
        return
    _show_preview(run(asked(lambda ops: schedules.preview(ops, name, count))), as_json=as_json)


def _show_preview(found: Upcoming, *, as_json: bool) -> None:
    if as_json:
        print_json(_told(found))
        return
    typer.echo(say(found.words), err=True)
    for instant in found.instants:
        typer.echo(instant.isoformat())


def _show_people(found: UpcomingPeople) -> None:
    for warning in found.warnings:
        typer.echo(f"! {say(warning)}", err=True)
    calls, seconds = found.calls, found.seconds
    cost, limit = found.budget.cost, found.budget.limit or "–"
    typer.echo(
        tr(
            f"{calls} calls, the last after {seconds:.1f} s; about {cost} of {limit} calls a month",
            f"{calls} 次调用, 最后一次在 {seconds:.1f} 秒后; 约占每月 {limit} 次中的 {cost} 次",
        )
    )
    typer.echo(totals(found.totals))
    table(
        ("userid", tr("expected", "预计"), tr("code", "代码"), tr("why", "原因")),
        (
            (one.userid, one.expected, one.code, say(one.reason) if one.reason else "")
            for one in found.people
            if one.expected != "delivered"
        ),
    )


@app.command(help=tr("approve what a schedule says now", "审批日程的当前版本"))
def approve(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Approve."""
    from dingbell.operations import approvals

    run(asked(lambda ops: approvals.approve_schedule(ops, name), by))
    if as_json:
        print_json({"schedule": name, "done": "approve"})
    else:
        typer.echo(f"{name}: {tr('approved', '已审批')}")


@app.command(help=tr("let a schedule rest", "暂停日程"))
def pause(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Pause."""
    from dingbell.operations import schedules

    run(asked(lambda ops: schedules.pause(ops, name), by))
    _say(name, "pause", tr("paused", "已暂停"), as_json=as_json)


@app.command(help=tr("let a paused schedule fire again", "恢复日程"))
def resume(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Resume."""
    from dingbell.operations import schedules

    run(asked(lambda ops: schedules.resume(ops, name), by))
    _say(name, "resume", tr("resumed", "已恢复"), as_json=as_json)


@app.command(help=tr("remove a schedule; its runs stay", "删除日程; 发送记录保留"))
def delete(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Delete."""
    from dingbell.operations import schedules

    run(asked(lambda ops: schedules.delete(ops, name), by))
    _say(name, "delete", tr("deleted", "已删除"), as_json=as_json)


def _say(name: str, operation: str, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"schedule": name, "done": operation})
    else:
        typer.echo(f"{name}: {done}")


@app.command("run", help=tr("fire a schedule now, beside its own instants", "立即发送一次"))
def run_(
    name: Name,
    wait: Annotated[
        bool, typer.Option("--wait", help=tr("wait until it is settled", "等待直到有结果"))
    ] = False,
    by: Account = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Fire now."""
    from dingbell.cli.following import carry_out, finish
    from dingbell.cli.sending import confirm

    async def create(ops: Operations) -> int:
        from dingbell.operations import schedules

        found = await schedules.outlook_of_run(ops, name)
        for warning in found.warnings:
            typer.echo(f"! {say(warning)}", err=True)
        confirm(found.outlook, question=found.question and not yes)
        return await schedules.run(ops, name, people=len(found.outlook.userids))

    finish(run(carry_out(create, wait=wait, quiet=as_json, by=by)), as_json=as_json)
