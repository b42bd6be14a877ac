"""One run to many people, paced: how near it comes to the pace that DingTalk allows."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

from crowd import put_apps, put_people, put_schedules
from figures import Figure
from options import Options
from pace import PEOPLE_PER_CALL, earliest_end
from stage import Stage, open_stage, reached

from dingbell.domain.schedule import ScheduleSpec

TITLE = "fan-out: one run to many people under a pace"
FLOOR = "the earliest schedule that overfills no window, computed"
REPEAT = 1


async def measure(options: Options) -> list[Figure]:
    """Scaled limits, so that it does not take minutes; `loss` takes the documented ones."""
    figures = await _measure(2_000, calls=5, people=2_000, options=options)
    return figures + await _work(20_000)


async def _work(size: int) -> list[Figure]:
    """What the people cost who are sent to by the hundred, from the plan to the receipts."""
    async with open_stage(people=size) as stage:
        ((_, app_id),) = await put_apps(stage)
        await put_people(stage)
        async with stage.node(calls_per_second="1000", people_per_minute="1000000") as node:
            cpu, database = node.cpu, stage.database_cpu()
            due = math.ceil(time.time()) + 4.0
            await put_schedules(stage, [("all", app_id, _spec(due))], due)

            async def settled() -> bool:
                return bool(
                    await stage.value("select exists (select from runs where state = 'settled')")
                )

            await reached(settled, within=60, every=0.2)
            cpu, database = node.cpu - cpu, stage.database_cpu() - database
    scale = 100_000 / size
    return [
        Figure("100 people a call, no pace: CPU of the node, s per 100,000 people", cpu * scale),
        Figure(
            "100 people a call, no pace: CPU of PostgreSQL, s per 100,000 people", database * scale
        ),
    ]


async def _measure(size: int, *, calls: int, people: int, options: Options) -> list[Figure]:
    batches = math.ceil(size / PEOPLE_PER_CALL)
    floor = earliest_end(batches, calls=calls, people=people)
    async with open_stage(people=size) as stage:
        ((_, app_id),) = await put_apps(stage)
        await put_people(stage)
        await stage.company.begin(calls_per_second=calls, people_per_minute=people)
        async with stage.node(calls_per_second=str(calls), people_per_minute=str(people)):
            due = math.ceil(time.time()) + 4.0
            await put_schedules(stage, [("all", app_id, _spec(due))], due)
            await _all_came(stage, batches, due + floor + 30)
        found = await stage.company.calls()
        options.remarks.extend(stage.complaints())
    accepted = [call for call in found if call.errcode == 0]
    reached_people = {userid for call in accepted for userid in call.userids}
    dropped = sum(len(call.dropped) for call in found)
    if dropped or len(reached_people) != size:
        options.wrong.append(
            f"fan-out: {dropped} people dropped, {size - len(reached_people)} not reached"
        )
    if not accepted:
        return []
    name = f"{size:,} people at {calls} calls/s and {people:,} people/min"
    return [
        Figure(f"{name}: last call after (s)", max(c.lateness for c in accepted), floor),
        Figure(f"{name}: calls", len(found), batches),
        Figure(f"{name}: refused calls", len(found) - len(accepted)),
        Figure(f"{name}: people dropped", dropped),
    ]


async def _all_came(stage: Stage, batches: int, until: float) -> None:
    async def came() -> bool:
        return await stage.company.count() >= batches

    await reached(came, within=until - time.time(), every=0.1)


def _spec(due: float) -> dict[str, object]:
    iso = datetime.fromtimestamp(due, UTC).isoformat()
    return ScheduleSpec.model_validate(
        {"when": {"once": iso}, "to": {"everyone": True}, "message": {"text": f"all {iso}"}}
    ).to_dict()
