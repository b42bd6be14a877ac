"""Solitude: much is done side by side, and what is under suspicion quite alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dingbell.clock import Clock

__all__ = ["Solitude"]


class Solitude:
    """Lets in many who do not mind each other, or one who is alone, in the order of asking."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Be inside with others."""
        async with self._door:
            self._enter()
        try:
            yield
        finally:
            self._leave()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Be inside alone: wait until everybody has left, and let nobody in."""
        async with self._door:
            await self._empty.wait()
            yield

    @asynccontextmanager
    async def alone_awhile(self, seconds: float, clock: Clock) -> AsyncIterator[None]:
        """Be inside alone at the beginning, as far as that can be had.

        Those who are inside are waited for so many seconds and no longer, and so many seconds
        after it began others are let in: neither who stays long keeps the door closed.
        """
        await self._door.acquire()
        opening: asyncio.Task[None] | None = None
        try:
            await self._wait_at_most(seconds, clock)
            self._enter()
            opening = asyncio.create_task(self._open_after(seconds, clock))
            try:
                yield
            finally:
                self._leave()
        finally:
            if opening is None or not opening.done():
                self._door.release()
                if opening is not None:
                    opening.cancel()

    async def _wait_at_most(self, seconds: float, clock: Clock) -> None:
        waits = (self._empty.wait(), clock.sleep(seconds))
        tasks = [asyncio.ensure_future(one) for one in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _open_after(self, seconds: float, clock: Clock) -> None:
        await clock.sleep(seconds)
        self._door.release()

    def _enter(self) -> None:
        self._inside += 1
        self._empty.clear()

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            self._empty.set()
