"""After a call: how it ended, and what becomes of its batch. Nothing here reads or writes.

DingTalk has no idempotency key, but it drops an identical body to the same person on the same
Beijing day (143106, send and result pages, read 2026-08). So the bytes of a call in doubt may go
out again that day; the tracker attributes who was reached by it, who comes back as a duplicate.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from dingbell.clock import beijing_day
from dingbell.domain.lifecycle import Batch
from dingbell.domain.priority import Rank

__all__ = [
    "MOST_ATTEMPTS",
    "MOST_LOST",
    "POLL_AFTER",
    "Accept",
    "Called",
    "Decision",
    "GiveUp",
    "InDoubt",
    "Known",
    "Next",
    "SendLater",
    "Verdict",
    "after_call",
    "after_loss",
    "arrives_that_day",
]

# DingTalk publishes no figure; clients in the field see results after about a second.
POLL_AFTER = timedelta(seconds=1.5)
# A batch that was put off this often is given up.
MOST_ATTEMPTS = 200
# Seconds before a lost batch is sent again, by how often it was lost.
_BACKOFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)
# A batch that was lost more often is given up.
MOST_LOST = len(_BACKOFF)
# Room for clocks that differ and for DingTalk's own delay.
_MARGIN = timedelta(seconds=30)


class Next(Enum):
    """What a call's end asks for."""

    ACCEPTED = "accepted"
    LATER = "later"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a call ended.

    Attributes:
        next: what that asks for.
        outcome: what the call row says: accepted, refused, lost or not_sent.
        answered_at: when.
        task_id: DingTalk's id, where it was accepted.
        code: DingTalk's code, where it was not.
        after: how long to wait before the next attempt.
        pause: for how long the app, or all apps behind this address, stop.
        pause_address: whether all apps behind the address stop.
    """

    next: Next
    outcome: str
    answered_at: datetime
    task_id: int | None = None
    code: str | None = None
    after: timedelta = timedelta(0)
    pause: timedelta | None = None
    pause_address: bool = False
    level: int = logging.INFO


@dataclass(frozen=True, slots=True)
class Called:
    """A batch whose call has ended, as it was claimed.

    Attributes:
        attempt: which attempt the call was, from 1.
        sent_at: when the call was made.
        coarse: DingTalk expands its recipients, so that a duplicate shows on nobody.
        on_ambiguous: what its run wants after an in-doubt call: `resend` or `hold`.
        in_doubt_since: when the call was made that was lost first, before this one.
    """

    id: int
    run_id: int
    attempt: int
    sent_at: datetime
    coarse: bool
    on_ambiguous: str
    rank: Rank
    in_doubt_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables say of a batch once its call is written.

    Attributes:
        times_in_doubt: how many of its calls were lost, this one included.
        on_its_way: its run may still be sent: nobody has canceled it.
    """

    times_in_doubt: int = 0
    on_its_way: bool = True


@dataclass(frozen=True, slots=True)
class Accept:
    """DingTalk took it: its result is asked for from an instant on."""

    poll_at: datetime


@dataclass(frozen=True, slots=True)
class SendLater:
    """It certainly was not sent, and goes out at a later slot."""

    slot_at: datetime


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It may have been sent, and goes out again with the same bytes."""

    slot_at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is not sent any more, and ends in a state."""

    state: Batch


Decision = Accept | SendLater | InDoubt | GiveUp


def after_call(
    batch: Called, verdict: Verdict, known: Known, now: datetime, *, arrives_within: timedelta
) -> Decision:
    """Say what becomes of a batch.

    1. What was accepted is asked about a moment later.
    2. What was lost is sent again, or left to a person: see `after_loss`.
    3. What certainly was not sent waits for as long as DingTalk, or the network, asks.
    4. Everything else ends; as `unknown` where an earlier call was lost.

    Args:
        batch: whose call ended.
        verdict: how.
        known: what the tables say.
        now: the present instant.
        arrives_within: how long after its slot a call may still reach DingTalk.
    """
    if verdict.next is Next.ACCEPTED:
        return Accept(verdict.answered_at + POLL_AFTER)
    if verdict.next is Next.IN_DOUBT:
        return after_loss(batch, known, now, arrives_within=arrives_within)
    end = Batch.FAILED
    if verdict.next is Next.LATER and batch.attempt < MOST_ATTEMPTS:
        if known.on_its_way:
            return SendLater(now + verdict.after)
        end = Batch.CANCELED
    doubtful = batch.in_doubt_since is not None or known.times_in_doubt > 0
    return GiveUp(Batch.UNKNOWN if doubtful else end)


def after_loss(
    batch: Called, known: Known, now: datetime, *, arrives_within: timedelta
) -> InDoubt | GiveUp:
    """Say whether a lost batch is sent again; else a person decides. See `after_call`.

    The duplicate rule covers the Beijing day on which the call was *sent*, however late its loss
    is noticed.
    """
    place = min(max(known.times_in_doubt, 1), MOST_LOST) - 1
    slot_at = now + timedelta(seconds=_BACKOFF[place])
    again = (
        batch.on_ambiguous == "resend"
        and not batch.coarse
        and known.times_in_doubt <= MOST_LOST
        and arrives_that_day(slot_at, batch.sent_at, arrives_within=arrives_within)
        and known.on_its_way
    )
    return InDoubt(slot_at) if again else GiveUp(Batch.UNKNOWN)


def arrives_that_day(
    slot_at: datetime, in_doubt_since: datetime, *, arrives_within: timedelta
) -> bool:
    """Whether a call at a slot certainly arrives on the Beijing day of an earlier, lost one."""
    return slot_at + arrives_within + _MARGIN < beijing_day(in_doubt_since) + timedelta(days=1)
