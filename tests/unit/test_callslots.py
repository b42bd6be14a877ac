"""Call slots: several at once, in the order of asking, and none is lost."""

from __future__ import annotations

import asyncio

from dingbell.engine.path.sender.concurrency import ConcurrencyLimit


async def _settle() -> None:
    for _ in range(3):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_several_are_taken_together_or_not_at_all() -> None:
    slots = ConcurrencyLimit(3)
    await slots.take(2)
    two = asyncio.ensure_future(slots.take(2))
    await _settle()
    assert not two.done()
    slots.give_back()
    await asyncio.wait_for(two, 1)


async def test_who_asked_first_is_served_first() -> None:
    slots = ConcurrencyLimit(3)
    await slots.take(2)
    large = asyncio.ensure_future(slots.take(3))
    small = asyncio.ensure_future(slots.take(1))
    await _settle()
    assert not large.done()
    assert not small.done(), "one slot is free, but somebody has waited longer"
    slots.give_back(2)
    await asyncio.wait_for(large, 1)
    assert not small.done()
    slots.give_back(3)
    await asyncio.wait_for(small, 1)


async def test_who_gives_up_holds_up_nobody_and_keeps_nothing() -> None:
    slots = ConcurrencyLimit(2)
    await slots.take(1)
    large = asyncio.ensure_future(slots.take(2))
    small = asyncio.ensure_future(slots.take(1))
    await _settle()
    large.cancel()
    await asyncio.wait_for(small, 1)
    slots.give_back(2)
    await asyncio.wait_for(slots.take(2), 1)


async def test_a_turn_that_came_and_was_not_wanted_is_passed_on() -> None:
    slots = ConcurrencyLimit(1)
    await slots.take(1)
    late = asyncio.ensure_future(slots.take(1))
    await _settle()
    slots.give_back()
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    await asyncio.wait_for(slots.take(1), 1)
