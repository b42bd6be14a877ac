"""One notice to more people than DingTalk takes in a minute: how many never get it."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from baseline import run_baseline, sending
from company import Call, Company, open_company
from crowd import put_apps, put_people, put_schedules
from figures import Figure
from options import Options
from pace import PEOPLE_PER_CALL, earliest_end
from stage import Stage, open_stage, reached

from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations import runs

TITLE = "loss: one notice to many people, and how many of them never got it"
FLOOR = "the earliest schedule that overfills no window, computed; nobody is lost"
PEERS = {
    "plain loop": "such as a tutorial would write: one token, 100 userids a call, one call after "
    "the other, `errcode: 0` taken for delivered; a sandbox of its own with the same limits"
}
REPEAT = 1

_CALLS = 20
# As long as an answer takes in truth. A loop that waits for it stays below the limit of calls, so
# that nothing but the limit of people stands between it and everybody.
_DELAY = 0.08
_PACE_CODES = (143103, 143104)
_HEAD_START = 4.0
_SETTLE = 60.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What reached the phones, and what the sender took for delivered."""

    calls: list[Call]
    believed: int
    polls: int

    @property
    def reached(self) -> int:
        return len({userid for call in self.calls for userid in call.delivered})

    @property
    def dropped(self) -> int:
        codes = Counter(code for call in self.calls for code in call.dropped)
        return sum(codes[code] for code in _PACE_CODES)

    @property
    def last(self) -> float:
        return max((call.lateness for call in self.calls), default=0.0)


async def measure(options: Options) -> list[Figure]:
    """Scaled down to a minute; with `full` the documented limits."""
    size, people = (20_000, 5_000) if options.full else (1_000, 500)
    async with open_stage(people=size) as stage:
        ours = await _ours(stage, size, people)
        options.remarks.extend(stage.complaints())
        async with open_company(stage.folder, apps=1, people=size) as company:
            plain = await _plain(stage, company, people)
    if ours.reached != size or ours.believed != size:
        options.wrong.append(
            f"loss: {ours.reached:,} of {size:,} reached, {ours.believed:,} believed to be"
        )
    return _compare(size, people, ours, plain)


async def _begin(company: Company, people: int) -> None:
    await company.begin(delay=_DELAY, calls_per_second=_CALLS, people_per_minute=people)


async def _ours(stage: Stage, size: int, people: int) -> _Outcome:
    """Let one run settle; what it believes is what the ledger says then."""
    ((_, app_id),) = await put_apps(stage)
    await put_people(stage)
    await _begin(stage.company, people)
    within = earliest_end(_batches(size), calls=_CALLS, people=people) + _SETTLE

    async def settled() -> bool:
        return bool(
            await stage.value("select exists (select from runs where state = $1)", "settled")
        )

    async with stage.node(calls_per_second=str(_CALLS), people_per_minute=str(people)):
        due = math.ceil(time.time()) + _HEAD_START
        await put_schedules(stage, [("all", app_id, _spec(due))], due)
        await reached(settled, within=within, every=0.25)
        (run,) = (await runs.listed(stage.desk)).items
    believed = sum(run.totals.get(state, 0) for state in ("unread", "read"))
    return _Outcome(await stage.company.calls(), believed, await stage.company.polls())


async def _plain(stage: Stage, company: Company, people: int) -> _Outcome:
    await _begin(company, people)
    told = await run_baseline("plain", stage.folder, await sending(company, 0))
    return _Outcome(await company.calls(), told["believed"], await company.polls())


def _compare(size: int, people: int, ours: _Outcome, plain: _Outcome) -> list[Figure]:
    name = f"{size:,} people at {people:,} people/min"
    batches = _batches(size)
    end = earliest_end(batches, calls=_CALLS, people=people)
    return [
        _beside(f"{name}: people who never got it", size - ours.reached, 0, size - plain.reached),
        _beside(f"{name}: people dropped (143103, 143104)", ours.dropped, 0, plain.dropped),
        _beside(f"{name}: people believed to have it", ours.believed, size, plain.believed),
        _beside(f"{name}: send calls", len(ours.calls), batches, len(plain.calls)),
        _beside(f"{name}: calls for receipts", ours.polls, None, plain.polls),
        _beside(f"{name}: last call after (s)", ours.last, end, plain.last),
    ]


def _beside(name: str, ours: float, floor: float | None, plain: float) -> Figure:
    return Figure(name, ours, floor, {"plain loop": plain})


def _batches(size: int) -> int:
    return math.ceil(size / PEOPLE_PER_CALL)


def _spec(due: float) -> dict[str, object]:
    iso = datetime.fromtimestamp(due, UTC).isoformat()
    return ScheduleSpec.model_validate(
        {"when": {"once": iso}, "to": {"everyone": True}, "message": {"text": f"all {iso}"}}
    ).to_dict()
