"""Operations on the budget: what an org has spent, on what, and what the month will come to."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from math import ceil
from typing import Any

from dingbell.domain.budget import WARN_AT, Usage, end_of_month, look_plan, month_of
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError
from dingbell.operations.desk import Desk
from dingbell.planning.drafts import named
from dingbell.store import apps, firings, schedules, spending
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire
from dingbell.store.schedules import Schedule

__all__ = ["overview"]

_TOP = 10
# A schedule that fires more often than this in what is left of the month is not counted further.
_MOST = 100_000


async def overview(desk: Desk, org: str | None = None) -> list[dict[str, Any]]:
    """Each org's month: used by endpoint, by schedule, and the forecast until it ends."""
    now = desk.clock.now()
    async with acquire(desk.pool) as connection:
        known = await apps.all_apps(connection)
        orgs = sorted({app.org for app in known if org in (None, app.org)})
        usage = await spending.usage(
            connection, orgs, month_of(now), default_limit=desk.allowance.monthly_calls
        )
        active = [s for s in await schedules.all_schedules(connection) if s.state == "active"]
        by_id = {app.id: app for app in known}
        return [await _org(connection, name, usage[name], active, by_id, now) for name in orgs]


async def _org(
    connection: Connection,
    org: str,
    usage: Usage,
    active: list[Schedule],
    by_id: dict[int, App],
    now: datetime,
) -> dict[str, Any]:
    month = month_of(now)
    spenders = await spending.by_schedule(connection, org, month, _TOP)
    coming = [
        await _coming(connection, schedule, by_id[schedule.app_id], usage, now)
        for schedule in active
        if schedule.org == org and not schedule.problem
    ]
    rest = sum(one["calls"] for one in coming)
    return {
        "org": org,
        "month": month.isoformat()[:7],
        "limit": usage.limit,
        "used": usage.used,
        "share": round(usage.share, 4) if usage.limit else None,
        "hold_bulk_at": usage.hold_bulk_at,
        "by_endpoint": await spending.by_endpoint(connection, org, month),
        "by_schedule": [
            {
                "schedule": row["schedule"] or row["kind"] or "older",
                "firings": row["firings"],
                "calls": row["calls"],
            }
            for row in spenders
        ],
        "forecast": {
            "calls": usage.used + rest,
            "schedules": sorted(coming, key=lambda one: -int(one["calls"]))[:_TOP],
        },
        "warning": _warning(usage, usage.used + rest),
    }


def _warning(usage: Usage, expected: int) -> str | None:
    if usage.limit is None:
        return None
    if usage.share >= WARN_AT:
        return f"{usage.share:.0%} of the month's calls are used"
    if expected > usage.limit:
        return f"the month is expected to take {expected} calls, {usage.limit} are there"
    return None


async def _coming(
    connection: Connection,
    schedule: Schedule,
    app: App,
    usage: Usage,
    now: datetime,
) -> dict[str, Any]:
    """How often a schedule still fires this month, and how many calls that takes."""
    spec = schedule.parsed()
    ends = end_of_month(now)
    ahead = takewhile(lambda one: one < ends, spec.trigger().after(now))
    times = sum(1 for _, _ in zip(ahead, range(_MOST), strict=False))
    batches = await _batches(connection, schedule, spec, app)
    per_batch = 3 + len(look_plan(usage))
    return {"schedule": schedule.name, "firings": times, "calls": times * batches * per_batch}


async def _batches(connection: Connection, schedule: Schedule, spec: ScheduleSpec, app: App) -> int:
    """How many batches a firing has: as many as the last one, else by the size of its audience."""
    last = await firings.last_forecast(connection, schedule.id)
    if last is not None:
        return int(last["calls"])
    try:
        size = len(await named(connection, app.org, spec.to))
    except InputError:
        return 0
    if spec.message is not None and spec.message.is_personal:
        return size
    most = spec.message.people_per_call if spec.message is not None else 100
    return ceil(size / most)
