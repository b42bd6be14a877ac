"""Gates: whether a run may go on now. Every stage asks here, and nowhere else.

A run passes the gates when it is made (ticker, a person's order), when its hold ends, when it is
planned, and once more when its first batch is claimed. What has changed meanwhile decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dingbell.domain.budget import Usage, end_of_month
from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.duration import format_duration
from dingbell.domain.forecast import DELIVERED
from dingbell.domain.lifecycle import Delivery, Run
from dingbell.domain.misfire import LATE, too_late
from dingbell.domain.priority import Rank
from dingbell.domain.quiet import QuietHours
from dingbell.domain.run import Kind, Occurrence, RunSpec

__all__ = [
    "Decision",
    "Gated",
    "Hold",
    "Proceed",
    "Refuse",
    "Rules",
    "Skip",
    "TurnedAway",
    "decide",
    "is_questionable",
    "state_of",
]

# Money held a run for this long: it is not sent any more, unless its schedule's grace is longer.
_BUDGET_GRACE = timedelta(days=1)
_OVERLAP_RETRY = timedelta(seconds=1)
# Everybody is reached, or sent to as a whole.
_WELL = {DELIVERED, Delivery.UNTRACKED.value}


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for everything.

    Attributes:
        quiet_hours: when nobody is rung, where a run does not say otherwise.
    """

    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class Gated:
    """A run at a gate.

    Attributes:
        since: from when its lateness counts: its due instant, or the slot the pace gave it.
        approved: its schedule's revision, or the order itself, needs no approval or has it.
        released_by: who let it go although something held it; None where nobody did.
        cool_down_until: until when its author may still cancel it.
        held: why it is held, for a run whose hold may end.
        rank: whose slots it may take, where that is known.
        unpublished: the calendar and the year that would have to say whether this is its day, and
            have not been published; None where they have, or nobody minds.
        blocked: an earlier occurrence of its schedule is still being sent.
        caught_up: it was late already when it was made: it follows the others of its schedule.
        expected: how many people are expected to end how; None before it has its slots.
        late_by: how much later than `finish_by` its last call would be.
    """

    kind: Kind
    spec: RunSpec
    due_at: datetime
    since: datetime | None = None
    approved: bool = True
    released_by: str | None = None
    cool_down_until: datetime | None = None
    held: Cause | None = None
    rank: Rank | None = None
    unpublished: tuple[str, int] | None = None
    blocked: bool = False
    caught_up: bool = False
    expected: Mapping[str, int] | None = None
    late_by: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Proceed:
    """It may go on."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It waits until an instant; with None, until a person lets it go."""

    cause: Cause
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Skip:
    """It is not sent: its time has passed, or is not one to ring at."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Refuse:
    """It is not sent, because its author wants it sent whole or not at all."""

    cause: Cause


TurnedAway = Hold | Skip | Refuse
Decision = Proceed | TurnedAway


def state_of(decision: Decision) -> Run:
    """The state in which a run begins of which this was decided."""
    match decision:
        case Hold():
            return Run.HELD
        case Skip():
            return Run.SKIPPED
        case Refuse():
            return Run.REFUSED
        case Proceed():
            return Run.DUE


def decide(run: Gated, now: datetime, rules: Rules, usage: Usage | None = None) -> Decision:
    """Say what becomes of a run.

    1. Whatever is too late is skipped.
    2. What somebody has to approve is held.
    3. What a calendar has to decide that is not published is held, where its author wants that.
    4. What lies in quiet hours is held until they end, or skipped.
    5. What may still be canceled by its author is held so long.
    6. Bulk waits when the month's calls run out.
    7. An occurrence that would overlap an earlier one is skipped, or waits for it.
    8. What would not reach everybody, or not in time, is refused where its author wants that.

    Args:
        run: what asks.
        now: the present instant.
        rules: what holds for everything.
        usage: what its org has spent of the month; None where that is not asked here.
    """
    for gate in (
        _too_late(run, now),
        _unapproved(run),
        _unpublished(run),
        _quiet(run, now, rules),
        _cooling_down(run, now),
        _over_budget(run, now, usage),
        _overlapping(run, now),
        _unwanted(run),
    ):
        if gate is not None:
            return gate
    return Proceed()


def _too_late(run: Gated, now: datetime) -> Decision | None:
    """What a hold has kept back on purpose is not late, except for money or want of an answer."""
    if run.held is not None:
        if run.held.kind is CauseKind.BUDGET:
            occurrence = isinstance(run.spec, Occurrence)
            grace = run.spec.grace if occurrence else _BUDGET_GRACE
            if too_late(run.due_at, now, grace):
                return Skip(Cause(CauseKind.BUDGET_LATE))
        if run.held.kind is CauseKind.AUDIENCE_SOURCE and too_late(run.due_at, now, run.spec.grace):
            return Skip(Cause(CauseKind.AUDIENCE_SOURCE_LATE, run.held.params))
        return None
    if run.since is None:
        return None
    if isinstance(run.spec, Occurrence):
        expires = run.spec.expires_after
        expired = expires is not None and now - run.due_at > expires
        if expired or too_late(run.since, now, run.spec.misfire.grace):
            return Skip(Cause(CauseKind.MISFIRE_GRACE))
    elif too_late(run.since, now, run.spec.grace):
        minutes = int(run.spec.grace.total_seconds() // 60)
        return Skip(Cause(CauseKind.EXPIRED, {"minutes": minutes}))
    return None


def _unapproved(run: Gated) -> Decision | None:
    if run.approved or run.released_by is not None:
        return None
    return Hold(Cause(CauseKind.APPROVAL), None)


def _unpublished(run: Gated) -> Decision | None:
    if run.unpublished is None or run.released_by is not None:
        return None
    calendar, year = run.unpublished
    return Hold(Cause(CauseKind.CALENDAR_UNKNOWN, {"calendar": calendar, "year": year}), None)


def _quiet(run: Gated, now: datetime, rules: Rules) -> Decision | None:
    """What a person has let go rings whenever it is."""
    if run.released_by is not None:
        return None
    hours = run.spec.quiet(rules.quiet_hours)
    ends = hours.end_after(max(run.due_at, now), run.spec.zone) if hours else None
    if hours is None or ends is None:
        return None
    cause = Cause(CauseKind.QUIET_HOURS, {"start": hours.start, "end": hours.end})
    return Skip(cause) if hours.then == "skip" else Hold(cause, ends)


def _cooling_down(run: Gated, now: datetime) -> Decision | None:
    until = run.cool_down_until
    if until is None or until <= now or run.released_by is not None:
        return None
    return Hold(Cause(CauseKind.COOL_DOWN), until)


def _over_budget(run: Gated, now: datetime, usage: Usage | None) -> Decision | None:
    if usage is None or not usage.holds_bulk:
        return None
    if run.rank is not Rank.BULK or run.released_by is not None:
        return None
    return Hold(Cause(CauseKind.BUDGET), end_of_month(now))


def _overlapping(run: Gated, now: datetime) -> Decision | None:
    if not run.blocked or not isinstance(run.spec, Occurrence) or run.spec.overlap == "allow":
        return None
    if run.spec.overlap == "skip" and not run.caught_up:
        return Skip(Cause(CauseKind.OVERLAP))
    return Hold(Cause(CauseKind.OVERLAP), now + _OVERLAP_RETRY)


def _unwanted(run: Gated) -> Decision | None:
    if run.spec.preflight != "refuse" or run.expected is None:
        return None
    if run.late_by is not None:
        return Refuse(Cause(CauseKind.FINISH_LATE, {"late": format_duration(run.late_by)}))
    if run.expected.keys() - _WELL:
        return Refuse(Cause(CauseKind.FORECAST, {"totals": dict(run.expected)}))
    return None


def is_questionable(due_at: datetime, slot_at: datetime, now: datetime) -> bool:
    """Whether a run that is about to begin is late enough to be asked about again."""
    return now - max(due_at, slot_at) > LATE
