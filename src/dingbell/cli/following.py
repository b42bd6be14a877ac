"""Following a firing to its end, running the engine here when no node is alive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import typer

from dingbell.cli.frame import EXIT_FAILED, EXIT_PARTLY, print_json, totals
from dingbell.cli.language import tr

if TYPE_CHECKING:
    from dingbell.operations.desk import Desk

__all__ = ["desk_with_engine", "exit_code", "finish", "follow", "run_now"]

ARRIVED = ("unread", "read", "untracked")


@asynccontextmanager
async def desk_with_engine() -> AsyncIterator[tuple[Desk, bool]]:
    """A desk, and an engine in this process where no node is alive; says whether it is ours."""
    from dingbell.bootstrap import Service, any_node_alive, open_database, open_desk
    from dingbell.settings import Settings

    settings = Settings.load()
    async with (
        open_database(settings) as database,
        open_desk(settings, database=database) as desk,
    ):
        if await any_node_alive(desk):
            yield desk, False
            return
        service = Service(desk, database, ticks=False)
        await service.start()
        try:
            yield desk, True
        finally:
            await service.stop()


async def follow(desk: Desk, firing_id: int, *, quiet: bool) -> dict[str, Any]:
    """Wait until a firing is settled, showing how it goes."""
    from dingbell.operations import reports

    found: dict[str, Any] = {}
    async for found in reports.watch(desk, firing_id):
        if not quiet:
            typer.echo(f"  {found['state']:<10} {totals(found['totals'])}", err=True)
    return found


async def carry_out(
    create: Callable[[Desk], Awaitable[int]], *, wait: bool, quiet: bool
) -> dict[str, Any]:
    """Create a firing; follow it when asked to, or when it is this process that sends it."""
    from dingbell.operations import reports

    async with desk_with_engine() as (desk, ours):
        firing_id = await create(desk)
        if wait or ours:
            return await follow(desk, firing_id, quiet=quiet)
        return await reports.overview(desk, firing_id)


async def run_now(name: str, *, wait: bool, quiet: bool) -> dict[str, Any]:
    """Fire a schedule now."""
    from dingbell.operations import schedules

    return await carry_out(lambda desk: schedules.run(desk, name), wait=wait, quiet=quiet)


def exit_code(firing: dict[str, Any]) -> int:
    """0 when everybody got it or it is under way, 1 when nobody did, 3 in between."""
    if firing["state"] in ("due", "planned", "sending"):
        return 0
    people = sum(firing["totals"].values())
    arrived = sum(firing["totals"].get(state, 0) for state in (*ARRIVED, "sent"))
    if people and arrived == people:
        return 0
    return EXIT_PARTLY if arrived else EXIT_FAILED


def finish(firing: dict[str, Any], *, as_json: bool) -> None:
    """Print how a firing stands, and leave with its exit code."""
    if as_json:
        print_json(firing)
    else:
        reason = f" ({firing['reason']})" if firing["reason"] else ""
        label = tr("firing", "触发")
        typer.echo(f"{label} {firing['id']}: {firing['state']}{reason} {totals(firing['totals'])}")
    raise typer.Exit(exit_code(firing))
