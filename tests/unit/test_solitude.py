"""Solitude: many beside each other, or one alone, and nobody is forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest

from dingbell.clock import VirtualClock
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


async def test_who_is_alone_awhile_is_alone_and_then_lets_others_in() -> None:
    clock, solitude = _clock(), Solitude()
    inside: list[str] = []
    done = asyncio.Event()
    long = asyncio.ensure_future(
        _stay(inside, "long", solitude.alone_awhile(10, clock), done)  # it stays to the end
    )
    await _rounds()
    others = [
        asyncio.ensure_future(_stay(inside, "beside", solitude.beside(), done)),
        asyncio.ensure_future(_stay(inside, "next", solitude.alone_awhile(10, clock), done)),
    ]
    await _rounds()
    assert inside == ["long"]
    clock.advance(timedelta(seconds=10))
    await _rounds()
    assert inside == ["long", "beside"]
    clock.advance(timedelta(seconds=10))
    await _rounds()
    assert inside == ["long", "beside", "next"]
    done.set()
    await asyncio.gather(long, *others)
    await _enter(solitude.alone)


async def test_who_is_alone_awhile_and_leaves_early_or_gives_up_opens_the_door_once() -> None:
    clock, solitude, luck = _clock(), Solitude(), random.Random(2)
    kinds: list[str] = []
    seen: list[tuple[str, ...]] = []

    async def stay(kind: str, enter: AbstractAsyncContextManager[None]) -> None:
        async with enter:
            kinds.append(kind)
            try:
                for _ in range(luck.randint(0, 3)):
                    seen.append(tuple(kinds))
                    await asyncio.sleep(0)
            finally:
                kinds.remove(kind)

    tasks = [
        asyncio.ensure_future(
            stay("alone", solitude.alone_awhile(10, clock))
            if number % 3 == 0
            else stay("beside", solitude.beside())
        )
        for number in range(200)
    ]
    for task in luck.sample(tasks, 50):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait(tasks, timeout=5)
    clock.advance(timedelta(minutes=1))
    await _rounds()

    assert all(now == ("alone",) or "alone" not in now for now in seen)
    assert max(len(now) for now in seen) > 1
    await _enter(solitude.alone)
    await _enter(solitude.beside)


def _clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 11, 25, tzinfo=UTC))


async def _stay(
    inside: list[str], name: str, enter: AbstractAsyncContextManager[None], done: asyncio.Event
) -> None:
    async with enter:
        inside.append(name)
        await done.wait()


async def _rounds() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def _enter(enter: Callable[[], AbstractAsyncContextManager[None]]) -> None:
    async with asyncio.timeout(5), enter():
        pass
