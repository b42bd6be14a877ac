"""Operations on calendars: show, import what was published, see what an import moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from dingbell import textfile
from dingbell.clients.download import fetch, is_address
from dingbell.domain.calendar import publication, statutory
from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.calendar.calendars import BUILT_IN, CN, NONE, Calendars
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.calendar.notice import Notice
from dingbell.domain.triggers import Trigger, parse_zone
from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.rescheduling import by_calendars, reschedule
from dingbell.operations.views import LocalInstant, View
from dingbell.store import calendars, schedules
from dingbell.store.calendars import ImportedYear
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.schedules import Schedule

__all__ = [
    "CalendarDiff",
    "CalendarView",
    "delete",
    "diff",
    "import_",
    "listed",
    "put",
    "read",
    "remove",
    "show",
    "store",
]

# So far ahead an import is looked at, and so many instants of a schedule.
_AHEAD = timedelta(days=400)
_MOST = 2_000


class SpecialDay(View):
    """A day that is not as its weekday has it."""

    day: date
    workday: bool
    name: str


class YearSource(View):
    """Where the days of a year come from.

    Attributes:
        version: of what was imported, from 1; 0 is what the wheel has.
    """

    year: int
    source: str
    version: int


class CalendarView(View):
    """A calendar in one year.

    Attributes:
        known: whether the year has been published; where not, only weekends and the company's own
            days are known.
        days: those that are not as their weekday has them.
        years: the years that have been published.
    """

    name: str
    base: str | None
    year: int
    known: bool
    workdays: int
    days: tuple[SpecialDay, ...]
    years: tuple[YearSource, ...]


class CalendarSummary(View):
    """A calendar in a list."""

    name: str
    base: str | None
    first_year: int | None
    last_year: int | None


class MovedSchedule(View):
    """What becomes of the occurrences of a schedule, in its own zone."""

    schedule: str
    removed: tuple[LocalInstant, ...]
    added: tuple[LocalInstant, ...]


class CalendarDiff(View):
    """What an import changes.

    Attributes:
        days: those that become a workday, or a day off, and were not.
        moved: schedules whose occurrences of the next 400 days are others.
        versions: after an import, the version of each year.
    """

    calendar: str
    years: tuple[int, ...]
    days: tuple[SpecialDay, ...]
    moved: tuple[MovedSchedule, ...]
    versions: dict[int, int]


async def listed(ops: Operations) -> tuple[CalendarSummary, ...]:
    """Every calendar, by name."""
    ops.may(Operation.CALENDARS_SEE)
    async with acquire(ops.pool) as connection:
        known = await calendars.known(connection)
        specs = await calendars.specs(connection)
    return tuple(_summary(known.named(name), specs) for name in known.names)


def _summary(one: Calendar, specs: Mapping[str, Mapping[str, object]]) -> CalendarSummary:
    years = sorted(one.years) if one.years else None
    return CalendarSummary(
        name=one.name,
        base=_base(one.name, specs),
        first_year=years[0] if years else None,
        last_year=years[-1] if years else None,
    )


def _base(name: str, specs: Mapping[str, Mapping[str, object]]) -> str | None:
    return None if name in BUILT_IN else str(specs.get(name, {}).get("base", CN))


async def show(ops: Operations, name: str, year: int | None = None) -> CalendarView:
    """A calendar in a year, this one unless another is asked for.

    Raises:
        NotFoundError: there is no such calendar.
    """
    ops.may(Operation.CALENDARS_SEE)
    async with acquire(ops.pool) as connection:
        one = (await calendars.known(connection)).named(name)
        specs = await calendars.specs(connection)
        imported = await calendars.imported(connection)
    year = year or ops.clock.now().astimezone(parse_zone("Asia/Shanghai")).year
    return CalendarView(
        name=name,
        base=_base(name, specs),
        year=year,
        known=one.knows(year),
        workdays=sum(map(one.is_workday, _days_of(year))),
        days=tuple(_special(one, _days_of(year))),
        years=tuple(_sources(one, imported)),
    )


def _days_of(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=passed) for passed in range(366 if _is_leap(year) else 365))


def _is_leap(year: int) -> bool:
    return date(year, 2, 28) + timedelta(days=1) != date(year, 3, 1)


def _special(one: Calendar, days: Iterator[date]) -> Iterator[SpecialDay]:
    for day in days:
        if day in one.off or day in one.work:
            name = one.off.get(day) or one.work.get(day, "")
            yield SpecialDay(day=day, workday=one.is_workday(day), name=name)


def _sources(one: Calendar, imported: Sequence[ImportedYear]) -> Iterator[YearSource]:
    own = {found.year: found for found in imported if found.calendar in (one.name, CN)}
    own |= {found.year: found for found in imported if found.calendar == one.name}
    shipped = {notice.year for notice in statutory.notices()}
    for year in sorted(one.years or ()):
        if (found := own.get(year)) is not None:
            yield YearSource(year=year, source=found.source, version=found.version)
        elif year in shipped:
            yield YearSource(year=year, source=statutory.SOURCE, version=0)


async def read(source: str, name: str = CN) -> list[Notice]:
    """Read what was published, from a file or an address.

    Raises:
        InputError: it cannot be read, or is no calendar.
        OutsideError: the address cannot be reached.
    """
    if is_address(source):
        content = await fetch(source, largest=publication.LARGEST)
    else:
        content = await asyncio.to_thread(_file, Path(source))
    try:
        # Parsing a megabyte takes seconds.
        return await asyncio.to_thread(publication.read, content, whole_years=name == CN)
    except InputError as error:
        said = Text("{source}: {words}", "{source}: {words}")
        raise InputError(said.format(source=source, words=error.message)) from None


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(publication.LARGEST + 1)
    except (OSError, ValueError) as error:
        raise InputError(
            Text("cannot read {path}: {why}", "无法读取 {path}: {why}").format(
                path=path, why=textfile.reason(error)
            )
        ) from None


async def diff(ops: Operations, name: str, notices: Sequence[Notice]) -> CalendarDiff:
    """What an import would change; nothing is changed.

    Raises:
        InputError: a schedule could not do with it.
    """
    ops.may(Operation.CALENDARS_SEE)
    async with acquire(ops.pool) as connection:
        return await _difference(ops, connection, name, notices)


async def import_(
    ops: Operations, name: str, notices: Sequence[Notice], *, source: str
) -> CalendarDiff:
    """Keep what was published; schedules come due by it from now on.

    Args:
        ops: where, and who asks.
        name: `cn` for the statutory calendar, else a company's own.
        notices: the years.
        source: where they come from.

    Raises:
        InputError: a schedule could not do with it; nothing was changed.
    """
    ops.may(Operation.CALENDARS_PUT)
    _check_name(name)
    async with transaction(ops.pool) as connection:
        found = await _difference(ops, connection, name, notices)
        versions = {}
        for notice in notices:
            versions[notice.year] = await calendars.put_year(
                connection,
                name,
                notice,
                source=_without_secrets(source),
                now=ops.clock.now(),
                by=ops.actor.name,
            )
        await reschedule(ops, connection)
    return found.model_copy(update={"versions": versions})


def _check_name(name: str) -> None:
    if name == NONE:
        raise InputError(
            Text("the calendar none has weekends only", "日历 none 只有周末, 不能更改"),
        )


def _without_secrets(source: str) -> str:
    """A source as it is kept: an address without user, password, and what follows a `?`."""
    if not is_address(source):
        return source[:500]
    scheme, _, rest = source.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"[:500]


async def _difference(
    ops: Operations, connection: Connection, name: str, notices: Sequence[Notice]
) -> CalendarDiff:
    before = await calendars.known(connection)
    after = await _with(connection, name, notices)
    now = ops.clock.now()
    years = tuple(sorted(notice.year for notice in notices))
    moved = []
    for one in by_calendars(await schedules.all_schedules(connection)):
        await ops.clock.sleep(0)  # others have a turn
        if (found := _moved(one, before, after, now)) is not None:
            moved.append(found)
    return CalendarDiff(
        calendar=name,
        years=years,
        days=tuple(_changed(before, after.named(name), name, years)),
        moved=tuple(moved),
        versions={},
    )


async def _with(connection: Connection, name: str, notices: Sequence[Notice]) -> Calendars:
    """The calendars as they will be."""
    specs = {
        key: CalendarSpec.model_validate(spec)
        for key, spec in (await calendars.specs(connection)).items()
    }
    found = calendars.notices(await calendars.imported(connection))
    new = {notice.year for notice in notices}
    kept = [notice for notice in found.get(name, []) if notice.year not in new]
    return Calendars.of(specs, {**found, name: [*kept, *notices]})


def _changed(
    before: Calendars, after: Calendar, name: str, years: Sequence[int]
) -> Iterator[SpecialDay]:
    """The days of some years, and of the Decembers before, that become what they were not."""
    old = before.named(name if name in before.names else CN)
    for year in sorted({*years, *(year - 1 for year in years)}):
        for day in _days_of(year):
            if old.is_workday(day) != after.is_workday(day):
                named = after.off.get(day) or after.work.get(day, "")
                yield SpecialDay(day=day, workday=after.is_workday(day), name=named)


def _moved(
    one: Schedule, before: Calendars, after: Calendars, now: datetime
) -> MovedSchedule | None:
    spec = one.parsed()
    old, new = (set(_ahead(spec.trigger(known), now)) for known in (before, after))
    if old == new:
        return None
    zone = parse_zone(spec.timezone)
    removed, added = (
        tuple(instant.astimezone(zone) for instant in sorted(found))
        for found in (old - new, new - old)
    )
    return MovedSchedule(schedule=one.name, removed=removed, added=added)


def _ahead(trigger: Trigger, now: datetime) -> Iterator[datetime]:
    found = takewhile(lambda instant: instant < now + _AHEAD, trigger.after(now))
    return (instant for _, instant in zip(range(_MOST), found, strict=False))


async def put(ops: Operations, name: str, spec: CalendarSpec) -> None:
    """Keep a company's calendar; a repeat replaces it.

    Raises:
        InputError: it is built upon one that is not there, or a schedule cannot do with it.
    """
    ops.may(Operation.CALENDARS_PUT)
    async with transaction(ops.pool) as connection:
        await store(ops, connection, name, spec)


async def store(ops: Operations, connection: Connection, name: str, spec: CalendarSpec) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.CALENDARS_PUT)
    if name in BUILT_IN:
        raise InputError(
            Text(
                "the name {name} is taken: give the calendar another one",
                "名称 {name} 已被占用: 请换一个名称",
            ).format(name=name)
        )
    await calendars.put(connection, name, spec.to_dict())
    await calendars.known(connection, strict=True)
    await reschedule(ops, connection)


async def delete(ops: Operations, name: str) -> None:
    """Forget a company's calendar.

    Raises:
        NotFoundError: there is none of that name.
        ConflictError: a schedule uses it.
    """
    ops.may(Operation.CALENDARS_DELETE)
    async with transaction(ops.pool) as connection:
        await remove(ops, connection, name)


async def remove(ops: Operations, connection: Connection, name: str) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.CALENDARS_DELETE)
    if name not in await calendars.specs(connection):
        raise NotFoundError(
            Text("there is no calendar {name!r}", "没有日历 {name!r}").format(name=name)
        )
    await calendars.delete(connection, name)
    try:
        await calendars.known(connection, strict=True)
        await reschedule(ops, connection)
    except InputError as error:
        raise ConflictError(
            Text("calendar {name!r} is used by {where}", "日历 {name!r} 正被 {where} 使用").format(
                name=name, where=error.where
            )
        ) from None
