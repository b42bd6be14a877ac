"""Operations on alerts: what needs a person."""

from __future__ import annotations

from typing import Any

from dingbell.operations.desk import Desk
from dingbell.operations.reports import instant
from dingbell.store import alerts
from dingbell.store.connection import acquire

__all__ = ["listed"]


async def listed(desk: Desk, *, limit: int = 100, only_open: bool = True) -> list[dict[str, Any]]:
    """The newest alerts first."""
    async with acquire(desk.pool) as connection:
        found = await alerts.listed(connection, limit=limit, only_open=only_open)
    return [
        {
            "id": one.id,
            "kind": one.alarm.kind.value,
            "noun": one.alarm.noun.value,
            "subject": one.alarm.subject,
            "params": dict(one.alarm.params),
            "detail": str(one.alarm.text()),
            "began_at": instant(one.began_at),
            "seen_at": instant(one.seen_at),
            "ended_at": instant(one.ended_at),
        }
        for one in found
    ]
