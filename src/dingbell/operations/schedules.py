"""Operations on schedules: put, list, show, preview, pause, resume, run, delete."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from dingbell.directory.sync import Progress
from dingbell.domain.causes import ScheduleChange
from dingbell.domain.run import Kind, Manual, Occurrence
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.triggers import instants, parse_zone
from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations import approvals, apps, preflight
from dingbell.operations.desk import Desk
from dingbell.planning import wakeups
from dingbell.store import firings, jobs, schedules
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.schedules import Schedule

__all__ = ["delete", "listed", "pause", "preview", "put", "resume", "run", "show", "store"]

_TINY = timedelta(microseconds=1)


def present(schedule: Schedule) -> dict[str, Any]:
    """A schedule as JSON: instants in the schedule's own zone."""
    zone = parse_zone(schedule.spec.get("timezone", "Asia/Shanghai"))
    due = schedule.next_due_at
    return {
        "name": schedule.name,
        "app": schedule.app,
        "state": "broken" if schedule.problem else schedule.state,
        "problem": schedule.problem,
        "source": schedule.source,
        "revision": schedule.revision,
        "approved": schedule.approved,
        "next_due_at": due.astimezone(zone).isoformat() if due else None,
        "spec": schedule.spec,
        "created_at": schedule.created_at.isoformat(),
        "updated_at": schedule.updated_at.isoformat(),
    }


async def listed(desk: Desk) -> list[dict[str, Any]]:
    """Every schedule."""
    async with acquire(desk.pool) as connection:
        return [present(one) for one in await schedules.all_schedules(connection)]


async def show(desk: Desk, name: str) -> dict[str, Any]:
    """One schedule.

    Raises:
        NotFoundError: there is no such schedule.
    """
    async with acquire(desk.pool) as connection:
        return present(await _named(connection, name))


async def preview(desk: Desk, name: str, count: int) -> dict[str, Any]:
    """The next instants of a schedule, in its own zone."""
    async with acquire(desk.pool) as connection:
        schedule = await _named(connection, name)
    spec = schedule.parsed()
    zone = parse_zone(spec.timezone)
    upcoming = instants(spec.trigger(), desk.clock.now(), count)
    return {
        "name": name,
        "timezone": spec.timezone,
        "state": schedule.state,
        "instants": [instant.astimezone(zone).isoformat() for instant in upcoming],
    }


async def preview_people(
    desk: Desk, name: str, count: int, *, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """The next instants of a schedule, and what the first of them will do to each person.

    Raises:
        NotFoundError: there is no such schedule.
        InputError: it never fires again, or its audience or message does not work.
    """
    found = await preview(desk, name, count)
    spec = await _spec(desk, name)
    outlook = await preflight.of_schedule(desk, name, spec, progress=progress)
    if outlook is None:
        raise InputError(
            Text("schedule {name!r} never fires again", "日程 {name!r} 不会再触发").format(
                name=name
            )
        )
    warnings = [str(one) for one in preflight.warnings(name, spec, desk.clock.now())]
    return {**found, "warnings": warnings, **preflight.present(outlook)}


async def _spec(desk: Desk, name: str) -> ScheduleSpec:
    async with acquire(desk.pool) as connection:
        return (await _named(connection, name)).parsed()


async def _named(connection: Connection, name: str, *, lock: bool = False) -> Schedule:
    schedule = await schedules.named(connection, name, lock=lock)
    if schedule is None:
        raise NotFoundError(
            Text(
                "there is no schedule {name!r}: see `dingbell schedules list`",
                "没有日程 {name!r}: 见 `dingbell schedules list`",
            ).format(name=name)
        )
    return schedule


async def put(desk: Desk, name: str, spec: ScheduleSpec, *, source: str) -> str:
    """Create or change a schedule; return `created`, `changed` or `unchanged`."""
    async with transaction(desk.pool) as connection:
        return await store(desk, connection, name, spec, source=source)


async def store(
    desk: Desk,
    connection: Connection,
    name: str,
    spec: ScheduleSpec,
    *,
    source: str,
    by: str | None = None,
    people: int = 0,
) -> str:
    """Create or change a schedule inside the caller's transaction.

    What had been prepared under the old words and was not called yet is taken back, and prepared
    again under the new ones.

    Args:
        desk: where.
        connection: in a transaction.
        name: of the schedule.
        spec: what it says.
        source: `yaml` or `python`; the other kind's schedules are not touched.
        by: the account that asks; None is the local command line.
        people: how many it goes to: for a large one a second account has to approve.
    """
    app = await apps.find(desk, connection, spec.app)
    known = await schedules.named(connection, name, lock=True)
    if known and known.source != source:
        raise ConflictError(
            Text(
                "schedule {name!r} comes from {there}: give this one another name, or delete that",
                "日程 {name!r} 来自 {there}: 请换一个名称, 或先删除原有的",
            ).format(name=name, there=known.source)
        )
    if known and known.app_id == app.id and known.spec == spec.to_dict():
        return "unchanged"
    now = desk.clock.now()
    approved = not await approvals.needed(connection, spec.to, people, by=by)
    if known is None:
        await schedules.insert(
            connection,
            name=name,
            app_id=app.id,
            source=source,
            spec=spec,
            next_due_at=_first_due(name, spec, now),
            now=now,
            by=by,
            approved=approved,
        )
        return "created"
    ready = await firings.prepared(connection, known.id, now)
    taken_back = await firings.withdraw(connection, ready)
    await firings.respecify_held(
        connection, known.id, app_id=app.id, org=app.org, spec=Occurrence.of(spec)
    )
    fired = await firings.last_due(connection, known.id) is not None
    active = known.state == "active"
    next_due = _next_due(spec, now, taken_back, fired=fired) if active else None
    await schedules.update(
        connection,
        known.id,
        app_id=app.id,
        spec=spec,
        next_due_at=next_due,
        now=now,
        by=by,
        approved=approved,
    )
    return "changed"


def _first_due(name: str, spec: ScheduleSpec, now: datetime) -> datetime | None:
    due = spec.trigger().first_due(now, spec.grace())
    if due is None:
        raise InputError(
            Text(
                "schedule {name!r} would never fire: its instant has passed",
                "日程 {name!r} 永远不会触发: 时刻已过",
            ).format(name=name)
        )
    return due


def _next_due(
    spec: ScheduleSpec, now: datetime, taken_back: datetime | None, *, fired: bool
) -> datetime | None:
    """The next occurrence under a changed rule, counting from what was taken back.

    An instant that has passed is still meant within the grace, unless the schedule has fired.
    """
    trigger = spec.trigger()
    due = trigger.next_after(min(taken_back - _TINY, now) if taken_back else now)
    if due is not None and due < now - spec.grace():
        due = trigger.next_after(now)
    return trigger.first_due(now, spec.grace()) if due is None and not fired else due


async def pause(desk: Desk, name: str) -> None:
    """Let a schedule rest; what was prepared and not called yet is taken back."""
    async with transaction(desk.pool) as connection:
        schedule = await _named(connection, name, lock=True)
        if schedule.state == "paused":
            return
        await _take_back(desk, connection, schedule, ScheduleChange.PAUSED)
        await schedules.set_state(
            connection,
            schedule.id,
            "paused",
            next_due_at=None,
            lead=schedule.parsed().lead,
            now=desk.clock.now(),
        )


async def resume(desk: Desk, name: str) -> None:
    """Let a paused or broken schedule fire again, from now on."""
    async with transaction(desk.pool) as connection:
        schedule = await _named(connection, name, lock=True)
        if schedule.state == "active" and not schedule.problem:
            return
        now = desk.clock.now()
        spec = schedule.parsed()
        await schedules.set_state(
            connection,
            schedule.id,
            "active",
            next_due_at=spec.trigger().next_after(now),
            lead=spec.lead,
            now=now,
        )


async def delete(desk: Desk, name: str) -> None:
    """Remove a schedule; its firings stay in the ledger."""
    async with transaction(desk.pool) as connection:
        schedule = await _named(connection, name, lock=True)
        await remove(desk, connection, schedule)


async def _take_back(
    desk: Desk, connection: Connection, schedule: Schedule, change: ScheduleChange
) -> None:
    """Take back all that a schedule has prepared or held."""
    now = desk.clock.now()
    await firings.withdraw(connection, await firings.prepared(connection, schedule.id, now))
    await firings.stop(connection, schedule.id, now, change)


async def remove(desk: Desk, connection: Connection, schedule: Schedule) -> None:
    """Remove a schedule inside the caller's transaction."""
    await _take_back(desk, connection, schedule, ScheduleChange.DELETED)
    await schedules.delete(connection, schedule.id)


async def run(desk: Desk, name: str, *, request_id: str | None = None) -> int:
    """Fire a schedule now, beside its own instants; the same request id fires once.

    Raises:
        NotFoundError: there is no such schedule.
        ConflictError: this request was made before.
    """
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        schedule = await _named(connection, name)
        created = await firings.create(
            connection,
            [
                firings.NewFiring(
                    schedule_id=schedule.id,
                    schedule=schedule.name,
                    revision=schedule.revision,
                    kind=Kind.RUN,
                    key=request_id or uuid4().hex,
                    app_id=schedule.app_id,
                    org=schedule.org,
                    function=schedule.function,
                    spec=Manual.of(schedule.parsed()),
                    due_at=now,
                )
            ],
            now,
        )
        if not created:
            raise ConflictError(Text("this request was made before", "该请求已提交过"))
        firing_id = created[0][0]
        await jobs.enqueue(
            connection, [wakeups.plan([firing_id], schedule.function, asked_for=True)]
        )
    return firing_id
