"""Following a run to its end, running the engine here when no node is alive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import typer

from dingbell.cli.frame import (
    EXIT_FAILED,
    EXIT_PARTLY,
    acting,
    because,
    explained,
    print_json,
    totals,
)
from dingbell.cli.language import tr

if TYPE_CHECKING:
    from dingbell.bootstrap import Database
    from dingbell.engine.node.node import Role
    from dingbell.operations.context import Operations
    from dingbell.operations.run_views import RunView

__all__ = [
    "carry_out",
    "engine_if_needed",
    "exit_code",
    "finish",
    "follow",
    "open_all",
    "see",
]

ARRIVED = ("unread", "read", "untracked")


@asynccontextmanager
async def open_all(by: str | None = None) -> AsyncIterator[tuple[Operations, Database]]:
    """Operations for an account or this command line, and the database below them."""
    from dingbell.bootstrap import open_database, open_desk
    from dingbell.settings import Settings

    settings = Settings.load()
    async with (
        open_database(settings) as database,
        open_desk(settings, database=database) as desk,
    ):
        yield await acting(desk, by), database


@asynccontextmanager
async def engine_if_needed(desk: Operations, database: Database) -> AsyncIterator[bool]:
    """Run an engine in this process where no node is alive; says whether it is ours."""
    from dingbell.bootstrap import Service, any_node_alive

    if await any_node_alive(desk, role="worker"):
        yield False
        return
    roles: tuple[Role, ...] = ("worker",)
    service = Service(desk, database, roles=roles)
    await service.start()
    try:
        yield True
    finally:
        await service.stop()


async def follow(desk: Operations, run_id: int, *, quiet: bool) -> RunView:
    """Wait until a run is settled, showing how it goes and what holds it up."""
    import asyncio

    from dingbell.operations import runs

    found = await runs.overview(desk, run_id)
    told = asyncio.create_task(_tell_troubles(desk, run_id))
    try:
        async for found in runs.watch(desk, run_id):
            if not quiet:
                typer.echo(f"  {found.state:<10} {totals(found.totals)}", err=True)
    finally:
        told.cancel()
        await asyncio.gather(told, return_exceptions=True)
    return found


async def _tell_troubles(desk: Operations, run_id: int) -> None:
    """Say on standard error why calls are made again, whenever that changes."""
    from dingbell.operations import runs

    last: dict[str, int] = {}
    while True:
        found = await runs.troubles(desk, run_id)
        if found != last:
            for code, count in found.items():
                typer.echo(_trying_again(code, count), err=True)
        last = found
        await desk.clock.sleep(1.0)


def _trying_again(code: str, count: int) -> str:
    said = explained(code)
    return tr(
        f"  {count} calls did not work and will be made again: {said}",
        f"  {count} 次调用未成功, 将重试: {said}",
    )


async def carry_out(
    create: Callable[[Operations], Awaitable[int]],
    *,
    wait: bool,
    quiet: bool,
    by: str | None = None,
) -> RunView:
    """Create a run; follow it when asked to, or when it is this process that sends it."""
    async with open_all(by) as (desk, database):
        run_id = await create(desk)
        return await see(desk, database, run_id, wait=wait, quiet=quiet)


async def see(
    desk: Operations, database: Database, run_id: int, *, wait: bool, quiet: bool
) -> RunView:
    """Follow a run when asked to, or when it is this process that sends it.

    One that waits for another person is not waited for.
    """
    from dingbell.operations import runs

    found = await runs.overview(desk, run_id)
    if found.waits_for_a_person:
        return found
    async with engine_if_needed(desk, database) as ours:
        if wait or ours:
            return await follow(desk, run_id, quiet=quiet)
        return await runs.overview(desk, run_id)


def exit_code(found: RunView) -> int:
    """0 when everybody got it or it is under way, 1 when nobody did, 3 in between."""
    if not found.final:
        return 0
    people = sum(found.totals.values())
    arrived = sum(found.totals.get(state, 0) for state in (*ARRIVED, "sent"))
    if people and arrived == people:
        return 0
    return EXIT_PARTLY if arrived else EXIT_FAILED


def finish(found: RunView, *, as_json: bool) -> None:
    """Print how a run stands, and leave with its exit code."""
    code = exit_code(found)
    if as_json:
        print_json(found.to_json())
    else:
        reason = f" ({because(found)})" if found.cause else ""
        label = tr("run", "发送")
        typer.echo(f"{label} {found.id}: {found.state}{reason} {totals(found.totals)}")
        if code:
            hint = f"dingbell runs show {found.id}"
            typer.echo(
                tr(f"who did not get it, and why: {hint}", f"谁没收到及原因: {hint}"), err=True
            )
    raise typer.Exit(code)
