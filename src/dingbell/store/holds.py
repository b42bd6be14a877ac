"""Table `firings`, those in state `held`: until when, why, and how they are let go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dingbell.domain.lifecycle import FIRING_MOVES, Firing, origins
from dingbell.store.connection import Connection

__all__ = ["LOCAL", "hold", "overdue", "release", "release_due"]

# Who lets something go on the command line of the machine itself.
LOCAL = "local"
# (firing id, function): what a plan job needs to know.
Released = tuple[int, str | None]


async def hold(
    connection: Connection,
    firing_ids: Sequence[int],
    *,
    until: datetime | None,
    reason: str,
    now: datetime,
) -> list[int]:
    """Hold firings until an instant, or with None until a person lets them go."""
    rows = await connection.fetch(
        """
        update firings set state = 'held', held_until = $2, reason = $3, touched_at = $4, tries = 0
        where id = any($1::bigint[]) and state = any($5::text[]) returning id
        """,
        list(firing_ids),
        until,
        reason,
        now,
        origins(FIRING_MOVES, Firing.HELD),
    )
    return [row["id"] for row in rows]


async def release(
    connection: Connection, firing_ids: Sequence[int], *, by: str | None, now: datetime
) -> list[Released]:
    """Let held firings go, because a person says so; None is the local command line."""
    rows = await connection.fetch(
        """
        update firings set state = 'due', held_until = null, reason = null, touched_at = $2,
            approved_by = $3, due_at = case when kind = 'occurrence' then due_at else $2 end
        where id = any($1::bigint[]) and state = 'held' returning id, function
        """,
        list(firing_ids),
        now,
        by or LOCAL,
    )
    return [(row["id"], row["function"]) for row in rows]


async def release_due(
    connection: Connection, firing_ids: Sequence[int], now: datetime
) -> list[Released]:
    """Let those go whose time has come; a repeat finds none."""
    rows = await connection.fetch(
        """
        update firings set state = 'due', reason = null, touched_at = $2
        where id = any($1::bigint[]) and state = 'held' and held_until <= $2
        returning id, function
        """,
        list(firing_ids),
        now,
    )
    return [(row["id"], row["function"]) for row in rows]


async def overdue(connection: Connection, before: datetime) -> list[int]:
    """Firings whose hold ended a while ago and that nobody has let go."""
    rows = await connection.fetch(
        "select id from firings where state = 'held' and held_until < $1 order by id limit 500",
        before,
    )
    return [row["id"] for row in rows]


async def of_schedule(
    connection: Connection, schedule_id: int, reason: str
) -> list[tuple[int, datetime]]:
    """Occurrences of a schedule that are held for a reason that begins so: (id, due at)."""
    rows = await connection.fetch(
        """
        select id, due_at from firings
        where schedule_id = $1 and kind = 'occurrence' and state = 'held'
          and starts_with(reason, $2)
        order by id for update
        """,
        schedule_id,
        reason,
    )
    return [(row["id"], row["due_at"]) for row in rows]
