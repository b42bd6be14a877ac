"""`dingbell runs approve | resend | resolve | status-bar`: what a person does about a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dingbell.cli.following import finish, open_all, see
from dingbell.cli.frame import (
    EXIT_FAILED,
    EXIT_PARTLY,
    Account,
    Json,
    asked,
    explained,
    fail,
    print_json,
    run,
    totals,
)
from dingbell.cli.language import tr

if TYPE_CHECKING:
    from dingbell.operations.context import Operations
    from dingbell.operations.resends import Kind, Resent
    from dingbell.operations.run_views import RunView

__all__ = ["add_to"]

Id = Annotated[int, typer.Argument(help=tr("id of the run", "发送的 id"), min=1, max=2**63 - 1)]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(help=tr("let a held run go now", "放行挂起的发送"))(approve)
    app.command(
        help=tr(
            "send once more, with the same bytes, to those it did not reach",
            "用相同内容重发给未送达的人",
        )
    )(resend)
    app.command(help=tr("say what became of people of whom nobody knows", "人工确认结果未知的人"))(
        resolve
    )
    app.command(
        "status-bar",
        help=tr("change the status bar of OA notices", "更新 OA 通知的状态栏"),
    )(status_bar)


def approve(
    run_id: Id,
    by: Account = None,
    wait: Annotated[
        bool, typer.Option("--wait", help=tr("wait until it is settled", "等待直到有结果"))
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Approve."""

    async def work() -> RunView:
        from dingbell.operations import approvals

        async with open_all(by) as (desk, database):
            await approvals.approve_run(desk, run_id)
            return await see(desk, database, run_id, wait=wait, quiet=as_json)

    finish(run(work()), as_json=as_json)


def resend(
    run_id: Id,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help=tr(
                "pace, failed or unknown; repeatable; pace and failed if left out",
                "pace、failed 或 unknown; 可多次使用; 省略则为 pace 与 failed",
            ),
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=tr("only say who it would be", "只说明会发给谁"))
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help=tr("do not ask", "不再询问"))] = False,
    by: Account = None,
    wait: Annotated[
        bool, typer.Option("--wait", help=tr("wait until it is settled", "等待直到有结果"))
    ] = False,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Resend."""
    from dingbell.operations import resends

    kinds = _kinds(tuple(only or ("pace", "failed")))
    found = run(asked(lambda ops: resends.resend(ops, run_id, kinds, dry_run=True), by))
    if dry_run:
        _show_planned(found, as_json=as_json)
        return
    if not yes:
        _confirm(found.people)

    async def work() -> RunView:
        async with open_all(by) as (ops, database):
            await resends.resend(ops, run_id, kinds)
            return await see(ops, database, run_id, wait=wait, quiet=as_json)

    finish(run(work()), as_json=as_json)


def _kinds(given: tuple[str, ...]) -> tuple[Kind, ...]:
    from dingbell.operations.resends import KINDS

    kinds = tuple(kind for word in given for kind in KINDS if kind == word)
    if unknown := sorted({*given} - {*kinds}):
        fail(
            tr(
                f"--only is pace, failed or unknown, not {unknown[0]}",
                f"--only 只能是 pace、failed 或 unknown, 不能是 {unknown[0]}",
            )
        )
    return kinds


def _show_planned(found: Resent, *, as_json: bool) -> None:
    if as_json:
        print_json(found.to_json())
        return
    typer.echo("\n".join(found.userids))
    people = found.people
    typer.echo(tr(f"{people} people would be sent to", f"将重发给 {people} 人"), err=True)


def _confirm(people: int) -> None:
    if not sys.stdin.isatty():
        fail(
            tr(
                f"this sends to {people} people again: confirm with --yes",
                f"将重发给 {people} 人: 请用 --yes 确认",
            )
        )
    typer.confirm(tr(f"Send to {people} people?", f"重发给 {people} 人?"), abort=True, err=True)


def resolve(
    run_id: Id,
    outcome: Annotated[
        str, typer.Option("--as", help=tr("delivered or failed", "delivered 或 failed"))
    ],
    users: Annotated[
        list[str] | None,
        typer.Option(
            "--user", help=tr("a userid; repeatable; all if left out", "userid; 可多次; 省略则全部")
        ),
    ] = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Resolve."""
    if outcome not in ("delivered", "failed"):
        fail(tr("--as is delivered or failed", "--as 只能是 delivered 或 failed"))

    async def work(ops: Operations) -> RunView:
        from dingbell.intake import identifier
        from dingbell.operations import resends, runs

        named = tuple(map(identifier, users or ()))
        await resends.resolve(ops, run_id, delivered=outcome == "delivered", userids=named)
        return await runs.overview(ops, run_id)

    found = run(asked(work))
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(f"{tr('resolved', '已确认')}: {totals(found.totals)}")


def status_bar(
    run_id: Id,
    text: Annotated[str, typer.Option("--text", help=tr("what it says", "显示的文字"))],
    color: Annotated[
        str | None,
        typer.Option("--color", help=tr("0xAARRGGBB, such as 0xFF78C06E", "例如 0xFF78C06E")),
    ] = None,
    by: Account = None,
    as_json: Annotated[bool, Json] = False,
) -> None:
    """Change the status bar."""
    from dingbell.operations import statusbar

    found = run(asked(lambda ops: statusbar.update(ops, run_id, text, color), by))
    if as_json:
        print_json(found.to_json())
    else:
        changed, failed = found.changed, found.failed
        typer.echo(tr(f"{changed} changed, {failed} failed", f"已更新 {changed}, 失败 {failed}"))
        for batch in found.batches:
            if batch.code is not None:
                typer.echo(f"  #{batch.ordinal} {explained(batch.code)}", err=True)
    if found.failed:
        raise typer.Exit(EXIT_PARTLY if found.changed else EXIT_FAILED)
