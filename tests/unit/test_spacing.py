"""Spacing: what was held up does not go all at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from dingbell.clock import VirtualClock
from dingbell.engine.node.spacing import Spacing

STEP = 0.5


async def _rounds() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_calls_go_a_step_after_the_one_before_however_late_that_was() -> None:
    clock = VirtualClock(datetime(2026, 11, 25, tzinfo=UTC))
    spacing, gone = Spacing(clock), list[tuple[str, float]]()
    begin = clock.monotonic()

    async def call(kind: str) -> None:
        await spacing.turn(kind, STEP)
        gone.append((kind, clock.monotonic() - begin))

    tasks = [asyncio.ensure_future(call(kind)) for kind in ("a", "a", "a", "b")]
    await _rounds()
    # The loop hung for a while: those who waited meanwhile still go one behind the other.
    for seconds in (30, 0.4, 0.1, 10):
        clock.advance(timedelta(seconds=seconds))
        await _rounds()
    await asyncio.gather(*tasks)
    assert gone == [("a", 0), ("b", 0), ("a", 30), ("a", 30.5)]


async def test_who_gives_up_keeps_nobody_waiting() -> None:
    clock = VirtualClock(datetime(2026, 11, 25, tzinfo=UTC))
    spacing = Spacing(clock)
    await spacing.turn("a", STEP)
    waiting = [asyncio.ensure_future(spacing.turn("a", STEP)) for _ in range(2)]
    await _rounds()
    waiting[0].cancel()
    await _rounds()
    clock.advance(timedelta(seconds=STEP))
    await _rounds()
    assert [one.done() for one in waiting] == [True, True]
