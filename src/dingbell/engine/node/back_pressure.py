"""BackPressure: whether this node has sends to make, so that looks can let them pass."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["BackPressure"]

# However busy sends are, polls go on after so long.
_PATIENCE = 10.0


class BackPressure:
    """Counts the batches that are being claimed and called."""

    def __init__(self) -> None:
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Say that something is being sent."""
        self._under_way += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                self._quiet.set()

    async def quiet(self) -> None:
        """Wait until nothing is being sent, or for some seconds."""
        try:
            await asyncio.wait_for(self._quiet.wait(), _PATIENCE)
        except TimeoutError:
            return
