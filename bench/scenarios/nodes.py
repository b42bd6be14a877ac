"""Two nodes against one: a herd whose answers take long, so that calls in flight are the limit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from crowd import once, put_apps, put_schedules
from figures import Figure
from options import Options
from stage import open_stage, reached

TITLE = "nodes: two against one, one-person schedules of 500 apps due at one instant"
FLOOR = "one node, in the same run; one keeps 500 calls in flight, however long answers take"
REPEAT = 1

_APPS = 500
_SIZE = 5_000
_DELAY = 1.0
_PATIENCE = 60.0


async def measure(options: Options) -> list[Figure]:
    """One after the other, each on a database of its own."""
    one = await _last_call(1, options)
    two = await _last_call(2, options)
    name = f"{_SIZE:,}, {_DELAY:.0f} s answers"
    return [Figure(f"{name}: last call of two nodes after (s)", two, one)]


async def _last_call(nodes: int, options: Options) -> float:
    async with open_stage(apps=_APPS) as stage, AsyncExitStack() as running:
        accounts = await put_apps(stage)
        await asyncio.gather(
            *(
                running.enter_async_context(stage.node(calls_per_address="1000000"))
                for _ in range(nodes)
            )
        )
        await stage.company.begin(delay=_DELAY)
        people = [one["userid"] for one in await stage.company.people()]
        due = float(int(time.time()) + 8)
        iso = datetime.fromtimestamp(due, UTC).isoformat()
        rows = [
            (f"n{number}", accounts[number % _APPS][1], once(due, person, f"n {number} {iso}"))
            for number, person in zip(
                range(_SIZE), people * (_SIZE // len(people) + 1), strict=False
            )
        ]
        await put_schedules(stage, rows, due)

        async def all_came() -> bool:
            return await stage.company.count() >= _SIZE

        await reached(all_came, within=_PATIENCE, every=0.25)
        calls = await stage.company.calls()
        twice = [text for text, count in Counter(call.text for call in calls).items() if count > 1]
        if twice or len(calls) != _SIZE:
            options.wrong.append(f"nodes: {len(calls)} calls of {_SIZE}, {len(twice)} twice")
        options.remarks.extend(stage.complaints())
        return max(call.lateness for call in calls)
