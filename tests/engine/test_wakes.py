"""Wake-ups: however many come, a node keeps none of them, and misses nothing."""

from __future__ import annotations

import gc
import json

from pgqueuer.domain.models import TableChangedEvent

from dingbell.bootstrap import Service
from dingbell.operations.context import Operations
from dingbell.store import jobs

from .conftest import Truth, final, until
from .given import order, send

_NOTICES = 2_000


def kept() -> int:
    """How many notices of changes this process holds on to."""
    return sum(isinstance(one, TableChangedEvent) for one in gc.get_objects())


async def test_notices_that_come_faster_than_they_are_taken_are_not_kept(
    desk: Operations, service: Service, truth: Truth
) -> None:
    notice = {
        "channel": jobs.CHANNEL,
        "sent_at": desk.clock.now().isoformat(),
        "type": "table_changed_event",
        "operation": "update",
        "table": "jobs",
    }
    before = kept()
    async with desk.pool.acquire() as connection:
        # PostgreSQL folds notices that are the same.
        await connection.execute(
            "select pg_notify($1, $2 || repeat(' ', n)) from generate_series(1, $3::int) n",
            jobs.CHANNEL,
            json.dumps(notice),
            _NOTICES,
        )

    async def heard() -> bool:
        return kept() - before < 10

    await final(desk, await send(desk, order("at once", "manager4220")))
    await until(heard, 5)
    assert len(await truth.calls()) == 1
