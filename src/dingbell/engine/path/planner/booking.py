"""Booking: drafted runs → batches with slots, deliveries, and what is predicted of them.

Everything here happens in the planner's one transaction, under the locks of the orgs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from typing import Any

from dingbell.domain.batching import Draft, body_hash
from dingbell.domain.day_limit import next_day
from dingbell.domain.forecast import Reason, totals
from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.priority import Rank, rank
from dingbell.engine.node.context import Context
from dingbell.planning import reservation, waves
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import batches, deliveries, forecasts, runs

__all__ = ["Booked", "Drafted", "book"]

# Batches that are written at once.
_BATCHES_AT_ONCE = 4_000
_WHY_NOT_SENT = {
    Reason.DAY_HELD: (Batch.CANCELED, Delivery.CANCELED),
    Reason.DAY_LIMIT: (Batch.CANCELED, Delivery.CANCELED),
    Reason.DENIED: (Batch.CANCELED, Delivery.CANCELED),
    Reason.TOO_LONG: (Batch.FAILED, Delivery.FAILED),
    Reason.TEMPLATE: (Batch.FAILED, Delivery.FAILED),
    Reason.NO_ROW: (Batch.FAILED, Delivery.FAILED),
    Reason.UNKNOWN: (Batch.FAILED, Delivery.INVALID),
}


@dataclass(frozen=True, slots=True)
class Drafted:
    """A run and its drafts.

    Attributes:
        directory_version: of the directory they were made by; None where nobody can join or leave.
        first: the ordinal of the first of them; later ones are of people who have joined.
    """

    run: runs.RunRow
    drafts: list[Draft]
    directory_version: int | None = None
    first: int = 0

    @property
    def sent(self) -> list[Draft]:
        """The drafts that become calls."""
        return [one for one in self.drafts if one.reason is None]

    @property
    def people(self) -> int:
        """How many people the run names."""
        return sum(one.size for one in self.drafts)

    def rank(self, paces: dict[int, reservation.AppPace]) -> Rank:
        """Whose slots it may take."""
        said = self.run.spec.priority
        return rank(said, self.people, paces[self.run.app_id].most_people)


@dataclass(frozen=True, slots=True)
class Booked:
    """A run that has its slots, and what is predicted.

    Attributes:
        begin_at: its first slot; None where there is nothing to send.
        finish_at: its last slot.
        predicted: how many people are expected to end how.
    """

    run: runs.RunRow
    calls: int
    begin_at: datetime | None
    finish_at: datetime | None
    predicted: dict[str, int]
    directory_version: int | None = None

    @property
    def late_by(self) -> timedelta | None:
        """How much later than `finish_by` the last call is; None where it is in time."""
        limit = self.run.spec.finish_by
        if limit is None or self.finish_at is None:
            return None
        late = self.finish_at - (self.run.due_at + limit)
        return late if late > timedelta(0) else None

    def forecast(self) -> dict[str, Any]:
        """What the run keeps."""
        seconds = (self.finish_at - self.run.due_at).total_seconds() if self.finish_at else 0.0
        return {
            "calls": self.calls,
            "seconds": round(max(seconds, 0.0), 3),
            "finish_at": self.finish_at.isoformat() if self.finish_at else None,
            "totals": self.predicted,
        }


async def book(
    connection: Connection,
    context: Context,
    drafted: Sequence[Drafted],
    paces: dict[int, reservation.AppPace],
    now: datetime,
) -> list[Booked]:
    """Write everything a planned run consists of, and the jobs that wake its waves."""
    slots = await _reserve(connection, drafted, paces, now)
    timed = _timed(drafted, slots, paces, now)
    for start in range(0, len(timed), _BATCHES_AT_ONCE):
        await _write(connection, timed[start : start + _BATCHES_AT_ONCE])
    predicted = await forecasts.of_runs(
        connection,
        [entry.run.id for entry in drafted],
        people=sum(entry.people for entry in drafted),
        daily_cap=context.allowance.daily_per_person,
    )
    if predicted:
        await forecasts.mark(connection, predicted)
    reasons: dict[int, list[str]] = {}
    for run_id, _, reason in predicted:
        reasons.setdefault(run_id, []).append(reason)
    return [
        Booked(
            entry.run,
            len(entry.sent),
            min(own, default=None),
            max(own, default=None),
            _expected(entry, reasons.get(entry.run.id, [])),
            entry.directory_version,
        )
        for entry, own in zip(drafted, slots, strict=True)
    ]


def _expected(entry: Drafted, predicted: Sequence[str]) -> dict[str, int]:
    reasons = list(predicted)
    for one in entry.drafts:
        reason = _reason(one)
        if reason is not None:
            reasons += [reason] * one.size
    return totals(reasons, entry.people)


def _reason(one: Draft) -> Reason | None:
    """Why nobody of a draft can be expected to be delivered to."""
    return Reason.UNTRACKED if one.target is not None else one.reason


async def _reserve(
    connection: Connection,
    drafted: Sequence[Drafted],
    paces: dict[int, reservation.AppPace],
    now: datetime,
) -> list[list[datetime]]:
    wanted = [
        reservation.Wanted(
            entry.run.app_id,
            entry.run.due_at,
            tuple(one.size for one in entry.sent),
            entry.rank(paces),
            entry.run.spec.spread or timedelta(0),
        )
        for entry in drafted
    ]
    return await reservation.reserve_slots(connection, wanted, paces, now=now)


@dataclass(frozen=True, slots=True)
class _Timed:
    """A draft with its slot, or without one where it is not sent."""

    slot_at: datetime
    run: runs.RunRow
    ordinal: int
    one: Draft
    rank: Rank

    def batch(self, wave: int) -> batches.NewBatch:
        reason = self.one.reason
        return batches.NewBatch(
            run_id=self.run.id,
            ordinal=self.ordinal,
            app_id=self.run.app_id,
            org=self.run.org,
            body=self.one.body,
            body_hash=body_hash(self.one.body),
            size=self.one.size,
            target=self.one.target,
            slot_at=self.slot_at,
            wave=wave,
            rank=self.rank,
            state=_WHY_NOT_SENT[reason][0] if reason else Batch.QUEUED,
            code=reason.value if reason else None,
            words=self.one.words,
        )


def _timed(
    drafted: Sequence[Drafted],
    slots: list[list[datetime]],
    paces: dict[int, reservation.AppPace],
    now: datetime,
) -> list[_Timed]:
    """All drafts in the order of their slots; what is not sent stands first."""
    found = []
    for entry, own in zip(drafted, slots, strict=True):
        ahead = iter(own)
        place = entry.rank(paces)
        for ordinal, one in enumerate(entry.drafts, entry.first):
            slot_at = _aside_at(entry.run, one.reason, now) if one.reason else next(ahead)
            found.append(_Timed(slot_at, entry.run, ordinal, one, place))
    return sorted(found, key=_place)


def _aside_at(run: runs.RunRow, reason: Reason, now: datetime) -> datetime:
    """Where those stand who are not sent to: who is held for a day, where that day has passed."""
    if reason is Reason.DAY_HELD:
        return next_day(max(run.due_at, now))
    return run.due_at


def _place(item: _Timed) -> tuple[bool, int, str, datetime, int, int]:
    """Where a draft stands: by the second, then by org, so that waves do not share orgs' locks."""
    second = floor(item.slot_at.timestamp())
    run = item.run
    return (
        item.one.reason is None,
        second,
        run.org,
        item.slot_at,
        run.id,
        item.ordinal,
    )


async def _write(connection: Connection, timed: Sequence[_Timed]) -> None:
    """Write some batches, their people and the jobs of their waves; nothing is kept in memory."""
    sent = [item for item in timed if not item.one.reason]
    cut = await waves.cut(connection, [(item.slot_at, item.rank) for item in sent])
    # What is not sent stands first.
    aside = [item.batch(0) for item in timed if item.one.reason]
    new = aside + [item.batch(wave) for item, wave in zip(sent, cut.numbers, strict=True)]
    ids = await batches.insert(connection, new)
    await deliveries.copy(connection, _ledger(timed, ids))
    await jobs.enqueue(connection, cut.jobs)


def _ledger(timed: Sequence[_Timed], ids: list[int]) -> Iterator[deliveries.New]:
    for item, batch_id in zip(timed, ids, strict=True):
        one, run_id = item.one, item.run.id
        state = _WHY_NOT_SENT[one.reason][1] if one.reason else Delivery.PLANNED
        reason = _reason(one)
        if one.target is not None:
            yield run_id, _target(one), batch_id, one.size, state.value, reason
        for userid in one.userids:
            yield run_id, userid, batch_id, 1, state.value, reason


def _target(one: Draft) -> str:
    """The name under which a coarse target stands in the ledger."""
    departments = (one.target or {}).get("departments")
    return f"departments:{','.join(map(str, departments))}" if departments else "everyone"
