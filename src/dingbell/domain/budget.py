"""Budget: the calls an org may make in a month, and what receipts may cost while they last.

DingTalk's standard edition has 5,000 calls a month since 2025-11-19, the professional one 200,000 a
unit (edition page, read 2026-08); token, sign-in and directory calls are exempt. The edition is not
set by default: calls are counted, and nothing is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dingbell.clock import SHANGHAI

__all__ = [
    "READ_POLLS",
    "Allowance",
    "Usage",
    "end_of_month",
    "month_of",
    "next_month",
    "poll_plan",
]

# When results are looked at again, counted from the call; the last one falls inside the 24 h for
# which DingTalk answers.
READ_POLLS = tuple(
    timedelta(seconds=seconds) for seconds in (30, 120, 600, 1_800, 7_200, 21_600, 43_200, 84_600)
)
_SOME_POLLS = (READ_POLLS[3], READ_POLLS[5], READ_POLLS[7])
_LAST_POLL = READ_POLLS[-1:]
# Above these parts of the month's calls receipts are looked at less often.
_DEAR, _VERY_DEAR = 0.5, 0.8
WARN_AT = 0.8


def month_of(instant: datetime) -> date:
    """The Beijing month of an instant, by its first day."""
    return instant.astimezone(SHANGHAI).date().replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after one."""
    return (month + timedelta(days=32)).replace(day=1)


def end_of_month(instant: datetime) -> datetime:
    """When the Beijing month of an instant ends and the calls are counted anew."""
    first = next_month(month_of(instant))
    return datetime(first.year, first.month, 1, tzinfo=SHANGHAI)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What DingTalk allows where an org does not say otherwise.

    Attributes:
        daily_per_person: notices a person may get from one app on one Beijing day; 500 is
            documented (send page, read 2026-08).
        monthly_calls: of an org whose edition is not set; None counts and holds nothing.
    """

    daily_per_person: int = 500
    monthly_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What an org has spent this month.

    Attributes:
        used: calls that count.
        limit: how many it has; None where its edition is not set.
        hold_bulk_at: from which part of them on bulk runs are held.
    """

    used: int
    limit: int | None
    hold_bulk_at: float | None = None

    @property
    def share(self) -> float:
        """The part that is spent; 0 where the limit is not known."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def holds_bulk(self) -> bool:
        """Whether bulk has to wait for a person or the next month."""
        return (
            self.limit is not None
            and self.hold_bulk_at is not None
            and self.share >= self.hold_bulk_at
        )


def poll_plan(usage: Usage, polls: tuple[timedelta, ...] = READ_POLLS) -> tuple[timedelta, ...]:
    """When results are looked at again, given what is left: never less than once, at the end.

    Args:
        usage: of the org.
        polls: the plan while calls are plentiful.
    """
    if usage.share < _DEAR or len(polls) <= len(_SOME_POLLS):
        return polls
    return _SOME_POLLS if usage.share < _VERY_DEAR else _LAST_POLL
