"""Many schedules, none due: what a node costs while it waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

from baseline import baseline
from crowd import put_apps, put_schedules
from figures import Figure
from options import Options
from processes import Child
from stage import Stage, open_stage

from dingbell.domain.schedule import ScheduleSpec

TITLE = "idle: many schedules, none due"
FLOOR = "a process that has imported aiohttp and asyncpg and listens to PostgreSQL"
REPEAT = 1

_SECONDS = 20.0
_FLOOR_SECONDS = 3.0
_CALM = 3.0
_CHUNK = 10_000


async def measure(options: Options) -> list[Figure]:
    """Statements are counted in PostgreSQL's own log."""
    size = 100_000 if options.full else 10_000
    async with open_stage() as stage:
        await _fill(stage, size)
        async with stage.node() as node:
            await asyncio.sleep(_CALM)
            async with _statements(stage) as statements:
                node_cpu, database_cpu = await _shares(stage, node, _SECONDS)
            resident = node.resident
        order = {"dsn": stage.dsn, "seconds": 120}
        async with baseline("idle", stage.folder, order) as floor:
            await floor.line("ready")
            floor_cpu, _ = await _shares(stage, floor, _FLOOR_SECONDS)
            floor_resident = floor.resident
        options.remarks.extend(stage.complaints())
    options.remarks.extend(_commonest(statements))
    return [
        Figure(f"{size:,}: CPU of the node (% of a core)", node_cpu, floor_cpu),
        Figure(f"{size:,}: CPU of PostgreSQL (% of a core)", database_cpu),
        Figure(f"{size:,}: RSS of the node (MB)", resident, floor_resident),
        Figure(f"{size:,}: statements per second", len(statements) / _SECONDS, 0.0),
    ]


async def _fill(stage: Stage, size: int) -> None:
    """Daily schedules that are due first in some hours."""
    accounts = await put_apps(stage)
    people = await stage.company.people()
    due = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=12)
    template = ScheduleSpec.model_validate(
        {"when": {"daily": "16:00"}, "to": {"users": ["x"]}, "message": {"text": "x"}}
    ).to_dict()
    rows = (
        (
            f"s{number}",
            accounts[0][1],
            template
            | {"to": {"users": [people[number % len(people)]["userid"]]}}
            | {"message": {"text": f"notice {number}"}},
        )
        for number in range(size)
    )
    while part := list(islice(rows, _CHUNK)):
        await put_schedules(stage, part, due.timestamp())


async def _shares(stage: Stage, process: Child, seconds: float) -> tuple[float, float]:
    """Shares of a core, in percent, that the process and PostgreSQL use."""
    began, cpu, database = time.monotonic(), process.cpu, stage.database_cpu()
    await asyncio.sleep(seconds)
    passed = time.monotonic() - began
    return 100 * (process.cpu - cpu) / passed, 100 * (stage.database_cpu() - database) / passed


@asynccontextmanager
async def _statements(stage: Stage) -> AsyncIterator[list[str]]:
    """Collect every statement that the node executes while the context is open."""
    found: list[str] = []
    async with stage.desk.pool.acquire() as connection:
        await connection.execute("alter system set log_statement = 'all'")
        await connection.execute("select pg_reload_conf()")
        await asyncio.sleep(0.2)
        logs = {file: file.stat().st_size for file in _logs(stage)}
        yield found
        for file in _logs(stage):
            found += _executed(file.read_bytes()[logs.get(file, 0) :].decode())
        await connection.execute("alter system reset log_statement")
        await connection.execute("select pg_reload_conf()")


def _logs(stage: Stage) -> list:
    return sorted((stage.folder / "postgres" / "log").glob("*.log"))


def _executed(text: str) -> list[str]:
    """The statements of a log; a statement of several lines is one entry."""
    found: list[str] = []
    for line in text.splitlines():
        if " LOG:  " in line:
            _, _, said = line.partition(" LOG:  ")
            if said.startswith(("execute ", "statement: ")):
                found.append(said.partition(": ")[2])
        elif line.startswith("\t") and found:
            found[-1] += " " + line.strip()
    return found


def _commonest(statements: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    for statement in statements:
        kind = " ".join(statement.split())[:90]
        counts[kind] = counts.get(kind, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])[:8]
    return [f"idle: {count / _SECONDS:.2f}/s {kind}" for kind, count in most]
