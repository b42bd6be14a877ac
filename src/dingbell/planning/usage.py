"""MonthlyUsage: what orgs have spent of their month, as known a moment ago."""

from __future__ import annotations

from collections.abc import Collection

from dingbell.clock import Clock
from dingbell.domain.budget import Allowance, Usage, month_of
from dingbell.store import spending
from dingbell.store.connection import Connection

__all__ = ["MonthlyUsage"]

# Summing up a month is worth it twice a minute, not at every look.
_FRESH_SECONDS = 30.0
_UNLIMITED = Usage(0, None)


class MonthlyUsage:
    """Reads usage, and remembers it for a moment."""

    def __init__(self, clock: Clock, allowance: Allowance) -> None:
        self._clock = clock
        self._allowance = allowance
        self._known: dict[str, tuple[float, Usage]] = {}

    async def usage(self, connection: Connection, orgs: Collection[str]) -> dict[str, Usage]:
        """What each org has spent; an org that is not known has no limit."""
        now = self._clock.monotonic()
        stale = [
            org
            for org in orgs
            if org not in self._known or now - self._known[org][0] > _FRESH_SECONDS
        ]
        if stale:
            found = await spending.usage(
                connection,
                stale,
                month_of(self._clock.now()),
                default_limit=self._allowance.monthly_calls,
                only_limited=True,
            )
            self._known |= {org: (now, found.get(org, _UNLIMITED)) for org in stale}
        return {org: self._known[org][1] for org in orgs}
