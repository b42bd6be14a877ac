"""Repair: people whom a notice has not reached → batches with the same bytes, in the same run.

Nothing is rendered again: what goes out a second time is byte for byte what went out first, so that
DingTalk drops it (143106) for anybody who has it after all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from dingbell.clients import CALL_TIMEOUT
from dingbell.domain.after_call import arrives_that_day
from dingbell.domain.lifecycle import Run
from dingbell.domain.priority import Rank
from dingbell.domain.slots import Pace
from dingbell.planning import reservation, waves
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import batches, resends, runs
from dingbell.store.ledger.resends import Broken

__all__ = ["may_resend", "queue_resend"]


def may_resend(slot_at: datetime, in_doubt_since: datetime) -> bool:
    """Whether a resend at a slot certainly arrives on the day the in-doubt call was sent."""
    return arrives_that_day(slot_at, in_doubt_since, arrives_within=CALL_TIMEOUT)


async def queue_resend(
    connection: Connection,
    people: Sequence[Broken],
    default: Pace,
    *,
    not_before: datetime,
    now: datetime,
    actor: str | None = None,
) -> int:
    """Queue people once more, in batches of their own; they are `planned` again.

    Args:
        connection: in a transaction in which `people` were locked.
        people: whom to send to; from `store.ledger.resends`.
        default: the pace of apps and orgs that have none of their own.
        not_before: the first instant allowed.
        now: the present instant.
        actor: who asked for it; None is the engine.

    Returns:
        How many people were queued.
    """
    if not people:
        return 0
    app_ids = sorted({one.app_id for one in people})
    paces = await reservation.paces_of(connection, app_ids, default, lock=True)
    # Canceled or recalled while this waited for the lock: nothing more goes out.
    open_ = await resends.still_open(connection, sorted({one.run_id for one in people}))
    people = [one for one in people if one.run_id in open_]
    if not people:
        return 0
    groups = [_Group.of(part) for part in _by_batch(people)]
    wanted = [
        reservation.Wanted(group.first.app_id, not_before, (len(group.userids),), group.rank)
        for group in groups
    ]
    slots = [
        slot for (slot,) in await reservation.reserve_slots(connection, wanted, paces, now=now)
    ]
    await _book(connection, groups, slots, actor)
    run_ids = sorted({one.run_id for one in people})
    await runs.move(connection, run_ids, Run.SENDING, now, actor=actor, usual=Run.SETTLED)
    return len(people)


@dataclass(frozen=True, slots=True)
class _Group:
    """Those of one batch, who get its body again."""

    first: Broken
    userids: tuple[str, ...]

    @classmethod
    def of(cls, people: Iterable[Broken]) -> _Group:
        found = list(people)
        return cls(found[0], tuple(one.userid for one in found))

    @property
    def rank(self) -> Rank:
        return Rank(self.first.rank)

    def batch(self, ordinal: int, slot_at: datetime, wave: int) -> batches.NewBatch:
        return batches.NewBatch(
            run_id=self.first.run_id,
            ordinal=ordinal,
            app_id=self.first.app_id,
            org=self.first.org,
            body=self.first.body,
            body_hash=self.first.body_hash,
            size=len(self.userids),
            target=None,
            slot_at=slot_at,
            wave=wave,
            rank=self.rank,
            resend_of=self.first.batch_id,
            generation=self.first.generation + 1,
            in_doubt_since=self.first.in_doubt_since,
        )


def _by_batch(people: Sequence[Broken]) -> Iterable[list[Broken]]:
    """People of one batch stay together: they share a body. Those who may have it stay apart."""
    ordered = sorted(people, key=lambda one: (*_doubt(one), one.userid))
    return [list(part) for _, part in groupby(ordered, key=_doubt)]


def _doubt(one: Broken) -> tuple[int, bool]:
    """What people share who are sent to together: their batch, and whether they may have it."""
    return one.batch_id, one.in_doubt_since is not None


async def _book(
    connection: Connection,
    groups: Sequence[_Group],
    slots: Sequence[datetime],
    actor: str | None,
) -> None:
    ordinals = await resends.next_ordinals(
        connection, sorted({group.first.run_id for group in groups})
    )
    cut = await waves.cut(
        connection, [(slot, group.rank) for group, slot in zip(groups, slots, strict=True)]
    )
    new = []
    for group, slot, wave in zip(groups, slots, cut.numbers, strict=True):
        run_id = group.first.run_id
        new.append(group.batch(ordinals[run_id], slot, wave))
        ordinals[run_id] += 1
    ids = await batches.insert(connection, new)
    await resends.hand_over(
        connection,
        [
            (group.first.batch_id, batch_id, list(group.userids))
            for group, batch_id in zip(groups, ids, strict=True)
        ],
        actor=actor,
    )
    await jobs.enqueue(connection, cut.jobs)
