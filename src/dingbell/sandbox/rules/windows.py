"""A sliding window: how much happened in the last so many seconds."""

from collections import deque


class SlidingWindow:
    """Counts amounts that are strictly younger than the window's length."""

    __slots__ = ("_entries", "_total")

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self._total = 0

    def room(self, now: float, length: float, limit: int) -> int:
        """How much more fits at `now` without overfilling the window."""
        entries = self._entries
        while entries and now - entries[0][0] >= length:
            self._total -= entries.popleft()[1]
        return max(0, limit - self._total)

    def add(self, now: float, amount: int) -> None:
        """Count an amount that arrived at `now`."""
        if not amount:
            return
        entries, later = self._entries, []
        while entries and entries[-1][0] > now:  # its body was slow: it arrived before these
            later.append(entries.pop())
        entries.append((now, amount))
        entries.extend(reversed(later))
        self._total += amount
