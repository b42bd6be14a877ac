"""When the last call of a run is made, if nothing but the simulated runs is sent.

The same two limits as in `slots`: people in any minute, of the app and of its org, and calls in any
second. Here they are filled by as many people as fit at once, not batch by batch.
"""

from __future__ import annotations

from collections import deque

from dingbell.domain.priority import without_reserve
from dingbell.domain.slots import CALL_SPAN, PEOPLE_SPAN, Pace

__all__ = ["Lane", "PeopleWindow"]


class PeopleWindow:
    """The people of the last minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._bulk_limit = without_reserve(Pace(limit)).people_per_minute
        self._held: deque[tuple[float, int]] = deque()
        self._load = 0

    def room(self, at: float, *, bulk: bool) -> int:
        """How many more fit at an instant; instants only grow."""
        held = self._held
        while held and held[0][0] + PEOPLE_SPAN <= at:
            self._load -= held.popleft()[1]
        return (self._bulk_limit if bulk else self.limit) - self._load

    def opens(self) -> float:
        """When the next ones leave the window."""
        return self._held[0][0] + PEOPLE_SPAN

    def add(self, at: float, people: int) -> None:
        """Put people in."""
        self._held.append((at, people))
        self._load += people


class Lane:
    """What the calls of one app have to fit into."""

    def __init__(self, pace: Pace, own: PeopleWindow, of_org: PeopleWindow) -> None:
        self._pace = pace
        self._bulk_pace = without_reserve(pace)
        self._windows = (own, of_org)
        self._call_from = 0.0

    @property
    def most_people(self) -> int:
        """How many people one call may take at most."""
        return min(window.limit for window in self._windows)

    def last_call(self, at: float, people: int, calls: int, *, bulk: bool) -> float:
        """When the last of some calls to some people is made, the first one not before `at`."""
        pace = self._bulk_pace if bulk else self._pace
        per_call = max(people / calls, 1)
        while people > 0:
            room, at = self._room(at, bulk=bulk)
            taken = min(people, room)
            for window in self._windows:
                window.add(at, taken)
            at = self._calls(at, max(round(taken / per_call), 1), pace.calls_per_second)
            people -= taken
        return at

    def _room(self, at: float, *, bulk: bool) -> tuple[int, float]:
        """How many people may be called next, and when."""
        one, other = self._windows
        while True:
            own, of_org = one.room(at, bulk=bulk), other.room(at, bulk=bulk)
            if own > 0 and of_org > 0:
                return min(own, of_org), at
            at = max(one.opens() if own <= 0 else at, other.opens() if of_org <= 0 else at)

    def _calls(self, at: float, calls: int, per_second: int) -> float:
        """When the last of some calls may be made: as many as fit a second at once, then paced."""
        step = CALL_SPAN / per_second
        self._call_from = max(self._call_from, at) + calls * step
        return max(at, self._call_from - CALL_SPAN)
