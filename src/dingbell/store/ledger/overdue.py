"""What nobody has moved for too long, asked in one statement: an idle cluster asks little."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dingbell.domain.lifecycle import Batch, Run
from dingbell.store.connection import Connection
from dingbell.store.states import RUN_UNDER_WAY

__all__ = ["Late", "anything"]


@dataclass(frozen=True, slots=True)
class Late:
    """Since when something of each kind should have moved.

    Attributes:
        slots: of queued batches.
        polls: of batches that are to be looked at.
        ends: of runs that should have come to their end; those still on their way count too.
        recalls: of recalls that were asked for.
        holds: of runs that should have been let go.
        plans: when runs that are due were touched last.
        calls: of batches that are being sent.
    """

    slots: datetime
    polls: datetime
    ends: datetime
    recalls: datetime
    holds: datetime
    plans: datetime
    calls: datetime


async def anything(connection: Connection, late: Late) -> bool:
    """Whether anything may have been forgotten, or a node has died."""
    found: bool = await connection.fetchval(
        f"""
        select exists (select from batches where state = {Batch.QUEUED:sql} and slot_at < $1)
            or exists (select from batches where next_poll_at < $2)
            or exists (select from runs where state in {RUN_UNDER_WAY}
                       and coalesce(started_at, planned_at) < $3)
            or exists (select from runs where recall_asked_at < $4)
            or exists (select from runs where state = {Run.HELD:sql} and held_until < $5)
            or exists (select from runs where state = {Run.DUE:sql} and touched_at < $6)
            or exists (select from nodes where lease_until < clock_timestamp())
            or exists (select from batches b where owner is not null
                       and ((state = {Batch.SENDING:sql} and sent_at < $7)
                            or not exists (select from nodes n where n.id = b.owner)))
        """,
        late.slots,
        late.polls,
        late.ends,
        late.recalls,
        late.holds,
        late.plans,
        late.calls,
    )
    return found
