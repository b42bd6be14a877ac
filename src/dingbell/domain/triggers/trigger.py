"""What every rule has in common: the questions a schedule asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from dingbell.domain.calendar.calendar import Calendar
from dingbell.errors import Text

__all__ = ["Trigger", "instants"]


class Trigger(ABC):
    """Gives the next instants of a rule."""

    __slots__ = ()

    @abstractmethod
    def after(self, instant: datetime) -> Iterator[datetime]:
        """The occurrences strictly after `instant`, in UTC, in order."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The form that `parse_trigger` reads."""

    @abstractmethod
    def words(self) -> Text:
        """The rule as a sentence; rules that come due at different instants read differently."""

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """The calendars that decide when it comes due; of most rules none."""
        return ()

    def unknown_year(self, instant: datetime) -> int | None:
        """The year that a calendar does not know yet, and that decided about an occurrence."""
        del instant
        return None

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence after `instant`, or None when there is none."""
        return next(self.after(instant), None)

    def first_due(self, now: datetime, grace: timedelta) -> datetime | None:
        """The occurrence a schedule begins with; None when none comes.

        Args:
            now: when the schedule is made or resumed.
            grace: how late an occurrence may still be sent. What recurs waits for its next one;
                a single instant has no other, so it is still meant when it has just passed.
        """
        return self.next_after(now)


def instants(trigger: Trigger, after: datetime, count: int) -> Iterator[datetime]:
    """The next `count` occurrences after an instant."""
    return islice(trigger.after(after), count)
