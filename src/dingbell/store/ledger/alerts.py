"""Table `alerts`: what a person has to know; one row for as long as it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from dingbell.domain.alarms import Alarm, AlarmKind, Noun
from dingbell.store.connection import Connection
from dingbell.store.states import RUN_OPEN

__all__ = [
    "Alert",
    "end",
    "end_of",
    "end_of_final_runs",
    "end_seen_before",
    "give_back",
    "listed",
    "notified",
    "raise_",
    "take_pending",
]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something is wrong, since when, and whether it still is."""

    id: int
    alarm: Alarm
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None


_COLUMNS = "id, kind, noun, subject, params, began_at, seen_at, ended_at"


def _alert(row: asyncpg.Record) -> Alert:
    alarm = Alarm(AlarmKind(row["kind"]), Noun(row["noun"]), row["subject"], row["params"])
    return Alert(row["id"], alarm, row["began_at"], row["seen_at"], row["ended_at"])


async def raise_(connection: Connection, alarm: Alarm, now: datetime) -> bool:
    """Raise an alert, or see it again; says whether it is new."""
    new: bool = await connection.fetchval(
        """
        insert into alerts (kind, noun, subject, params, began_at, seen_at)
        values ($1, $2, $3, $4, $5, $5)
        on conflict (kind, noun, subject) where ended_at is null
        do update set seen_at = excluded.seen_at, params = excluded.params
        returning began_at = seen_at
        """,
        alarm.kind.value,
        alarm.noun.value,
        alarm.subject,
        dict(alarm.params),
        now,
    )
    return new


async def end(connection: Connection, kind: AlarmKind, still: list[str], now: datetime) -> None:
    """End the alerts of a kind, except for the subjects for which it is still true."""
    await connection.execute(
        """
        update alerts set ended_at = $3
        where kind = $1 and ended_at is null and not subject = any($2::text[])
        """,
        kind.value,
        still,
        now,
    )


async def end_of(
    connection: Connection, kind: AlarmKind, subjects: list[str], now: datetime
) -> None:
    """End the alerts of a kind about some subjects."""
    await connection.execute(
        """
        update alerts set ended_at = $3
        where kind = $1 and ended_at is null and subject = any($2::text[])
        """,
        kind.value,
        subjects,
        now,
    )


async def end_seen_before(connection: Connection, kind: AlarmKind, before: datetime) -> None:
    """End the alerts of a kind that were seen last before an instant."""
    await connection.execute(
        "update alerts set ended_at = seen_at where kind = $1 and ended_at is null "
        "and seen_at < $2",
        kind.value,
        before,
    )


async def end_of_final_runs(connection: Connection, kind: AlarmKind, now: datetime) -> None:
    """End the alerts of a kind about runs that have come to their end."""
    await connection.execute(
        f"""
        update alerts a set ended_at = $2
        where kind = $1 and ended_at is null and not exists (
            select from runs f where a.noun = 'run' and a.subject = f.id::text
            and f.state in {RUN_OPEN})
        """,
        kind.value,
        now,
    )


async def take_pending(
    connection: Connection, limit: int, now: datetime, until: datetime
) -> list[Alert]:
    """Take alerts that are to be notified, the oldest first; nobody else takes them meanwhile.

    Args:
        connection: to write.
        limit: how many at the most.
        now: the present instant.
        until: when they may be taken again, where they were not notified.
    """
    rows = await connection.fetch(
        f"""
        update alerts set notify_after = $3 where id in (
            select id from alerts
            where notified_at is null and coalesce(notify_after, '-infinity') <= $2
            order by id limit $1 for update skip locked)
        returning {_COLUMNS}
        """,
        limit,
        now,
        until,
    )
    return sorted(map(_alert, rows), key=lambda alert: alert.id)


async def notified(connection: Connection, ids: list[int], now: datetime) -> None:
    """Note that alerts were notified."""
    await connection.execute(
        "update alerts set notified_at = $2 where id = any($1::bigint[])", ids, now
    )


async def give_back(connection: Connection, ids: list[int]) -> None:
    """Let alerts that could not be notified be tried again."""
    await connection.execute(
        "update alerts set notify_after = null where id = any($1::bigint[])", ids
    )


async def listed(
    connection: Connection, *, limit: int, only_open: bool, before: int | None = None
) -> list[Alert]:
    """The newest alerts first, of those before an id."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from alerts where ($2 is false or ended_at is null) "
        "and ($3::bigint is null or id < $3) order by id desc limit $1",
        limit,
        only_open,
        before,
    )
    return [_alert(row) for row in rows]
