"""Archivist: what is old enough is forgotten, each kind after its own time."""

from __future__ import annotations

from datetime import timedelta

from dingbell.domain.slots import Pace
from dingbell.engine.node.context import Context
from dingbell.engine.node.health import Health
from dingbell.engine.node.lease import Lease
from dingbell.engine.upkeep.archivist import Archivist
from dingbell.operations.context import Operations
from dingbell.telemetry import Metrics


async def test_the_outbox_is_kept_for_as_long_as_the_settings_say(desk: Operations) -> None:
    context = Context(
        pool=desk.pool,
        clock=desk.clock,
        clients=desk.clients,
        sources=desk.sources,
        lease=Lease("", desk.clock, name="test", version="0"),
        pace=Pace(),
        metrics=Metrics(),
        polls=(),
        trouble=Health(desk.clock),
    )
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from outbox")
        await connection.execute(
            "insert into outbox (noun, run_id, new, people, at) select 'run', days, 'due', 1, "
            "now() - make_interval(days => days) from unnest(array[1, 2, 4, 8]) as days"
        )
    keep = timedelta(days=180)
    await Archivist(context, keep=keep, keep_outbox=timedelta(days=3)).forget()
    async with desk.pool.acquire() as connection:
        left = await connection.fetch("select run_id from outbox order by 1")
    assert [row["run_id"] for row in left] == [1, 2]
