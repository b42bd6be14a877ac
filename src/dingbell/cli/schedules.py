"""`dingbell schedules …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dingbell.cli.frame import Account, Json, at_desk, moment, print_json, run, table, totals
from dingbell.cli.language import say, tr

__all__ = ["app"]

app = typer.Typer(
    help=tr("see, pause, resume and run schedules", "查看、暂停、恢复、立即触发日程"),
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help=tr("name of the schedule", "日程名称"))]


@app.command("list", help=tr("all schedules and when they fire next", "所有日程及下次触发时间"))
def list_(as_json: Annotated[bool, Json] = False) -> None:
    """List schedules."""
    found = run(at_desk("schedules", "listed"))
    if as_json:
        print_json(found)
        return
    table(
        (
            tr("name", "名称"),
            tr("state", "状态"),
            tr("next", "下次触发"),
            tr("when", "规则"),
            tr("app", "应用"),
        ),
        (
            (
                one["name"],
                one["state"],
                moment(one["next_due_at"]),
                ", ".join(f"{key} {value}" for key, value in one["spec"]["when"].items()),
                one["app"],
            )
            for one in found
        ),
    )


@app.command(help=tr("one schedule in full", "显示一个日程的全部内容"))
def show(name: Name, as_json: Annotated[bool, Json] = False) -> None:
    """Show one schedule."""
    found = run(at_desk("schedules", "show", name))
    if as_json:
        print_json(found)
        return
    spec = found.pop("spec")
    table(("", ""), [*found.items(), *spec.items()])


@app.command(help=tr("the next instants of a schedule", "预览接下来的触发时刻"))
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
    found = run(at_desk("schedules", "preview_people" if people else "preview", name, count))
    if as_json:
        print_json(found)
        return
    for instant in found["instants"]:
        typer.echo(instant)
    if people:
        _show_people(found)


def _show_people(found: dict[str, Any]) -> None:
    for warning in found["warnings"]:
        typer.echo(f"! {warning}", err=True)
    calls, seconds = found["calls"], found["seconds"]
    cost, limit = found["budget"]["cost"], found["budget"]["limit"] or "–"
    typer.echo(
        tr(
            f"{calls} calls, the last after {seconds:.1f} s; about {cost} of {limit} calls a month",
            f"{calls} 次调用, 最后一次在 {seconds:.1f} 秒后; 约占每月 {limit} 次中的 {cost} 次",
        )
    )
    typer.echo(totals(found["totals"]))
    table(
        ("userid", tr("expected", "预计"), tr("code", "代码"), tr("why", "原因")),
        (
            (one["userid"], one["expected"], one["code"], say(one["reason"] or ""))
            for one in found["people"]
            if one["expected"] != "delivered"
        ),
    )


@app.command(help=tr("approve what a schedule says now", "审批日程的当前版本"))
def approve(name: Name, by: Account = None, as_json: Annotated[bool, Json] = False) -> None:
    """Approve."""

    async def work() -> None:
        from dingbell.bootstrap import open_desk
        from dingbell.operations import approvals
        from dingbell.settings import Settings

        async with open_desk(Settings.load()) as desk:
            await approvals.approve_schedule(desk, name, by=by)

    run(work())
    if as_json:
        print_json({"schedule": name, "done": "approve"})
    else:
        typer.echo(f"{name}: {tr('approved', '已审批')}")


@app.command(help=tr("let a schedule rest", "暂停日程"))
def pause(name: Name, as_json: Annotated[bool, Json] = False) -> None:
    """Pause."""
    _change("pause", name, tr("paused", "已暂停"), as_json=as_json)


@app.command(help=tr("let a paused schedule fire again", "恢复日程"))
def resume(name: Name, as_json: Annotated[bool, Json] = False) -> None:
    """Resume."""
    _change("resume", name, tr("resumed", "已恢复"), as_json=as_json)


@app.command(help=tr("remove a schedule; its firings stay", "删除日程; 触发记录保留"))
def delete(name: Name, as_json: Annotated[bool, Json] = False) -> None:
    """Delete."""
    _change("delete", name, tr("deleted", "已删除"), as_json=as_json)


def _change(operation: str, name: str, done: str, *, as_json: bool) -> None:
    run(at_desk("schedules", operation, name))
    if as_json:
        print_json({"schedule": name, "done": operation})
    else:
        typer.echo(f"{name}: {done}")


@app.command("run", help=tr("fire a schedule now, beside its own instants", "立即触发一次"))
def run_(
    name: Name,
    wait: Annotated[
        bool, typer.Option("--wait", help=tr("wait until it is settled", "等待直到有结果"))
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Fire now."""
    from dingbell.cli.following import finish, run_now

    finish(run(run_now(name, wait=wait, quiet=as_json)), as_json=as_json)
