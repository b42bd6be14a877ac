"""Health: why this node cannot do its work right now, as its stages were told by the database."""

from __future__ import annotations

import logging

from dingbell.clock import Clock
from dingbell.errors import DatabaseUnavailable
from dingbell.telemetry import Event, log

__all__ = ["Health"]

# What failed is tried again within this time: no more failures mean that the trouble is over.
_FRESH = 15.0


class Health:
    """Tells failures apart, and remembers the last one of the database for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said = ""
        self._noted_at = float("-inf")

    def report(self, error: Exception, stage: str) -> None:
        """Say in the log what failed: the database, or what nobody has predicted.

        Args:
            error: what was raised.
            stage: whose work it was.
        """
        if isinstance(error, DatabaseUnavailable):
            self._said = str(error).partition("\n")[0][:300]
            self._noted_at = self._clock.monotonic()
            log(Event.DATABASE_LOST, level=logging.WARNING, stage=stage, error=repr(error)[:200])
        else:
            log(Event.JOB_FAILED, level=logging.CRITICAL, stage=stage, error=repr(error)[:300])

    @property
    def current(self) -> str | None:
        """What failed a moment ago; None when all is well."""
        return self._said if self._clock.monotonic() - self._noted_at < _FRESH else None
