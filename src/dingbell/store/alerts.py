"""Table `alerts`: what a person has to know; one row for as long as it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dingbell.store.connection import Connection
from dingbell.store.states import RUN_OPEN

__all__ = [
    "Alert",
    "end",
    "end_of",
    "end_of_final_firings",
    "end_seen_before",
    "listed",
    "raise_",
    "told",
    "untold",
]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something is wrong, since when, and whether it still is."""

    id: int
    kind: str
    subject: str
    detail: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None


_COLUMNS = "id, kind, subject, detail, began_at, seen_at, ended_at"


async def raise_(
    connection: Connection, kind: str, subject: str, detail: str, now: datetime
) -> bool:
    """Raise an alert, or see it again; says whether it is new."""
    new: bool = await connection.fetchval(
        """
        insert into alerts (kind, subject, detail, began_at, seen_at)
        values ($1, $2, $3, $4, $4)
        on conflict (kind, subject) where ended_at is null
        do update set seen_at = excluded.seen_at, detail = excluded.detail
        returning began_at = seen_at
        """,
        kind,
        subject,
        detail[:1000],
        now,
    )
    return new


async def end(connection: Connection, kind: str, still: list[str], now: datetime) -> None:
    """End the alerts of a kind, except for the subjects for which it is still true."""
    await connection.execute(
        """
        update alerts set ended_at = $3
        where kind = $1 and ended_at is null and not subject = any($2::text[])
        """,
        kind,
        still,
        now,
    )


async def end_of(connection: Connection, kind: str, subjects: list[str], now: datetime) -> None:
    """End the alerts of a kind about some subjects."""
    await connection.execute(
        """
        update alerts set ended_at = $3
        where kind = $1 and ended_at is null and subject = any($2::text[])
        """,
        kind,
        subjects,
        now,
    )


async def end_seen_before(connection: Connection, kind: str, before: datetime) -> None:
    """End the alerts of a kind that were seen last before an instant."""
    await connection.execute(
        "update alerts set ended_at = seen_at where kind = $1 and ended_at is null "
        "and seen_at < $2",
        kind,
        before,
    )


async def end_of_final_firings(connection: Connection, kind: str, now: datetime) -> None:
    """End the alerts of a kind about firings that have come to their end."""
    await connection.execute(
        f"""
        update alerts a set ended_at = $2
        where kind = $1 and ended_at is null and not exists (
            select from firings f where a.subject = 'firing ' || f.id
            and f.state in {RUN_OPEN})
        """,
        kind,
        now,
    )


async def untold(connection: Connection, limit: int) -> list[Alert]:
    """Alerts that nobody was told of, the oldest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from alerts where told_at is null order by id limit $1", limit
    )
    return [Alert(**dict(row)) for row in rows]


async def told(connection: Connection, ids: list[int], now: datetime) -> None:
    """Note that alerts were told."""
    await connection.execute(
        "update alerts set told_at = $2 where id = any($1::bigint[])", ids, now
    )


async def listed(connection: Connection, *, limit: int, only_open: bool) -> list[dict[str, Any]]:
    """The newest alerts first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from alerts where $2 is false or ended_at is null "
        "order by id desc limit $1",
        limit,
        only_open,
    )
    return [dict(row) for row in rows]
