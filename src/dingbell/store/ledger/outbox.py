"""Table `outbox`: every change of a state, written by `transitions` with the change itself."""

from __future__ import annotations

from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["forget"]


async def forget(connection: Connection, before: datetime) -> None:
    """Delete what was written before an instant."""
    await connection.execute("delete from outbox where at < $1", before)
