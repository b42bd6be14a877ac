"""Trouble: why this node cannot do its work right now, as its rooms were told by the database."""

from __future__ import annotations

from dingbell.clock import Clock

__all__ = ["Trouble"]

# What failed is tried again within this time: no more failures mean that the trouble is over.
_FRESH = 15.0


class Trouble:
    """Remembers the last failure for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said = ""
        self._noted_at = float("-inf")

    def note(self, error: Exception) -> None:
        """Note that something failed because of the database."""
        self._said = str(error).partition("\n")[0][:300] or type(error).__name__
        self._noted_at = self._clock.monotonic()

    @property
    def current(self) -> str | None:
        """What failed a moment ago; None when all is well."""
        return self._said if self._clock.monotonic() - self._noted_at < _FRESH else None
