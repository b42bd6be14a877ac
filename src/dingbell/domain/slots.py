"""Slots: the earliest instants at which no window is overfilled.

Pacing is a reservation. A `Window` is one limit over one span of time (5,000 people in 60 s, 20
calls in 1 s) with what already occupies it; a `Lane` is all the windows that the batches of one app
have to fit into at once. Instants are epoch seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["CALL_SPAN", "PEOPLE_SPAN", "Lane", "Pace", "Window"]

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


class _Steps:
    """Weights by instant, and their sum at any."""

    def __init__(self, weights: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(weights)
        self._times = [at for at, _ in ordered]
        self._sums = [0, *accumulate(weight for _, weight in ordered)]

    def before(self, at: float) -> int:
        """The weight of all instants before one."""
        return self._sums[bisect_left(self._times, at)]

    def up_to(self, at: float) -> int:
        """The weight of all instants up to one."""
        return self._sums[bisect_right(self._times, at)]

    def next(self, at: float) -> float:
        """The first instant after one."""
        return self._times[bisect_right(self._times, at)]


class Window:
    """One limit over a sliding half-open span, and the weights that occupy it.

    A weight occupies an instant, or it is held for a stretch: somewhere in it, nobody knows where.
    What is held counts in every span that reaches into its stretch.

    `_sums[i]` is the weight of the first i instants, less `_carried` from index `_border` on: slots
    are given in order of time, so that the border moves little, and only what it passes is changed.
    """

    def __init__(
        self,
        limit: int,
        span: float,
        occupied: Iterable[tuple[float, int]] = (),
        held: Iterable[tuple[float, float, int]] = (),
    ) -> None:
        """Make a window.

        Args:
            limit: the most that any span may hold.
            span: its length.
            occupied: instants and their weights.
            held: first and last instants of stretches, and their weights.
        """
        self.limit = limit
        self.span = span
        held = [*held]
        self._held_from = _Steps((first - span, weight) for first, _, weight in held)
        self._held_until = _Steps((last + span, weight) for _, last, weight in held)
        weights: dict[float, int] = {}
        for at, weight in occupied:
            weights[at] = weights.get(at, 0) + weight
        self._times = sorted(weights)
        self._sums = [0, *accumulate(weights[at] for at in self._times)]
        self._border = len(self._sums)
        self._carried = 0

    def add(self, at: float, weight: int) -> None:
        """Occupy the window at an instant."""
        here = bisect_left(self._times, at)
        self._move_border(here + 1)
        if here == len(self._times) or self._times[here] != at:
            self._times.insert(here, at)
            self._sums.insert(here + 1, self._sums[here] - self._carried)
        self._carried += weight

    def _move_border(self, index: int) -> None:
        low, high = sorted((self._border, index))
        change = self._carried if index > self._border else -self._carried
        self._sums[low:high] = [total + change for total in self._sums[low:high]]
        self._border = index

    def _load(self, first: int, end: int) -> int:
        """The weight of the instants from index `first` to before `end`."""
        carried = self._carried if first < self._border <= end else 0
        return self._sums[end] - self._sums[first] + carried

    def earliest(self, at: float, weight: int) -> float:
        """The first instant ≥ `at` at which `weight` more overfills no span.

        Raises:
            ValueError: it is more than the limit.
        """
        if weight > self.limit:
            raise ValueError(f"{weight} never fits into a window of {self.limit}")
        while (later := self._after(at, self.limit - weight)) is not None:
            at = later
        return at

    def _after(self, at: float, room: int) -> float | None:
        """Where to look next, as some span that holds `at` has more than `room`; None: none has."""
        room -= self._held_from.before(at) - self._held_until.up_to(at)
        if room < 0:
            return self._held_until.next(at)
        start = self._full_start(at, room)
        return None if start is None else start + self.span

    def _full_start(self, at: float, room: int) -> float | None:
        """An instant whose span holds `at` and has more than `room`, else None.

        Every span that holds `at` is covered by one that starts at `at`, or at an occupied instant
        before it. Where the one from `at` is full, so is that of the first instant it holds, at
        least until that one has left it.
        """
        here = bisect_left(self._times, at)
        if self._load(here, self._end_of_span(at)) > room:
            return self._times[here]
        # Asked by the end of its span, so that rounding cannot make an instant block itself.
        first = bisect_right(self._times, at, hi=here, key=self._span_from)
        found = self._last_full(first, here, room)
        return None if found is None else self._times[found]

    def _last_full(self, first: int, end: int, room: int) -> int | None:
        """The last index in a range from which a span has more than `room`, halving the range."""
        while first < end and self._load(first, self._end_of_span(self._times[end - 1])) > room:
            if end - first == 1:
                return first
            middle = (first + end) // 2
            found = self._last_full(middle, end, room)
            if found is not None:
                return found
            end = middle
        return None

    def _span_from(self, start: float) -> float:
        return start + self.span

    def _end_of_span(self, start: float) -> int:
        """The index of the first instant after the span that starts at an instant."""
        return bisect_left(self._times, start + self.span)


@dataclass(frozen=True, slots=True)
class Lane:
    """All windows that the batches of one app have to fit into; those of its org are shared.

    Attributes:
        calls: the app's window of calls.
        people: the windows of people: the app's and the org's.
    """

    calls: Window
    people: tuple[Window, ...]

    def earliest(self, at: float, size: int) -> float:
        """The first instant ≥ `at` at which a call for so many people overfills no window."""
        while True:
            later = self.calls.earliest(at, 1)
            for window in self.people:
                later = window.earliest(later, size)
            if later == at:
                return at
            at = later

    def add(self, at: float, size: int) -> None:
        """Occupy all windows with one call."""
        self.calls.add(at, 1)
        for window in self.people:
            window.add(at, size)
