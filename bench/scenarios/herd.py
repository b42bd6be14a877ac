"""Thousands of one-person schedules of 500 apps, each its own org, due at one instant."""

from __future__ import annotations

import math
import time
from collections import Counter
from datetime import UTC, datetime

from baseline import redis, run_baseline, run_peer, sending
from company import Call
from crowd import once, put_apps, put_schedules
from figures import Figure
from options import Options
from stage import Stage, open_stage, reached, until

TITLE = "herd: one-person schedules of 500 apps due at one instant"
FLOOR = (
    "raw aiohttp loop, 300 calls in flight, tokens and bodies ready, nothing kept; the herd with "
    "0 ms is the first of a new node (few connections open), the one with 80 ms its second, and "
    "the floor likewise"
)
PEERS = {
    "APScheduler": "3.11, AsyncIOScheduler with a job store in the same PostgreSQL, aiohttp, the "
    "same 300 calls in flight; it deletes a job before it is run, so that a crash loses it",
    "Celery": "with Redis (append-only file, fsync every second), ETA tasks, acks_late; only where "
    "redis-server is installed",
}
REPEAT = 3

_APPS = 500
_DELAYS = (0.0, 0.08)
_SETTLE = 30.0
# A peer has to have stored its jobs before they are due.
_STORED_BEFORE = 8.0
_STORED_A_SECOND = 400


async def measure(options: Options) -> list[Figure]:
    """Both answer times on one node, which is stopped before the floor runs."""
    figures: list[Figure] = []
    for size in (1_000, 10_000) if options.full else (1_000,):
        figures += await _measure(size, options)
    return figures


async def _measure(size: int, options: Options) -> list[Figure]:
    ours: dict[float, list[Call]] = {}
    prepared: list[float] = []
    async with open_stage(apps=_APPS) as stage:
        accounts = await put_apps(stage)
        before = await stage.commits()
        # The limit of an address would hold up the second herd; nothing but the node is measured.
        async with stage.node(calls_per_address="1000000") as node:
            began, database = node.cpu, stage.database_cpu()
            for delay in _DELAYS:
                ours[delay] = await _herd(stage, accounts, size, delay, prepared, options)
                _check(ours[delay], size, options)
            cpu = (node.cpu - began) / size / len(_DELAYS) * 1_000
            database = (stage.database_cpu() - database) / size / len(_DELAYS) * 1_000
        commits = (await stage.commits() - before) / size / len(_DELAYS)
        options.remarks.extend(stage.complaints())
        floors = {delay: await _floor(stage, size, delay) for delay in _DELAYS}
        peers = {
            delay: await _peers(stage, size, delay, options) if options.peers else {}
            for delay in _DELAYS
        }
    figures = [
        figure
        for delay in _DELAYS
        for figure in _compare(size, delay, ours[delay], floors[delay], peers[delay])
    ]
    name = f"{size:,}"
    return [
        *figures,
        Figure(f"{name}: prepared after, cold tokens (s)", prepared[0]),
        Figure(f"{name}: commits per run, whole path", commits),
        Figure(f"{name}: CPU of the node, s per 1,000 runs, whole path", cpu),
        Figure(f"{name}: CPU of PostgreSQL, s per 1,000 runs, whole path", database),
    ]


async def _herd(
    stage: Stage,
    accounts: list[tuple[str, int]],
    size: int,
    delay: float,
    prepared: list[float],
    options: Options,
) -> list[Call]:
    """Store the schedules, let them fire and settle, return the calls."""
    await stage.company.begin(delay=delay)
    people = [one["userid"] for one in await stage.company.people()]
    due = float(int(time.time()) + 5 + size // 2_000)
    iso = datetime.fromtimestamp(due, UTC).isoformat()
    rows = [
        (
            f"herd-{delay}-{number}",
            accounts[number % len(accounts)][1],
            once(due, people[number % len(people)], f"herd {number} {iso}"),
        )
        for number in range(size)
    ]
    stored = time.time()
    await put_schedules(stage, rows, due)
    await until(due, patience=0.5)
    prepared.append(await _prepared_at(stage) - stored)

    async def all_came() -> bool:
        return await stage.company.count() >= size

    async def all_settled() -> bool:
        query = "select count(*) from runs where state in ('due', 'planned', 'sending')"
        return bool(await stage.value(query) == 0)

    await reached(all_came, within=_SETTLE, every=0.25)
    if not await reached(all_settled, within=_SETTLE, every=0.5):
        options.remarks.append(f"herd of {size:,}: not settled {_SETTLE:.0f} s after the last call")
    return await stage.company.calls()


async def _prepared_at(stage: Stage) -> float:
    """When the last run was planned and the last token fetched."""
    planned = await stage.value("select extract(epoch from max(planned_at))::float8 from runs")
    token = await stage.value("select extract(epoch from max(expires_at))::float8 from tokens")
    return max(planned or 0.0, (token or 7_200.0) - 7_200.0)


async def _floor(stage: Stage, size: int, delay: float) -> list[Call]:
    await stage.company.begin(delay=delay)
    # The second herd of a node finds its connections open: so does the floor beside it.
    connections = 20 if delay == _DELAYS[0] else 300
    order = await sending(stage.company, size, connections=connections)
    await run_baseline("burst", stage.folder, order)
    return await stage.company.calls()


async def _peers(stage: Stage, size: int, delay: float, options: Options) -> dict[str, list[Call]]:
    """The same herd with what else could be taken; those that are installed."""
    lead = _STORED_BEFORE + size / _STORED_A_SECOND
    order = await sending(stage.company, size, dsn=stage.dsn)
    found: dict[str, list[Call]] = {}
    await stage.company.begin(delay=delay)
    order["at"] = math.ceil(time.time() + lead)
    if await run_peer("apscheduler_peer.py", "herd", stage.folder, order, options) is not None:
        found["APScheduler"] = await stage.company.calls()
    async with redis(stage.folder) as address:
        if address is None:
            options.remarks.append("herd: redis-server is not installed, so no Celery")
            return found
        await stage.company.begin(delay=delay)
        order |= {"redis": address, "at": math.ceil(time.time() + lead)}
        if await run_peer("celery_peer.py", "herd", stage.folder, order, options) is not None:
            found["Celery"] = await stage.company.calls()
    return found


def _check(calls: list[Call], size: int, options: Options) -> None:
    """Every one exactly once, and none before its time."""
    accepted = Counter(call.text for call in calls if call.errcode == 0)
    twice = sum(count - 1 for count in accepted.values())
    if twice or len(accepted) != size:
        options.wrong.append(f"herd of {size:,}: {size - len(accepted)} missed, {twice} twice")
    if refused := Counter(call.errcode for call in calls if call.errcode):
        options.remarks.append(f"herd of {size:,}: refused calls by code: {dict(refused)}")
    early = min((call.lateness for call in calls), default=0.0)
    if early < 0:
        options.remarks.append(f"herd of {size:,}: a call came {-early * 1000:.1f} ms early")


def _compare(
    size: int,
    delay: float,
    ours: list[Call],
    raw: list[Call],
    peers: dict[str, list[Call]],
) -> list[Figure]:
    name = f"{size:,}, {delay * 1000:.0f} ms answers"
    late, floor = (sorted(call.lateness for call in calls) for calls in (ours, raw))
    others = {peer: sorted(call.lateness for call in calls) for peer, calls in peers.items()}
    if not late or not floor:
        return []
    last = {peer: each[-1] for peer, each in others.items() if each}
    first = {peer: each[0] * 1_000 for peer, each in others.items() if each}
    rate = {peer: len(each) / each[-1] for peer, each in others.items() if each}
    figures = [
        Figure(f"{name}: last call after (s)", late[-1], floor[-1], last),
        Figure(f"{name}: first call after (ms)", late[0] * 1_000, floor[0] * 1_000, first),
        Figure(f"{name}: calls/s", len(late) / late[-1], len(floor) / floor[-1], rate),
    ]
    if last:
        best = min(last.values()) / late[-1]
        figures.append(Figure(f"{name}: times as fast as the best durable peer", best))
    return figures
