"""Solitude: many beside each other, or one alone, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from dingbell.engine.path.planner.solitude import Solitude


async def test_who_is_alone_is_alone_and_those_beside_each_other_are_not() -> None:
    luck = random.Random(1)
    solitude = Solitude()
    inside: list[str] = []
    seen: list[tuple[str, ...]] = []

    async def stay(kind: str, enter: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        async with enter():
            inside.append(kind)
            for _ in range(luck.randint(1, 5)):
                seen.append(tuple(inside))
                await asyncio.sleep(0)
            inside.remove(kind)

    stays = [
        stay("alone", solitude.alone) if number % 4 == 0 else stay("beside", solitude.beside)
        for number in range(200)
    ]
    await asyncio.gather(*stays)

    assert all(now == ("alone",) or "alone" not in now for now in seen)
    assert max(len(now) for now in seen) > 1


async def test_who_gives_up_or_fails_leaves_the_door_open() -> None:
    solitude = Solitude()
    async with solitude.beside():
        waiting = asyncio.ensure_future(_enter(solitude.alone))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await _enter(solitude.beside)
    with pytest.raises(ValueError, match="failed"):
        async with solitude.alone():
            raise ValueError("failed")
    await _enter(solitude.alone)


async def _enter(enter: Callable[[], AbstractAsyncContextManager[None]]) -> None:
    async with asyncio.timeout(5), enter():
        pass
