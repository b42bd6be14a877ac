"""Spacing: calls that follow one another at a distance, however late and however many they are."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from dingbell.clock import Clock

__all__ = ["Spacing"]


class _Lane:
    """Calls of one kind, one behind the other."""

    __slots__ = ("next_at", "order")

    def __init__(self) -> None:
        self.order = asyncio.Lock()
        self.next_at = 0.0


class Spacing:
    """Lets calls of one kind go in the order of asking, each a step after the one before.

    The step is counted from the instant at which the one before really went: what a busy loop or
    an outage held up does not go all at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lanes: dict[Hashable, _Lane] = {}

    async def turn(self, kind: Hashable, step: float) -> None:
        """Wait for a turn.

        Args:
            kind: whose calls are spaced, such as an app and an API.
            step: seconds until the next of this kind may go.
        """
        lane = self._lanes.setdefault(kind, _Lane())
        async with lane.order:
            await self._clock.sleep(lane.next_at - self._clock.monotonic())
            lane.next_at = self._clock.monotonic() + step
