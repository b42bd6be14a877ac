"""The calls of one address."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from dingbell.clients.rate_limit import AddressLimiter
from dingbell.clock import VirtualClock

SEND = "/topapi/message/corpconversation/asyncsend_v2"
LOOK = "/topapi/message/corpconversation/getsendresult"


def opened(most: int) -> tuple[VirtualClock, AddressLimiter]:
    clock = VirtualClock(datetime(2026, 11, 24, tzinfo=UTC))
    return clock, AddressLimiter(clock, most)


async def entered(address: AddressLimiter, endpoint: str, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(address.enter(endpoint)) for _ in range(count)]
    for _ in range(count + 2):
        await asyncio.sleep(0)
    return tasks


async def test_what_exceeds_the_window_waits_until_the_oldest_has_left_it() -> None:
    clock, address = opened(10)
    tasks = await entered(address, SEND, 12)
    assert sum(task.done() for task in tasks) == 10
    clock.advance(timedelta(seconds=20))
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == 10
    clock.advance(timedelta(seconds=0.1))
    await asyncio.gather(*tasks)


async def test_looks_leave_a_part_to_sends() -> None:
    _, address = opened(10)
    polls = await entered(address, LOOK, 10)
    assert sum(task.done() for task in polls) == 8
    sends = await entered(address, SEND, 3)
    assert sum(task.done() for task in sends) == 2
    for task in (*polls, *sends):
        task.cancel()


async def test_a_claim_waits_for_room_and_takes_none() -> None:
    clock, address = opened(2)
    await address.room()
    await entered(address, SEND, 2)
    waiting = asyncio.ensure_future(address.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(timedelta(seconds=21))
    await waiting
    assert all(task.done() for task in await entered(address, SEND, 2))
