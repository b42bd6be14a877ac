"""Events of the directory: kept when DingTalk tells of them, applied when they have been read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["Kept", "Subject", "applied", "forget", "keep", "listening", "pending", "read_orgs"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about."""

    people: Sequence[str] = ()
    departments: Sequence[int] = ()
    roles: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that has not been applied."""

    event_id: str
    subject: Subject


async def keep(
    connection: Connection, org: str, event_id: str, kind: str, subject: Subject, now: datetime
) -> bool:
    """Keep an event; False where it was told before."""
    found = await connection.fetchval(
        """
        insert into directory_events (org, event_id, kind, subject, seen_at)
        values ($1, $2, $3, $4, $5) on conflict do nothing returning true
        """,
        org,
        event_id,
        kind,
        {
            "people": list(subject.people),
            "departments": list(subject.departments),
            "roles": list(subject.roles),
        },
        now,
    )
    return bool(found)


async def pending(connection: Connection, org: str, most: int) -> list[Kept]:
    """Events that have not been applied, the oldest first."""
    rows = await connection.fetch(
        """
        select event_id, subject from directory_events
        where org = $1 and applied_at is null order by seen_at, event_id limit $2
        """,
        org,
        most,
    )
    return [Kept(row["event_id"], Subject(**row["subject"])) for row in rows]


async def applied(
    connection: Connection, org: str, event_ids: Collection[str], now: datetime
) -> None:
    """Note that events have been applied."""
    await connection.execute(
        """
        update directory_events set applied_at = $3
        where org = $1 and event_id = any($2::text[])
        """,
        org,
        list(event_ids),
        now,
    )


async def forget(connection: Connection, before: datetime) -> None:
    """Forget events that were applied long ago: nobody tells of them again."""
    await connection.execute("delete from directory_events where applied_at < $1", before)


async def listening(connection: Connection, org: str, since: datetime | None) -> None:
    """Note since when nothing can have been missed; None while nobody listens."""
    await connection.execute(
        "update directory_syncs set streamed_since = $2 where org = $1", org, since
    )


async def read_orgs(connection: Connection) -> set[str]:
    """The orgs whose directory has been read: of others there is nothing to change."""
    rows = await connection.fetch("select org from directory_syncs")
    return {row[0] for row in rows}
