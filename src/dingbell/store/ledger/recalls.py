"""Recalls that were asked for, and whether they have been carried out."""

from __future__ import annotations

from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["ask", "asked", "overdue", "pending"]


async def ask(connection: Connection, run_id: int, now: datetime | None) -> None:
    """Note that a run is to be recalled, or with None that this has been done."""
    await connection.execute("update runs set recall_asked_at = $2 where id = $1", run_id, now)


async def asked(connection: Connection, run_id: int) -> bool:
    """Lock a run; whether it is to be recalled."""
    asked_at: datetime | None = await connection.fetchval(
        "select recall_asked_at from runs where id = $1 for update", run_id
    )
    return asked_at is not None


async def pending(connection: Connection, run_id: int) -> bool:
    """Whether a recall that was asked for has not been carried out yet."""
    asked_at: datetime | None = await connection.fetchval(
        "select recall_asked_at from runs where id = $1", run_id
    )
    return asked_at is not None


async def overdue(connection: Connection, before: datetime) -> list[int]:
    """Runs whose recall was asked for a while ago and is not done."""
    rows = await connection.fetch("select id from runs where recall_asked_at < $1", before)
    return [row["id"] for row in rows]
