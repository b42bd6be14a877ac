"""Receipts: what DingTalk's results say about each person of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dingbell.domain.lifecycle import Delivery

__all__ = [
    "DUPLICATE",
    "PACE_CODES",
    "PATIENCE",
    "RESULT_WINDOW",
    "Finding",
    "Judgement",
    "Polled",
    "attribute",
    "judge",
    "merge",
]

# Same content to the same person on the same day (result page, read 2026-08).
DUPLICATE = "143106"
# Too many people in a minute, per app and per org: "retry later" (result page, read 2026-08).
PACE_CODES = frozenset({"143103", "143104"})

# `getsendresult` answers for 24 h (result page, read 2026-08); the last poll falls inside.
RESULT_WINDOW = timedelta(hours=24)
# DingTalk is done but does not name somebody: after this many polls nobody knows.
PATIENCE = 5
# Seconds until the next poll while a batch is not settled, by how often it was polled.
_NOT_DONE = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0, 900.0)

# A person known to have it under one task has it, whatever another task says.
_RANK = {
    Delivery.READ: 0,
    Delivery.UNREAD: 1,
    Delivery.FAILED: 2,
    Delivery.INVALID: 3,
    Delivery.DROPPED: 4,
}

_NOT_DELIVERED = frozenset({Delivery.DROPPED, Delivery.INVALID, Delivery.FAILED, Delivery.CANCELED})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one result says of one person."""

    state: Delivery
    code: str | None = None


def merge(results: Iterable[Mapping[str, Finding]]) -> dict[str, Finding]:
    """Put the results of all tasks of a batch together; the best news of a person holds."""
    merged: dict[str, Finding] = {}
    for result in results:
        for userid, finding in result.items():
            known = merged.get(userid)
            if known is None or _RANK[finding.state] < _RANK[known.state]:
                merged[userid] = finding
    return merged


def attribute(elsewhere: Collection[str], *, lost: bool) -> Finding:
    """Say what a duplicate means for a person of a batch.

    Args:
        elsewhere: states of that person's other deliveries of the same app, body and day.
        lost: whether a call of this batch went out and never came back.

    Returns:
        `dropped` when another one was delivered, or when nothing was lost; `sent` when none of the
        others can have been, so that the in-doubt call has: without a task id it can be neither
        read-tracked nor recalled; `unknown` while another one may have been.
    """
    if not lost or any(Delivery(state).arrived for state in elsewhere):
        return Finding(Delivery.DROPPED, DUPLICATE)
    if _NOT_DELIVERED.issuperset(elsewhere):
        return Finding(Delivery.SENT, DUPLICATE)
    return Finding(Delivery.UNKNOWN, DUPLICATE)


@dataclass(frozen=True, slots=True)
class Polled:
    """A batch, and what a poll found.

    Attributes:
        settled: the batch is settled already: only who has read may change.
        polls: how often it was polled, this time included.
        sent_at: when its call was made.
        coarse: it was sent to departments or everyone: its result names nobody.
        done: DingTalk has finished with it.
        findings: what the result says of people of this batch, duplicates attributed.
        not_before: where the poll was refused for its pace, when another is allowed.
    """

    settled: bool
    polls: int
    sent_at: datetime
    coarse: bool = False
    done: bool = False
    findings: Mapping[str, Finding] = field(default_factory=dict)
    not_before: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether DingTalk answers for it no longer."""
        return now - self.sent_at > RESULT_WINDOW


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a poll changes.

    Attributes:
        receipts: for whom something new is to be written.
        settles: everybody is accounted for now, for the first time.
        next_at: when to poll again; None is never.
    """

    receipts: Mapping[str, Finding]
    settles: bool
    next_at: datetime | None


def judge(
    polled: Polled, people: Mapping[str, str], plan: Sequence[datetime], now: datetime
) -> Judgement:
    """Say what a poll means.

    1. What the result says of people is written where it is new; who is still not named when
       patience or the 24 h are over is `unknown`.
    2. The batch settles once everybody is accounted for.
    3. Until then it is polled on a widening interval; afterwards by the plan, while somebody may
       still read.

    Args:
        polled: the batch and what was found.
        people: the state of everybody of the batch before.
        plan: when a settled batch is polled.
        now: the present instant.
    """
    receipts = _receipts(polled, people, now)
    after = {**people, **{userid: finding.state.value for userid, finding in receipts.items()}}
    settles = not polled.settled and _complete(polled, after, now)
    if polled.settled or settles:
        return Judgement(receipts, settles, _by_plan(polled, after, plan, now))
    pause = _NOT_DONE[min(polled.polls, len(_NOT_DONE)) - 1]
    return Judgement(receipts, settles, polled.not_before or now + timedelta(seconds=pause))


def _receipts(polled: Polled, people: Mapping[str, str], now: datetime) -> dict[str, Finding]:
    """What changes for the people of a batch."""
    found = dict(polled.findings)
    out_of_patience = polled.done and polled.polls >= PATIENCE
    if not polled.settled and (polled.expired(now) or out_of_patience):
        for userid, state in people.items():
            if state == Delivery.SENT and userid not in found:
                found[userid] = Finding(Delivery.UNKNOWN, "no_receipt")
    # A duplicate is written even where its state is not new: its code is.
    return {
        userid: finding
        for userid, finding in found.items()
        if people[userid] != finding.state or finding.code == DUPLICATE
    }


def _complete(polled: Polled, people: Mapping[str, str], now: datetime) -> bool:
    """Whether everybody of the batch is accounted for."""
    if polled.coarse:
        return polled.done or polled.expired(now)
    # Whoever is `planned` is sent to by another call, or again.
    return all(
        userid in polled.findings or state != Delivery.SENT for userid, state in people.items()
    )


def _by_plan(
    polled: Polled, people: Mapping[str, str], plan: Sequence[datetime], now: datetime
) -> datetime | None:
    """When a settled batch is polled again: while somebody may still read, and the plan goes on."""
    if not {Delivery.UNREAD, Delivery.UNKNOWN}.intersection(people.values()):
        return None
    planned = min((at for at in plan if at > now), default=None)
    if planned is None or polled.not_before is None:
        return planned
    return max(planned, polled.not_before)
