"""Operations on schedules: put, list, show, preview, pause, resume, run, delete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from dingbell.directory.sync import Progress
from dingbell.domain.audience import without_queries
from dingbell.domain.causes import ScheduleChange
from dingbell.domain.forecast import Forecast
from dingbell.domain.gates import Gated, Hold, Proceed, Rules, decide, state_of
from dingbell.domain.run import Kind, Manual, Occurrence
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.triggers import Once, Trigger, instants, parse_zone
from dingbell.domain.triggers.readback import read_back
from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations import approvals, apps, forecasts, paging, warnings
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.forecasts import ForecastView
from dingbell.operations.sending import wakeups_of
from dingbell.operations.views import LocalInstant, View, Words
from dingbell.store import calendars, jobs, rules, schedules
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import runs, schedule_runs
from dingbell.store.schedules import Schedule

__all__ = [
    "RunOutlook",
    "SchedulePage",
    "ScheduleView",
    "Upcoming",
    "UpcomingPeople",
    "delete",
    "listed",
    "outlook_of_run",
    "page",
    "pause",
    "preview",
    "preview_people",
    "put",
    "question",
    "remove",
    "resume",
    "run",
    "show",
    "store",
]

_TINY = timedelta(microseconds=1)


class ScheduleView(View):
    """A schedule; its instants are told in its own zone.

    Attributes:
        state: `active`, `paused`, `orphaned` or `quarantined`.
        problem: why it is quarantined.
        source: `yaml` or `python`.
        program: whose function makes the message.
        approved: whether its present revision may be sent.
        words: its rule as a sentence; None where it cannot be read.
    """

    name: str
    app: str | None
    state: str
    problem: str | None
    source: str
    program: str | None
    revision: int
    approved: bool
    next_due_at: LocalInstant | None
    words: Words | None
    spec: dict[str, Any]
    created_at: LocalInstant
    updated_at: LocalInstant

    @property
    def rule(self) -> str:
        """Its rule as it was written, in one line."""
        written = self.spec
        return ", ".join(f"{key} {value}" for key, value in written["when"].items())


class SchedulePage(View):
    """A page of schedules; `next` is the cursor of the page after it."""

    items: tuple[ScheduleView, ...]
    next: str | None


class Upcoming(View):
    """The next instants of a schedule, in its own zone, and its rule as a sentence."""

    name: str
    timezone: str
    state: str
    instants: tuple[LocalInstant, ...]
    words: Words


class UpcomingPeople(ForecastView, Upcoming):
    """The next instants of a schedule, and what the first of them will do to each person."""

    warnings: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class RunOutlook:
    """What running a schedule by hand would do.

    Attributes:
        question: whether it is so large that somebody has to say yes.
        warnings: what whoever runs it should know.
    """

    outlook: Forecast
    question: bool
    warnings: tuple[Text, ...]


def _view(schedule: Schedule) -> ScheduleView:
    zone = parse_zone(schedule.timezone)
    names = ["name", "app", "problem", "source", "program", "revision", "approved", "spec"]
    due = schedule.next_due_at
    said = {name: getattr(schedule, name) for name in names}
    return ScheduleView(
        **{**said, "spec": without_queries(schedule.spec)},
        state=_state(schedule),
        next_due_at=due.astimezone(zone) if due else None,
        words=_words(schedule),
        created_at=schedule.created_at.astimezone(zone),
        updated_at=schedule.updated_at.astimezone(zone),
    )


def _words(schedule: Schedule) -> Text | None:
    try:
        return schedule.parsed().trigger().words()
    except ValueError:
        return None  # its own alert tells of it


def _state(schedule: Schedule) -> str:
    """Its state as people see it."""
    if schedule.problem:
        return "quarantined"
    return "orphaned" if schedule.orphaned and schedule.state == "active" else schedule.state


async def listed(ops: Operations) -> tuple[ScheduleView, ...]:
    """Every schedule."""
    ops.may(Operation.SCHEDULES_SEE)
    async with acquire(ops.pool) as connection:
        return tuple(_view(one) for one in await schedules.all_schedules(connection))


async def page(ops: Operations, *, limit: int = 1_000, after: str | None = None) -> SchedulePage:
    """Schedules by name, so many at a time.

    Raises:
        InputError: the cursor is none.
    """
    ops.may(Operation.SCHEDULES_SEE)
    behind = paging.after_name(after)
    async with acquire(ops.pool) as connection:
        found = await schedules.page(connection, limit=limit + 1, after=behind)
    more, found = len(found) > limit, found[:limit]
    return SchedulePage(
        items=tuple(_view(one) for one in found), next=found[-1].name if more else None
    )


async def show(ops: Operations, name: str) -> ScheduleView:
    """One schedule.

    Raises:
        NotFoundError: there is no such schedule.
    """
    ops.may(Operation.SCHEDULES_SEE)
    async with acquire(ops.pool) as connection:
        return _view(await _named(connection, name))


async def preview(ops: Operations, name: str, count: int) -> Upcoming:
    """The next instants of a schedule, in its own zone."""
    ops.may(Operation.SCHEDULES_SEE)
    async with acquire(ops.pool) as connection:
        schedule = await _named(connection, name)
    spec = schedule.parsed()
    zone = parse_zone(spec.timezone)
    now, trigger = ops.clock.now(), spec.trigger()
    upcoming = list(instants(trigger, now, count))
    return Upcoming(
        name=name,
        timezone=spec.timezone,
        state=_state(schedule),
        instants=tuple(instant.astimezone(zone) for instant in upcoming),
        words=read_back(trigger, next(iter(upcoming), None), zone, now),
    )


async def preview_people(
    ops: Operations, name: str, count: int, *, progress: Progress = lambda _: None
) -> UpcomingPeople:
    """The next instants of a schedule, and what the first of them will do to each person.

    Raises:
        NotFoundError: there is no such schedule.
        InputError: it never fires again, or its audience or message does not work.
    """
    ops.may(Operation.FORECASTS_SEE)
    found = await preview(ops, name, count)
    spec = await _spec(ops, name)
    outlook = await forecasts.of_schedule(ops, name, spec, progress=progress)
    if outlook is None:
        raise InputError(
            Text("schedule {name!r} never fires again", "日程 {name!r} 不会再发送").format(
                name=name
            )
        )
    return UpcomingPeople(
        **dict(found),
        **dict(forecasts.present(outlook)),
        warnings=tuple(warnings.of_schedule(name, spec, ops.clock.now())),
    )


async def question(
    ops: Operations, name: str, spec: ScheduleSpec | None = None
) -> forecasts.Question:
    """What is to be asked about the next occurrence of a schedule; one that has none asks for now.

    Args:
        ops: where, and who asks.
        name: of the schedule.
        spec: what it says, where it is not what is stored under the name.

    Raises:
        NotFoundError: there is no such schedule.
    """
    ops.may(Operation.FORECASTS_SEE)
    spec = spec or await _spec(ops, name)
    app, now = await apps.chosen(ops, spec.app), ops.clock.now()
    upcoming = forecasts.next_question(app, name, spec, now)
    return upcoming or forecasts.run_question(app, name, spec, now)


async def _spec(ops: Operations, name: str) -> ScheduleSpec:
    async with acquire(ops.pool) as connection:
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


async def put(ops: Operations, name: str, spec: ScheduleSpec, *, source: str) -> str:
    """Create or change a schedule; return `created`, `changed` or `unchanged`."""
    ops.may(Operation.SCHEDULES_PUT)
    async with transaction(ops.pool) as connection:
        await schedules.reserve(connection, [name])
        return await store(ops, connection, name, spec, source=source)


async def store(
    ops: Operations,
    connection: Connection,
    name: str,
    spec: ScheduleSpec,
    *,
    source: str,
    program: str | None = None,
    people: int = 0,
) -> str:
    """Create or change a schedule inside the caller's transaction.

    What had been prepared under the old words and was not called yet is taken back, and prepared
    again under the new ones.

    Args:
        ops: where, and who asks.
        connection: in a transaction.
        name: of the schedule.
        spec: what it says.
        source: `yaml` or `python`; the other kind's schedules are not touched.
        program: whose function makes the message; another program's schedules are not touched.
        people: how many it goes to: for a large one a second account has to approve.
    """
    ops.may(Operation.SCHEDULES_PUT)
    spec = spec.on(await calendars.known(connection))
    app = await apps.find(ops, connection, spec.app)
    known = await schedules.named(connection, name, lock=True)
    if known:
        _check_owner(known, source, program)
    if known and known.app_id == app.id and known.spec == spec.to_dict():
        return "unchanged"
    now = ops.clock.now()
    approved = not await approvals.needed(connection, spec.to, people, actor=ops.actor)
    if known is None:
        await schedules.insert(
            connection,
            name=name,
            app_id=app.id,
            source=source,
            spec=spec,
            next_due_at=_first_due(name, spec, now),
            now=now,
            by=ops.actor.name,
            approved=approved,
            program=program,
        )
        return "created"
    ready = await schedule_runs.prepared(connection, known.id, now)
    taken_back = await schedule_runs.withdraw(connection, ready, actor=ops.actor.name)
    await schedule_runs.respecify_held(
        connection,
        known.id,
        app_id=app.id,
        org=app.org,
        spec=Occurrence.of(spec),
        function=spec.function,
    )
    fired = await schedule_runs.last_due(connection, known.id) is not None
    active = known.state == "active"
    next_due = _next_due(spec, now, taken_back, fired=fired) if active else None
    if next_due is None and active and not isinstance(spec.trigger(), Once):
        _first_due(name, spec, now)  # a rule that never comes due is refused when it is written
    await schedules.update(
        connection,
        known.id,
        app_id=app.id,
        spec=spec,
        next_due_at=next_due,
        now=now,
        by=ops.actor.name,
        approved=approved,
        program=program,
    )
    return "changed"


def _check_owner(known: Schedule, source: str, program: str | None) -> None:
    if known.source != source:
        raise ConflictError(
            Text(
                "schedule {name!r} comes from {there}: give this one another name, or delete that",
                "日程 {name!r} 来自 {there}: 请换一个名称, 或先删除原有的",
            ).format(name=known.name, there=known.source)
        )
    # One that was stored before programs were told apart belongs to the first that asks.
    if known.program is not None and known.program != program:
        raise ConflictError(
            Text(
                "schedule {name!r} belongs to another program, {there} (this one is {here}): give "
                "this one another name=. If it is the same program in a new place, set "
                "DINGBELL_PROGRAM={there}, or run `dingbell schedules delete {name}` once",
                "日程 {name!r} 属于另一个程序 {there} (本程序是 {here}): 请用 name= 换一个名称。"
                "若是同一程序换了位置, 请设置 DINGBELL_PROGRAM={there}, 或运行一次 "
                "`dingbell schedules delete {name}`",
            ).format(name=known.name, there=known.program, here=program)
        )


def _first_due(name: str, spec: ScheduleSpec, now: datetime) -> datetime | None:
    trigger = spec.trigger()
    due = trigger.first_due(now, spec.grace())
    if due is None:
        raise InputError(_never(trigger).format(name=name, rule=trigger.words()), where="when")
    return due


def _never(trigger: Trigger) -> Text:
    """Why a rule does not come due: it has been, or there is no such day."""
    if isinstance(trigger, Once):
        return Text(
            "schedule {name!r} would never fire: its instant has passed",
            "日程 {name!r} 永远不会发送: 时刻已过",
        )
    return Text(
        "schedule {name!r} would never fire: no day from now on fits its rule ({rule})",
        "日程 {name!r} 永远不会发送: 今后没有任何日期符合规则 ({rule})",
    )


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


async def pause(ops: Operations, name: str) -> None:
    """Let a schedule rest; what was prepared and not called yet is taken back."""
    ops.may(Operation.SCHEDULES_PAUSE)
    async with transaction(ops.pool) as connection:
        schedule = await _named(connection, name, lock=True)
        if schedule.state == "paused":
            return
        await _take_back(ops, connection, schedule, ScheduleChange.PAUSED)
        await schedules.set_state(
            connection,
            schedule.id,
            "paused",
            next_due_at=None,
            lead=schedule.parsed().lead,
            now=ops.clock.now(),
        )


async def resume(ops: Operations, name: str) -> None:
    """Let a paused or broken schedule fire again, from now on."""
    ops.may(Operation.SCHEDULES_PAUSE)
    async with transaction(ops.pool) as connection:
        schedule = await _named(connection, name, lock=True)
        if schedule.state == "active" and not schedule.problem:
            return
        now = ops.clock.now()
        spec = schedule.parsed()
        await schedules.set_state(
            connection,
            schedule.id,
            "active",
            next_due_at=spec.trigger().next_after(now),
            lead=spec.lead,
            now=now,
        )


async def delete(ops: Operations, name: str) -> None:
    """Remove a schedule; its runs stay in the ledger."""
    ops.may(Operation.SCHEDULES_DELETE)
    async with transaction(ops.pool) as connection:
        schedule = await _named(connection, name, lock=True)
        await remove(ops, connection, schedule)


async def _take_back(
    ops: Operations, connection: Connection, schedule: Schedule, change: ScheduleChange
) -> None:
    """Take back all that a schedule has prepared or held."""
    now = ops.clock.now()
    ready = await schedule_runs.prepared(connection, schedule.id, now)
    await schedule_runs.withdraw(connection, ready, actor=ops.actor.name)
    await schedule_runs.stop(connection, schedule.id, now, change, actor=ops.actor.name)


async def remove(ops: Operations, connection: Connection, schedule: Schedule) -> None:
    """Remove a schedule inside the caller's transaction."""
    ops.may(Operation.SCHEDULES_DELETE)
    await _take_back(ops, connection, schedule, ScheduleChange.DELETED)
    await schedules.delete(connection, schedule.id)


async def outlook_of_run(ops: Operations, name: str) -> RunOutlook:
    """What running a schedule now would do; nothing is sent.

    Raises:
        NotFoundError: there is no such schedule.
        InputError: its audience or message does not work.
    """
    ops.may(Operation.FORECASTS_SEE)
    async with acquire(ops.pool) as connection:
        spec = (await _named(connection, name)).parsed()
    app, now = await apps.chosen(ops, spec.app), ops.clock.now()
    question = forecasts.run_question(app, name, spec, now)
    found = await forecasts.look_ahead(ops, question, thorough=False)
    return RunOutlook(
        found,
        approvals.is_large(spec.to, len(found.userids)),
        tuple(warnings.of_run(name, spec, found, now)),
    )


async def run(ops: Operations, name: str, *, request_id: str | None = None, people: int = 0) -> int:
    """Fire a schedule now, beside its own instants; return the run's id.

    The same request id fires once, and a repeat is answered with the first run's id.

    What waits for an approval, the schedule or the run, is held until it comes.

    Args:
        ops: where, and who asks.
        name: which.
        request_id: makes a repeat harmless.
        people: how many it goes to, from `outlook_of_run`.

    Raises:
        NotFoundError: there is no such schedule.
        ConflictError: no process that has its function is alive.
    """
    ops.may(Operation.SCHEDULES_RUN)
    now = ops.clock.now()
    async with transaction(ops.pool) as connection:
        schedule = await _named(connection, name)
        if request_id and (made := await _made(connection, schedule, request_id)):
            return made
        _check_attended(schedule)
        spec = Manual.of(schedule.parsed())
        needed = await approvals.needed(connection, spec.to, people, actor=ops.actor)
        gated = Gated(Kind.RUN, spec, now, approved=schedule.approved and not needed)
        fate = decide(gated, now, Rules(await rules.quiet_hours(connection)))
        new = runs.NewRun(
            schedule_id=schedule.id,
            schedule=schedule.name,
            revision=schedule.revision,
            kind=Kind.RUN,
            key=request_id or uuid4().hex,
            app_id=schedule.app_id,
            org=schedule.org,
            function=schedule.function,
            spec=spec,
            due_at=now,
            state=state_of(fate),
            cause=None if isinstance(fate, Proceed) else fate.cause,
            held_until=fate.until if isinstance(fate, Hold) else None,
            requested_by=ops.actor.name,
        )
        created = await runs.create(connection, [new], now)
        if request_id and not created:  # the same request was made at the same moment
            made = await _made(connection, schedule, request_id)
            if made is not None:
                return made
        run_id = created[0][0]
        await jobs.enqueue(connection, wakeups_of(run_id, schedule.function, fate))
    return run_id


async def _made(connection: Connection, schedule: Schedule, request_id: str) -> int | None:
    """The run that a request id has made."""
    return await runs.identified(connection, schedule.id, Kind.RUN, request_id)


def _check_attended(schedule: Schedule) -> None:
    """See that somebody can call the function that makes the message."""
    if schedule.attended:
        return
    if schedule.orphaned:
        raise ConflictError(
            Text(
                "schedule {name!r} is orphaned: the program {program} has no function for it any "
                "more. Put it back, or run `dingbell schedules delete {name}`",
                "日程 {name!r} 已成孤立: 程序 {program} 中不再有它的函数。请恢复该函数, 或运行 "
                "`dingbell schedules delete {name}`",
            ).format(name=schedule.name, program=schedule.program)
        )
    raise ConflictError(
        Text(
            "schedule {name!r} gets its message from the program {program}, which is not running: "
            "start it, then ask again",
            "日程 {name!r} 的消息由程序 {program} 生成, 而该程序没有运行: 请启动后再试",
        ).format(name=schedule.name, program=schedule.program or schedule.function)
    )
