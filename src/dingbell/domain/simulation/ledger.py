"""What has been sent so far while a year is walked through: who got what today, and the sums."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from heapq import nsmallest

from dingbell.domain.budget import Usage
from dingbell.domain.day_limit import Limits
from dingbell.domain.simulation.crowd import Crowd, Tally
from dingbell.domain.simulation.outcome import Burdened, Day, Expected, Month

__all__ = ["Sums", "Today"]

_MOST_BURDENED = 10


class Today:
    """What has been sent on one Beijing day."""

    def __init__(self, day: date) -> None:
        self.day = day
        self.month = day.replace(day=1)
        self.everybody = Tally()
        self._apps: dict[str, Tally] = {}
        self._schedules: dict[str, Tally] = {}
        self._said: dict[tuple[str, bytes], int] = {}
        self._sends: dict[str, int] = {}

    def over(self, limits: Limits, app: str, schedule: str) -> int:
        """Who has had as many notices as some limit allows."""
        found = 0
        if limits.everywhere is not None:
            found |= self.everybody.at_least(limits.everywhere)
        if limits.app is not None and app in self._apps:
            found |= self._apps[app].at_least(limits.app)
        if limits.schedule is not None and schedule in self._schedules:
            found |= self._schedules[schedule].at_least(limits.schedule)
        return found

    def heard(self, app: str, words: bytes | None) -> int:
        """Who has had these words from this app."""
        return 0 if words is None else self._said.get((app, words), 0)

    def at_cap(self, app: str, cap: int) -> int:
        """Who gets nothing more from this app."""
        return self._apps[app].at_least(cap) if self._sends.get(app, 0) >= cap else 0

    def add(self, who: int, app: str, words: bytes | None, schedule: str | None) -> None:
        """Some people get a notice; the schedule is named where its own limit counts it."""
        self.everybody.add(who)
        self._apps.setdefault(app, Tally()).add(who)
        self._sends[app] = self._sends.get(app, 0) + 1
        if schedule is not None:
            self._schedules.setdefault(schedule, Tally()).add(who)
        if words is not None:
            self._said[app, words] = self._said.get((app, words), 0) | who


class Sums:
    """Days, months, and what everybody gets."""

    def __init__(self, first: date, last: date, usage: Mapping[str, Usage]) -> None:
        self._usage = usage
        self._last = last
        self._days = {
            first + timedelta(days=count): Day(first + timedelta(days=count))
            for count in range((last - first).days + 1)
        }
        self._tallies: dict[date, Tally] = {}
        self._months: dict[tuple[date, str], Month] = {}

    def month(self, month: date, org: str, *, spent_in: date | None) -> Month:
        """An org's month; what it has spent already is in the one that has begun."""
        found = self._months.get((month, org))
        if found is None:
            usage = self._usage.get(org, Usage(0, None))
            used = usage.used if month == spent_in else 0
            found = self._months[month, org] = Month(month, org, used, usage.limit)
        return found

    def due(self, on: date) -> None:
        """An occurrence falls due."""
        if (day := self._days.get(on)) is not None:
            day.occurrences += 1

    def sent(self, today: Today, one: Expected) -> None:
        """A notice has been sent; what lies after the last day is not counted."""
        day = self._days.get(today.day)
        if day is None:
            return
        self._tallies[today.day] = today.everybody
        day.people += one.reached
        day.calls += one.calls
        day.cost += one.cost
        day.minutes += one.minutes
        day.dropped += one.dropped
        day.over += one.over
        if one.share is not None:
            day.share = (day.share or 0.0) + one.share

    def days(self) -> list[Day]:
        """Every day, in order."""
        return list(self._days.values())

    def months(self) -> list[Month]:
        """Every month of every org in which something is sent, in order."""
        return [self._months[key] for key in sorted(self._months) if key[0] <= self._last]

    def burdened(self, crowd: Crowd) -> list[Burdened]:
        """Those who get the most on one day, and altogether."""
        most, total = Tally(), Tally()
        for tally in self._tallies.values():
            most, total = most.larger(tally), total.joined(tally)
        people = len(crowd)
        highest, sums = most.counts(people), total.counts(people)
        members = crowd.members()
        first = nsmallest(
            _MOST_BURDENED,
            (place for place in range(people) if highest[place]),
            key=lambda place: (-highest[place], -sums[place], members[place]),
        )
        return [
            Burdened(*members[place], highest[place], self._day_of(place, most), sums[place])
            for place in first
        ]

    def _day_of(self, place: int, most: Tally) -> date:
        """The first day on which a person gets the most."""
        wanted = most.of(place)
        return next(
            day for day, tally in sorted(self._tallies.items()) if tally.of(place) == wanted
        )
