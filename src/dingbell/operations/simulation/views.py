"""What a simulation says, as JSON has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dingbell.domain.simulation import Burdened, Day, Expected, Month, Simulated
from dingbell.operations.views import LocalInstant, View, Words

__all__ = [
    "SimulatedDay",
    "SimulatedMonth",
    "SimulatedOccurrence",
    "SimulatedPerson",
    "SimulationView",
    "present",
]


@dataclass(frozen=True, slots=True)
class SimulatedOccurrence:
    """One occurrence.

    Attributes:
        due_at: in the zone of its schedule.
        sent_at: when its first call would be made; null where it would not be sent.
        people: whom its audience names.
        reached: how many of them would get it.
        calls: how many send calls.
        share: which part of the month's calls it takes, receipts included.
        minutes: from its first call to its last, at the pace.
        dropped: how many DingTalk would drop it for.
        over: how many have had as many notices that day as `per_person_per_day` allows.
        outcome: sent, held, skipped, dropped, refused or failed.
    """

    schedule: str
    due_at: LocalInstant
    sent_at: LocalInstant | None
    people: int
    reached: int
    calls: int
    share: float | None
    minutes: float
    dropped: int
    over: int
    outcome: str
    reason: Words | None


class SimulatedDay(View):
    """One Beijing day: what falls due, what arrives, and what it takes."""

    day: date
    occurrences: int
    people: int
    calls: int
    share: float | None
    minutes: float
    dropped: int
    over: int


class SimulatedMonth(View):
    """An org's calls of a month, receipts included, and how many it has."""

    month: str
    org: str
    calls: int
    limit: int | None
    share: float | None


class SimulatedPerson(View):
    """How many notices a person gets on the day with the most, and altogether."""

    userid: str
    org: str
    most_a_day: int
    day: date
    total: int


class SimulationView(View):
    """What schedules would do from one day to another.

    Attributes:
        people: the ten who get the most on one day.
    """

    first: date
    last: date
    occurrences: tuple[SimulatedOccurrence, ...]
    days: tuple[SimulatedDay, ...]
    people: tuple[SimulatedPerson, ...]
    budget: tuple[SimulatedMonth, ...]


def present(found: Simulated, first: date, last: date) -> SimulationView:
    """A simulation as it is shown."""
    # Hundreds of thousands of values of our own need no second look.
    return SimulationView.model_construct(
        first=first,
        last=last,
        occurrences=tuple(_occurrence(one) for one in found.occurrences),
        days=tuple(_day(one) for one in found.days),
        people=tuple(_person(one) for one in found.people),
        budget=tuple(_month(one) for one in found.months),
    )


def _occurrence(one: Expected) -> SimulatedOccurrence:
    return SimulatedOccurrence(
        schedule=one.schedule,
        due_at=one.due_at,
        sent_at=one.sent_at,
        people=one.people,
        reached=one.reached,
        calls=one.calls,
        share=_rounded(one.share),
        minutes=round(one.minutes, 2),
        dropped=one.dropped,
        over=one.over,
        outcome=one.outcome.value,
        reason=one.reason,
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)


def _day(one: Day) -> SimulatedDay:
    return SimulatedDay(
        day=one.day,
        occurrences=one.occurrences,
        people=one.people,
        calls=one.calls,
        share=_rounded(one.share),
        minutes=round(one.minutes, 2),
        dropped=one.dropped,
        over=one.over,
    )


def _person(one: Burdened) -> SimulatedPerson:
    return SimulatedPerson(
        userid=one.userid,
        org=one.org,
        most_a_day=one.most_a_day,
        day=one.day,
        total=one.total,
    )


def _month(one: Month) -> SimulatedMonth:
    return SimulatedMonth(
        month=one.month.isoformat()[:7],
        org=one.org,
        calls=one.calls,
        limit=one.limit,
        share=_rounded(one.share),
    )
