"""The rate limit of an address: how many calls one host may make, whatever they are for."""

from __future__ import annotations

from collections import deque

from dingbell.clock import Clock

__all__ = ["CALLS_PER_ADDRESS", "AddressLimiter"]

# Calls from one address in any 20 s, all APIs together (quota page, read 2026-08); the 50 ms are
# the spread of travel times, as for slots.
CALLS_PER_ADDRESS = 10_000
_ADDRESS_SPAN = 20.05
# All that is no send leaves sends one part in so many.
_FOR_SENDS = 5
_SEND = "/asyncsend_v2"


class AddressLimiter:
    """What this process may ask of DingTalk from its address: so many calls in any 20 s.

    An address that makes more is banned for five minutes (quota page, read 2026-08). Sends come
    first: everything else leaves them a part.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._calls: deque[float] = deque()

    async def enter(self, endpoint: str) -> None:
        """Wait for a place, and take it."""
        most = self._most if endpoint.endswith(_SEND) else self._most - self._most // _FOR_SENDS
        while (rest := self._rest(most)) > 0:
            await self._clock.sleep(rest)
        self._calls.append(self._clock.monotonic())

    async def room(self) -> None:
        """Wait until a send would not have to wait."""
        while (rest := self._rest(self._most)) > 0:
            await self._clock.sleep(rest)

    def _rest(self, most: int) -> float:
        """How many seconds until fewer than so many calls lie in the window."""
        now = self._clock.monotonic()
        while self._calls and now - self._calls[0] >= _ADDRESS_SPAN:
            self._calls.popleft()
        if len(self._calls) < most:
            return 0.0
        return self._calls[len(self._calls) - most] + _ADDRESS_SPAN - now
