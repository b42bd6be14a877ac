"""What the tables show to be wrong: subject → what is the matter."""

from __future__ import annotations

from datetime import datetime, timedelta

from dingbell.domain.lifecycle import Batch, Firing
from dingbell.store.connection import Connection

__all__ = ["broken", "missed", "stuck"]

_MOST = 100


async def missed(connection: Connection, before: datetime) -> dict[str, str]:
    """Schedules whose occurrence came due before an instant and has no firing."""
    rows = await connection.fetch(
        """
        select name, next_due_at, function from schedules
        where state = 'active' and problem is null and next_due_at < $1
        order by next_due_at limit $2
        """,
        before,
        _MOST,
    )
    return {
        row["name"]: f"due {row['next_due_at'].isoformat()} and not fired"
        + (f": does a running process know {row['function']}?" if row["function"] else "")
        for row in rows
    }


async def broken(connection: Connection) -> dict[str, str]:
    """Schedules that were set aside because their rule raised."""
    rows = await connection.fetch(
        "select name, problem from schedules where problem is not null order by name limit $1",
        _MOST,
    )
    return {row["name"]: row["problem"] for row in rows}


async def stuck(connection: Connection, now: datetime, patience: timedelta) -> dict[str, str]:
    """Firings that have not moved for too long in a state that should pass by itself.

    A pause of the app (a ban, a used-up month) is known elsewhere and no firing's fault.
    """
    rows = await connection.fetch(
        f"""
        select id, 'due since ' || due_at as detail from firings
        where state = {Firing.DUE:sql} and greatest(due_at, created_at, touched_at) < $1
        union all
        select b.firing_id, 'waits to be sent since ' || min(b.slot_at)
        from batches b join apps a on a.id = b.app_id
        where b.state = {Batch.QUEUED:sql} and b.slot_at < $1
          and coalesce(a.paused_until, '-infinity') < $1
        group by b.firing_id
        union all
        select b.firing_id, 'DingTalk gives no result since ' || min(b.sent_at)
        from batches b where b.state = {Batch.ACCEPTED:sql} and b.next_look_at is not null
          and b.sent_at < $1 - interval '1 hour'
        group by b.firing_id
        limit $2
        """,
        now - patience,
        _MOST,
    )
    return {f"firing {row['id']}": row["detail"] for row in rows}
