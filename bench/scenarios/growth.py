"""What finding due schedules costs, as the number of stored ones grows."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median

from crowd import put_apps, put_schedules
from figures import Figure
from options import Options
from stage import Stage, open_stage

from dingbell.domain.schedule import ScheduleSpec
from dingbell.store import schedules
from dingbell.store.connection import Connection

TITLE = "growth: finding what is due among so many schedules"
FLOOR = "the same among 1,000 schedules"
REPEAT = 1

_SIZES = (1_000, 10_000, 100_000)
_MOST = 1_000_000
_DUE = (0, 100)
_CHUNK = 20_000
_SAMPLES = 50


async def measure(options: Options) -> list[Figure]:
    """The ticker's own two questions, on a connection of their own."""
    sizes = (*_SIZES, _MOST) if options.full else _SIZES
    figures: list[Figure] = []
    floors: dict[str, float] = {}
    async with open_stage() as stage:
        accounts = await put_apps(stage)
        stored = 0
        for size in sizes:
            await _fill(stage, accounts[0][1], stored, size)
            stored = size
            for name, milliseconds in (await _ask(stage)).items():
                floor = floors.setdefault(name, milliseconds)
                figures.append(Figure(f"{size:,}: {name} (ms)", milliseconds, floor))
    return figures


async def _fill(stage: Stage, app_id: int, stored: int, size: int) -> None:
    """Daily schedules; the first hundred are due in an hour, all others tomorrow."""
    spec = ScheduleSpec.model_validate(
        {"when": {"daily": "16:00"}, "to": {"users": ["x"]}, "message": {"text": "x"}}
    ).to_dict()
    rows = ((f"s{number}", app_id, spec) for number in range(stored, size))
    if stored == 0:
        soon = datetime.now(UTC) + timedelta(hours=1)
        await put_schedules(stage, list(islice(rows, max(_DUE))), soon.timestamp())
    later = datetime.now(UTC) + timedelta(days=1)
    while part := list(islice(rows, _CHUNK)):
        await put_schedules(stage, part, later.timestamp())
    async with stage.desk.pool.acquire() as connection:
        await connection.execute("analyze schedules")


async def _ask(stage: Stage) -> dict[str, float]:
    """Milliseconds for each question, the median of many."""
    now = datetime.now(UTC)

    async def next_wake(connection: Connection) -> object:
        return await schedules.next_wake(connection, [])

    def claim(at: datetime) -> Callable[[Connection], Awaitable[object]]:
        async def ask(connection: Connection) -> object:
            return await schedules.claim_due(connection, now=at, functions=[], limit=1_000)

        return ask

    questions = {
        "when is the next one due": next_wake,
        "take what is due, none": claim(now),
        f"take what is due, {max(_DUE)}": claim(now + timedelta(hours=2)),
    }
    async with stage.desk.pool.acquire() as connection:
        return {name: await _median(connection, ask) for name, ask in questions.items()}


async def _median(connection: Connection, ask: Callable[[Connection], Awaitable[object]]) -> float:
    seconds = []
    for _ in range(_SAMPLES):
        transaction = connection.transaction()
        await transaction.start()
        began = time.perf_counter()
        await ask(connection)
        seconds.append(time.perf_counter() - began)
        await transaction.rollback()
    return 1_000 * median(seconds)
