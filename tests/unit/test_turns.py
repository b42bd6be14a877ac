"""Turns: a few in each round of the loop, in the order of asking, and nobody is forgotten."""

from __future__ import annotations

import asyncio

from dingbell.engine.path.sender.staggered_start import StaggeredStart


async def _begin(turns: StaggeredStart, begun: list[int], number: int) -> None:
    await turns.take()
    begun.append(number)


async def test_who_comes_alone_does_not_wait() -> None:
    turns = StaggeredStart(2)
    for number in range(3):
        task = asyncio.ensure_future(_begin(turns, [], number))
        await asyncio.sleep(0)
        assert task.done()


async def test_many_begin_a_few_at_a_time_in_order() -> None:
    turns, begun = StaggeredStart(2), list[int]()
    tasks = [asyncio.ensure_future(_begin(turns, begun, number)) for number in range(5)]
    seen = []
    while len(begun) < 5:
        await asyncio.sleep(0)
        seen.append(len(begun))
    assert begun == [0, 1, 2, 3, 4]
    assert max(late - early for early, late in zip([0, *seen], seen, strict=False)) == 2
    await asyncio.gather(*tasks)


async def test_who_gives_up_costs_nobody_a_turn() -> None:
    turns, begun = StaggeredStart(1), list[int]()
    tasks = [asyncio.ensure_future(_begin(turns, begun, number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks, timeout=1)
    assert begun == [0, 2, 3]
