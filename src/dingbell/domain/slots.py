"""Slots: the earliest instants at which no window is overfilled.

Pacing is a reservation. A `Window` is one limit over one span of time (5,000 people in 60 s, 20
calls in 1 s) with what already occupies it; `earliest` finds the first instant at which a batch fits
into several windows at once. Instants are epoch seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["CALL_SPAN", "PEOPLE_SPAN", "Load", "Pace", "Window", "reserve"]

# DingTalk counts people per 60 s and calls per 1 s when they arrive; the 50 ms are the spread of
# travel times that may bring two calls nearer to each other than they were sent.
PEOPLE_SPAN = 60.05
CALL_SPAN = 1.05


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an app or an org may send.

    Attributes:
        people_per_minute: DingTalk documents 5,000 (send page, read 2026-08).
        calls_per_second: per app and API; DingTalk documents 20 (quota page, read 2026-08).
    """

    people_per_minute: int = 5_000
    calls_per_second: int = 20


@dataclass(frozen=True, slots=True)
class Load:
    """People and calls that occupy the windows at one instant."""

    at: float
    people: int
    calls: int = 1


class Window:
    """One limit over a sliding half-open span, and the weights that occupy it."""

    def __init__(self, limit: int, span: float, occupied: Iterable[tuple[float, int]] = ()) -> None:
        self.limit = limit
        self.span = span
        self._events = sorted(occupied)
        self._reindex()

    def _reindex(self) -> None:
        self._times = [at for at, _ in self._events]
        self._sums = [0, *accumulate(weight for _, weight in self._events)]

    def add(self, at: float, weight: int) -> None:
        """Occupy the window at an instant."""
        if self._events and at < self._times[-1]:
            insort(self._events, (at, weight))
            self._reindex()
            return
        self._events.append((at, weight))
        self._times.append(at)
        self._sums.append(self._sums[-1] + weight)

    def earliest(self, at: float, weight: int) -> float:
        """The first instant ≥ `at` at which `weight` more overfills no span."""
        if weight > self.limit:
            raise ValueError(f"{weight} never fits into a window of {self.limit}")
        while (blocker := self._last_full_start(at, weight)) is not None:
            at = blocker + self.span
        return at

    def _last_full_start(self, at: float, weight: int) -> float | None:
        """The latest instant from which a span holding `at` has no room for `weight`.

        Every span that holds `at` is covered by one that starts at an event before it, or at the
        first event from `at` on; only those have to be looked at, the latest first.
        """
        first = bisect_right(self._times, at - self.span)
        here = bisect_left(self._times, at)
        if here == len(self._times):
            return self._last_full_start_of_past(first, here, weight)
        if self._sum_from(here, at + self.span) + weight > self.limit:
            return self._times[here]
        for index in range(here - 1, first - 1, -1):
            start = self._times[index]
            if self._sum_from(index, start + self.span) + weight > self.limit:
                return start
        return None

    def _last_full_start_of_past(self, first: int, end: int, weight: int) -> float | None:
        """The same where nothing is reserved later: sums grow towards the past, so bisect."""
        room_from = bisect_left(self._sums, self._sums[end] + weight - self.limit, first, end)
        return self._times[room_from - 1] if room_from > first else None

    def _sum_from(self, index: int, until: float) -> int:
        return self._sums[bisect_left(self._times, until)] - self._sums[index]


def reserve(
    not_before: float,
    batches: Sequence[int],
    *,
    app: Pace,
    org: Pace,
    app_load: Sequence[Load],
    org_load: Sequence[Load],
) -> list[float]:
    """Give every batch its slot, in order.

    Args:
        not_before: the earliest instant allowed, in epoch seconds.
        batches: how many people each batch has.
        app: the pace of the app.
        org: the pace of the org; only its people are limited.
        app_load: what the app has called or promised already.
        org_load: the same for all apps of the org, this one included.

    Returns:
        One instant a batch, never decreasing.
    """
    calls = Window(app.calls_per_second, CALL_SPAN, ((load.at, load.calls) for load in app_load))
    people = (
        Window(app.people_per_minute, PEOPLE_SPAN, ((load.at, load.people) for load in app_load)),
        Window(org.people_per_minute, PEOPLE_SPAN, ((load.at, load.people) for load in org_load)),
    )
    slots: list[float] = []
    at = not_before
    for size in batches:
        at = _fit(at, size, calls, people)
        calls.add(at, 1)
        for window in people:
            window.add(at, size)
        slots.append(at)
    return slots


def _fit(at: float, size: int, calls: Window, people: tuple[Window, ...]) -> float:
    while True:
        later = calls.earliest(at, 1)
        for window in people:
            later = window.earliest(later, size)
        if later == at:
            return at
        at = later
