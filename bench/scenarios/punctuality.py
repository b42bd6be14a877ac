"""Schedules due every second: how late their calls reach DingTalk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from baseline import run_baseline, run_peer, sending
from company import Call
from crowd import put_apps, put_schedules
from figures import Figure, percentile
from options import Options
from stage import Stage, open_stage, until

from dingbell.domain.schedule import ScheduleSpec

TITLE = "punctuality: schedules `every: 1s`, lateness at DingTalk"
FLOOR = "raw aiohttp loop that sends at the same instants of the second, nothing kept"
PEERS = {
    "APScheduler": "3.11, AsyncIOScheduler, interval jobs in PostgreSQL, aiohttp",
    "tutorial": "its loop: wakes once a second, compares the formatted clock, sends in turn",
}
REPEAT = 2
REPEAT_FULL = 1

_APPS = 10
_PROMPT = 0.05
_TEXT = '{{ schedule }} {{ due | date("%Y-%m-%dT%H:%M:%S%z") }}'
# A minute of occurrences is prepared ahead, for all schedules at once in the first seconds.
_HEAD_START = 10.0


@dataclass(frozen=True, slots=True)
class _Lateness:
    """How late the calls of one run were; what never came counts as not prompt."""

    late: list[float]
    expected: int

    @classmethod
    def of(cls, calls: list[Call], expected: int) -> _Lateness:
        return cls([call.lateness for call in calls], expected)

    @property
    def prompt(self) -> float:
        return 100 * sum(0 <= late <= _PROMPT for late in self.late) / self.expected

    def at(self, share: float) -> float:
        return percentile(self.late, share) * 1_000

    @property
    def missed(self) -> int:
        return self.expected - len(self.late)


async def measure(options: Options) -> list[Figure]:
    """One after the other, so that none of the three disturbs another."""
    figures: list[Figure] = []
    for schedules, seconds in ((20, 8), (100, 60)) if options.full else ((20, 8),):
        figures += await _measure(schedules, seconds, options)
    return figures


async def _measure(schedules: int, seconds: int, options: Options) -> list[Figure]:
    expected = schedules * seconds
    async with open_stage(apps=_APPS) as stage:
        ours = _Lateness.of(await _ours(stage, schedules, seconds, options), expected)
        options.remarks.extend(stage.complaints())
        raw = _Lateness.of(await _other(stage, "beat", schedules, seconds), expected)
        others = await _others(stage, schedules, seconds, options) if options.peers else {}
        peers = {name: _Lateness.of(calls, expected) for name, calls in others.items()}
    if ours.missed:
        options.wrong.append(f"punctuality: {ours.missed} of {expected} missed")
    if min(ours.late, default=0.0) < 0:
        options.remarks.append(f"punctuality: a call came {-min(ours.late) * 1_000:.1f} ms early")
    name = f"{schedules}/s"
    return [
        _row(f"{name}: p50 (ms)", ours, raw, peers, lambda one: one.at(0.5)),
        _row(f"{name}: p99 (ms)", ours, raw, peers, lambda one: one.at(0.99)),
        _row(f"{name}: latest (ms)", ours, raw, peers, lambda one: one.at(1)),
        _row(f"{name}: within 50 ms (%)", ours, raw, peers, lambda one: one.prompt),
        _row(f"{name}: missed", ours, raw, peers, lambda one: one.missed),
    ]


def _row(
    name: str,
    ours: _Lateness,
    raw: _Lateness,
    peers: dict[str, _Lateness],
    ask: Callable[[_Lateness], float],
) -> Figure:
    return Figure(name, ask(ours), ask(raw), {peer: ask(late) for peer, late in peers.items()})


async def _ours(stage: Stage, schedules: int, seconds: int, options: Options) -> list[Call]:
    """The calls of the seconds that begin a little after the schedules were stored."""
    accounts = await put_apps(stage)
    people = await stage.company.people()
    async with stage.node(calls_per_second="1000"):
        first = math.ceil(time.time()) + 1.0
        rows = [
            (f"s{number}", accounts[number % _APPS][1], _spec(people[number]["userid"]))
            for number in range(schedules)
        ]
        await put_schedules(stage, rows, first)
        first += _HEAD_START
        await until(first + seconds, patience=1.0)
        calls = await stage.company.calls()
    found = [call for call in calls if first <= call.due < first + seconds]
    twice = len(found) - len({call.text for call in found})
    if twice:
        options.wrong.append(f"punctuality: {twice} sent twice")
    return found


def _spec(userid: str) -> dict[str, object]:
    return ScheduleSpec.model_validate(
        {"when": {"every": "1s"}, "to": {"users": [userid]}, "message": {"text": _TEXT}}
    ).to_dict()


async def _other(stage: Stage, program: str, schedules: int, seconds: int) -> list[Call]:
    await stage.company.begin()
    order = await sending(stage.company, schedules, seconds=seconds)
    await run_baseline(program, stage.folder, order)
    return await stage.company.calls()


async def _others(
    stage: Stage, schedules: int, seconds: int, options: Options
) -> dict[str, list[Call]]:
    """The same with what else could be taken; those that are installed."""
    found = {"tutorial": await _other(stage, "tutorial", schedules, seconds)}
    await stage.company.begin()
    order = await sending(stage.company, schedules, seconds=seconds, dsn=stage.dsn)
    if await run_peer("apscheduler_peer.py", "beat", stage.folder, order, options) is not None:
        found["APScheduler"] = await stage.company.calls()
    return found
