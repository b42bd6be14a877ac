"""A calendar: which days are workdays, which are off, and what the holidays are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from dingbell.domain.calendar import festivals

__all__ = ["WEEKEND", "Calendar", "Span"]

# The first and the last day of a holiday.
Span = tuple[date, date]
WEEKEND = frozenset({5, 6})
# Several holidays may meet in one day; this stands between their names.
_BETWEEN = "、"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """The days of one calendar; what it does not list follows the weekend.

    Attributes:
        name: `cn` for the statutory one, `none` for weekends alone, else the company's own.
        off: days off, and the name of each holiday, which may be empty.
        work: workdays that the weekend would make days off.
        weekend: weekdays that are off, from 0 for Monday.
        years: the years that have been published; None where nobody has to publish any.
        lawful: whether a year that is not published has the festivals on their own days.
    """

    name: str
    off: Mapping[date, str] = field(default_factory=dict)
    work: Mapping[date, str] = field(default_factory=dict)
    weekend: frozenset[int] = WEEKEND
    years: frozenset[int] | None = None
    lawful: bool = False

    def is_workday(self, day: date) -> bool:
        """Whether people work on a day."""
        if day in self.off:
            return False
        return day in self.work or day.weekday() not in self.weekend

    def knows(self, year: int) -> bool:
        """Whether the days of a year have been published."""
        return self.years is None or year in self.years

    def holidays(self, day: date) -> tuple[str, ...]:
        """The names of the holidays that a day off belongs to."""
        named = self.off.get(day)
        return tuple(named.split(_BETWEEN)) if named else ()

    def is_within(self, day: date, name: str) -> bool:
        """Whether a day lies in a holiday of a name, weekends in it included."""
        for first, last in self.spans(name, day.year):
            if first <= day:
                if day <= last:
                    return True
            elif first.year > day.year:
                break
        return False

    @property
    def names(self) -> frozenset[str]:
        """The names of all its holidays."""
        own = {name for name, _ in self._spans}
        return frozenset(own | festivals.NAMES.keys() if self.lawful else own)

    def spans(self, name: str, year: int) -> Iterator[Span]:
        """The holidays of a name from those that end in a year on, as long as the law knows them.

        In a year that is not published a festival is its own days, without those around it.
        """
        for one in range(year, festivals.LAST_YEAR + 1):
            found = self._spans.get((name, one))
            if found is not None:
                yield from found
            elif self.lawful and not self.knows(one):
                lawful = festivals.days(name, one)
                if lawful is not None:
                    yield lawful

    def next_workday(self, day: date, steps: int = 1) -> date | None:
        """The nth workday after a day, or with -1 the one before; None where there is none."""
        step = _DAY if steps > 0 else -_DAY
        left = abs(steps)
        for _ in range(_MOST_DAYS_OFF + 7 * left):
            day += step
            left -= self.is_workday(day)
            if not left:
                return day
        return None

    @cached_property
    def _spans(self) -> dict[tuple[str, int], list[Span]]:
        """Every holiday, by name and by the year in which it ends.

        Days of one name are one holiday where only days off lie between them.
        """
        found: dict[str, list[Span]] = {}
        for day in sorted(self.off):
            for name in self.holidays(day):
                known = found.setdefault(name, [])
                if known and self._meet(known[-1][1], day):
                    known[-1] = (known[-1][0], day)
                else:
                    known.append((day, day))
        by_year: dict[tuple[str, int], list[Span]] = {}
        for name, spans in found.items():
            for first, last in spans:
                by_year.setdefault((name, last.year), []).append((first, last))
        return by_year

    def _meet(self, before: date, after: date) -> bool:
        between = (after - before).days
        return between < _MOST_DAYS_OFF and not any(
            self.is_workday(before + _DAY * passed) for passed in range(1, between)
        )


# A factory rests no longer than this at a time.
_MOST_DAYS_OFF = 400
