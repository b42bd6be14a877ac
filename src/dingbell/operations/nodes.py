"""Operations on nodes: who is running, and whether its clock is right."""

from __future__ import annotations

from typing import Any

from dingbell.operations.desk import Desk
from dingbell.operations.reports import instant
from dingbell.store import nodes
from dingbell.store.connection import acquire

__all__ = ["listed"]


async def listed(desk: Desk) -> list[dict[str, Any]]:
    """Every node that is entered, the oldest first.

    `clock_offset` is by how many seconds the node corrects its host's clock to the database's;
    `calls` how many of its calls are under way.
    """
    async with acquire(desk.pool) as connection:
        found = await nodes.listed(connection)
    return [
        {
            **one,
            "started_at": instant(one["started_at"]),
            "lease_until": instant(one["lease_until"]),
            "clock_offset": round(one["clock_offset"], 3),
        }
        for one in found
    ]
