"""Several rules as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import Any

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.triggers.trigger import Trigger
from dingbell.errors import Text

__all__ = ["AnyOf"]

_TINY = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AnyOf(Trigger):
    """Comes due whenever one of several rules does; once where they meet."""

    rules: tuple[Trigger, ...]

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The occurrences of all rules, each once."""
        for found in merge(*(rule.after(instant) for rule in self.rules)):
            if found > instant:
                yield found
                instant = found

    def first_due(self, now: datetime, grace: timedelta) -> datetime | None:
        """The first occurrence of any rule, also one that has just passed."""
        found = (rule.first_due(now, grace) for rule in self.rules)
        return min((one for one in found if one is not None), default=None)

    def unknown_year(self, instant: datetime) -> int | None:
        """The year that a rule would have to know which comes due at an instant."""
        due = [rule for rule in self.rules if rule.next_after(instant - _TINY) == instant]
        years = [rule.unknown_year(instant) for rule in due]
        # A rule that needs no calendar makes the instant sure.
        return None if not years or None in years else years[0]

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """The calendars of all rules."""
        return tuple(one for rule in self.rules for one in rule.calendars)

    def to_dict(self) -> dict[str, Any]:
        """`{"any": [rule, rule]}`."""
        return {"any": [rule.to_dict() for rule in self.rules]}

    def words(self) -> Text:
        """One rule; or another."""
        said = [rule.words() for rule in self.rules]
        return Text("; or ".join(said), "; 或 ".join(one.zh for one in said))
