"""What a simulation says: of every occurrence, day, month, and of the people it burdens most."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from dingbell.errors import Text

__all__ = ["Burdened", "Day", "Expected", "Month", "Outcome", "Simulated"]


class Outcome(StrEnum):
    """What would become of an occurrence."""

    SENT = "sent"
    HELD = "held"
    SKIPPED = "skipped"
    DROPPED = "dropped"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class Expected:
    """One occurrence.

    Attributes:
        schedule: its name.
        due_at: in the zone of its schedule.
        sent_at: when it would be sent; None where it would not, or nobody knows when.
        people: whom its audience names.
        reached: how many of them would get it.
        calls: how many send calls.
        cost: calls of the month, receipts included.
        share: which part of the month's calls that is; None where there is no limit.
        minutes: from the first call to the last.
        dropped: whom DingTalk would drop it for: the same words that day, or its own daily cap.
        over: who has had as many notices that day as `per_person_per_day` allows.
        why: what is to be said of it.
    """

    schedule: str
    due_at: datetime
    sent_at: datetime | None = None
    people: int = 0
    reached: int = 0
    calls: int = 0
    cost: int = 0
    share: float | None = None
    minutes: float = 0.0
    dropped: int = 0
    over: int = 0
    outcome: Outcome = Outcome.SENT
    why: tuple[Text, ...] = ()

    @property
    def reason(self) -> Text | None:
        """Everything that is to be said of it; None where nothing is."""
        if len(self.why) < 2:
            return self.why[0] if self.why else None
        return Text("; ".join(self.why), "; ".join(one.zh for one in self.why))


@dataclass(slots=True)
class Day:
    """One Beijing day.

    Attributes:
        occurrences: how many fall due.
        people: how many notices arrive.
        calls: how many send calls are made.
        cost: calls of the month, receipts included.
        minutes: for how long calls are made.
        dropped: how many notices DingTalk would drop.
        over: how many people are held or left out by `per_person_per_day`.
    """

    day: date
    occurrences: int = 0
    people: int = 0
    calls: int = 0
    cost: int = 0
    minutes: float = 0.0
    dropped: int = 0
    over: int = 0
    share: float | None = None


@dataclass(slots=True)
class Month:
    """An org's calls of one month: what is spent already and what the occurrences will take.

    Attributes:
        calls: receipts included.
        limit: how many the org has; None where its edition is not set.
    """

    month: date
    org: str
    calls: int = 0
    limit: int | None = None

    @property
    def share(self) -> float | None:
        """The part of the limit that is spent."""
        return self.calls / self.limit if self.limit else None


@dataclass(frozen=True, slots=True)
class Burdened:
    """How many notices a person gets.

    Attributes:
        most_a_day: on the day with the most.
        day: that day; the first of several.
        total: altogether.
    """

    org: str
    userid: str
    most_a_day: int
    day: date
    total: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What schedules would do between two days."""

    occurrences: list[Expected] = field(repr=False)
    days: list[Day] = field(repr=False)
    months: list[Month]
    people: list[Burdened]
