"""Where a node's time goes while a herd is sent: samples of its one Python core, by layer."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from asyncio.subprocess import DEVNULL
from collections import Counter
from datetime import UTC, datetime

from baseline import peer_program
from crowd import once, put_apps, put_schedules
from figures import Figure
from options import Options
from stage import Stage, open_stage, reached, until

TITLE = "profile: where the node's time goes while 10,000 notices leave (% of its samples)"
FLOOR = "none; sampled with py-spy, 200 times a second, from the due instant to the last call"
REPEAT = 1

_APPS = 500
_SIZE = 10_000
_PATIENCE = 60.0
# The innermost frame that matches says whose time it was.
_LAYERS = (
    ("HTTP client (aiohttp)", re.compile(r"\((aiohttp|yarl|multidict)/")),
    ("PostgreSQL driver (asyncpg)", re.compile(r"\(asyncpg/")),
    ("queue (PgQueuer)", re.compile(r"\(pgqueuer/")),
    (
        "claims and pace",
        re.compile(r"\(dingbell/(engine/claiming|planning/|store/claims|domain/slots)"),
    ),
    ("outcomes", re.compile(r"\(dingbell/(engine/outcomes|store/)")),
    ("DingTalk's wire", re.compile(r"\(dingbell/dingtalk/")),
    ("sender and calls", re.compile(r"\(dingbell/")),
)


async def measure(options: Options) -> list[Figure]:
    """One herd; the sampler takes a little of the other core."""
    sampler = peer_program("py-spy")
    if sampler is None:
        options.remarks.append("profile: py-spy is not installed: `make bench` does it")
        return []
    async with open_stage(apps=_APPS) as stage:
        accounts = await put_apps(stage)
        async with stage.node(calls_per_address="1000000") as node:
            due = await _herd(stage, accounts)
            await until(due - 0.1)
            file = stage.folder / "samples.txt"
            spy = await asyncio.create_subprocess_exec(
                *(sampler, "record", "--rate", "200", "--duration", "600", "--format", "raw"),
                *("--output", str(file), "--pid", str(node.pid)),
                stdout=DEVNULL,
                stderr=DEVNULL,
            )

            async def all_came() -> bool:
                return await stage.company.count() >= _SIZE

            await reached(all_came, within=_PATIENCE, every=0.25)
            spy.send_signal(signal.SIGINT)
            await spy.wait()
        samples = _by_layer(file.read_text().splitlines())
    total = sum(samples.values())
    return [Figure(f"{layer} (%)", 100 * n / total) for layer, n in samples.most_common()]


async def _herd(stage: Stage, accounts: list[tuple[str, int]]) -> float:
    """Store the schedules; return when they are due."""
    people = [one["userid"] for one in await stage.company.people()]
    due = float(int(time.time()) + 10)
    iso = datetime.fromtimestamp(due, UTC).isoformat()
    rows = [
        (
            f"n{number}",
            accounts[number % _APPS][1],
            once(due, people[number % len(people)], f"n {number} {iso}"),
        )
        for number in range(_SIZE)
    ]
    await put_schedules(stage, rows, due)
    return due


def _by_layer(stacks: list[str]) -> Counter[str]:
    samples: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        samples[_layer(stack.split(";"))] += int(count)
    return samples


def _layer(frames: list[str]) -> str:
    for frame in reversed(frames):
        for name, pattern in _LAYERS:
            if pattern.search(frame):
                return name
    return "event loop and the rest"
