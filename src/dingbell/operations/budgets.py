"""Operations on the budget: what an org has spent, on what, and what the month will come to."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from math import ceil

from dingbell.domain.audience import Audience
from dingbell.domain.budget import WARN_AT, Usage, end_of_month, month_of, poll_plan
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View, Words
from dingbell.planning import audiences
from dingbell.planning.sources import SourceFailed
from dingbell.store import apps, schedules, spending
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire
from dingbell.store.ledger import schedule_runs
from dingbell.store.schedules import Schedule

__all__ = ["BudgetView", "overview"]

_TOP = 10
# A schedule that fires more often than this in what is left of the month is not counted further.
_MOST = 100_000


class Spender(View):
    """A schedule, or a kind of run, and what it takes of a month."""

    schedule: str
    runs: int
    calls: int


class MonthForecast(View):
    """What a month is expected to come to, and the schedules that will take the most of it."""

    calls: int
    schedules: tuple[Spender, ...]


class BudgetView(View):
    """An org's month.

    Attributes:
        share: which part of the limit is used.
        hold_bulk_at: from which part of it on runs of priority bulk are held.
    """

    org: str
    month: str
    limit: int | None
    used: int
    share: float | None
    hold_bulk_at: float | None
    by_endpoint: dict[str, int]
    by_schedule: tuple[Spender, ...]
    forecast: MonthForecast
    warning: Words | None


async def overview(ops: Operations, org: str | None = None) -> tuple[BudgetView, ...]:
    """Each org's month: used by endpoint, by schedule, and the forecast until it ends."""
    ops.may(Operation.BUDGETS_SEE)
    now = ops.clock.now()
    async with acquire(ops.pool) as connection:
        known = await apps.all_apps(connection)
        orgs = sorted({app.org for app in known if org in (None, app.org)})
        usage = await spending.usage(
            connection, orgs, month_of(now), default_limit=ops.allowance.monthly_calls
        )
        active = [s for s in await schedules.all_schedules(connection) if s.state == "active"]
        by_id = {app.id: app for app in known}
        return tuple(
            [await _org(connection, name, usage[name], active, by_id, now) for name in orgs]
        )


async def _org(
    connection: Connection,
    org: str,
    usage: Usage,
    active: list[Schedule],
    by_id: dict[int, App],
    now: datetime,
) -> BudgetView:
    month = month_of(now)
    spenders = await spending.by_schedule(connection, org, month, _TOP)
    coming = [
        await _coming(connection, schedule, by_id[schedule.app_id], usage, now)
        for schedule in active
        if schedule.org == org and not schedule.problem
    ]
    expected = usage.used + sum(one.calls for one in coming)
    return BudgetView(
        org=org,
        month=month.isoformat()[:7],
        limit=usage.limit,
        used=usage.used,
        share=round(usage.share, 4) if usage.limit else None,
        hold_bulk_at=usage.hold_bulk_at,
        by_endpoint=await spending.by_endpoint(connection, org, month),
        by_schedule=tuple(
            Spender(
                schedule=row["schedule"] or row["kind"] or "older",
                runs=row["runs"],
                calls=row["calls"],
            )
            for row in spenders
        ),
        forecast=MonthForecast(
            calls=expected,
            schedules=tuple(sorted(coming, key=lambda one: -one.calls)[:_TOP]),
        ),
        warning=_warning(usage, expected),
    )


def _warning(usage: Usage, expected: int) -> Text | None:
    if usage.limit is None:
        return None
    if usage.share >= WARN_AT:
        return Text(
            "{share:.0%} of the month's calls are used", "本月调用次数已用 {share:.0%}"
        ).format(share=usage.share)
    if expected > usage.limit:
        return Text(
            "the month is expected to take {expected} calls, {limit} are there",
            "预计本月需要 {expected} 次调用, 只有 {limit} 次",
        ).format(expected=expected, limit=usage.limit)
    return None


async def _coming(
    connection: Connection,
    schedule: Schedule,
    app: App,
    usage: Usage,
    now: datetime,
) -> Spender:
    """How often a schedule still fires this month, and how many calls that takes."""
    spec = schedule.parsed()
    ends = end_of_month(now)
    ahead = takewhile(lambda one: one < ends, spec.trigger().after(now))
    times = sum(1 for _, _ in zip(ahead, range(_MOST), strict=False))
    batches = await _batches(connection, schedule, spec, app)
    per_batch = 3 + len(poll_plan(usage))
    return Spender(schedule=schedule.name, runs=times, calls=times * batches * per_batch)


async def _people(connection: Connection, app: App, audience: Audience) -> list[str]:
    """Whom an audience means on most days, by what is known."""
    if not audience.needs_directory():
        return audiences.plain(audience)
    return (await audiences.find(connection, app.org, audience, day=None, fetched={})).userids


async def _batches(connection: Connection, schedule: Schedule, spec: ScheduleSpec, app: App) -> int:
    """How many batches a run has: as many as the last one, else by the size of its audience."""
    last = await schedule_runs.last_forecast(connection, schedule.id)
    if last is not None:
        return int(last["calls"])
    try:
        size = len(await _people(connection, app, spec.to))
    except (InputError, SourceFailed):
        return 0
    if spec.message is not None and spec.message.is_personal:
        return size
    most = spec.message.people_per_call if spec.message is not None else 100
    return ceil(size / most)
