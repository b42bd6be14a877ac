"""Gathering: schedules, stored or proposed, and the world they are sent in, out of the tables.

Everything is read in one transaction that writes nothing; audiences and words are found out once
for all schedules that share them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any, TypeVar

from pydantic import BaseModel

from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.domain.budget import Usage, month_of
from dingbell.domain.day_limit import UNLIMITED, DayLimit, Limits
from dingbell.domain.gates import Rules
from dingbell.domain.quiet import QuietHours
from dingbell.domain.run import Occurrence
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.simulation import Crowd, Subject, Words, World
from dingbell.domain.slots import Pace
from dingbell.domain.triggers import Trigger, parse_zone
from dingbell.errors import InputError, NotFoundError, OutsideError, Text
from dingbell.operations import apps, directory
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.operations.simulation.proposal import Proposal
from dingbell.operations.simulation.wording import Wording
from dingbell.planning import audiences as audience_parts
from dingbell.planning.sources import SourceFailed
from dingbell.planning.words import resolved
from dingbell.store import apps as app_rows
from dingbell.store import audiences as audience_rows
from dingbell.store import calendars as calendar_rows
from dingbell.store import directory as people_rows
from dingbell.store import rules as rule_rows
from dingbell.store import schedules as schedule_rows
from dingbell.store import spending
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire

__all__ = ["gather"]

_R = TypeVar("_R", bound=BaseModel)
_EVERYONE = Audience(everyone=True)
# Any id is as long as another, as far as a simulation goes.
_SOME_ID = "@media"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A schedule that is to be simulated, and its app."""

    name: str
    spec: ScheduleSpec
    app: _AppFacts
    approved: bool = True


@dataclass(frozen=True, slots=True)
class _AppFacts:
    """What a simulation asks of an app.

    Attributes:
        key: what is equal for two names of one app.
        stored: the app, where it is stored.
        given: the app, where a proposal gives it.
    """

    key: str
    org: str
    people_per_minute: int | None
    calls_per_second: int | None
    limit: DayLimit
    stored: App | None = None
    given: AppSpec | None = None

    @classmethod
    def of_row(cls, app: App) -> _AppFacts:
        """Those of a stored app."""
        key = f"{app.oapi_url} {app.agent_id}"
        paces = app.people_per_minute, app.calls_per_second
        return cls(key, app.org, *paces, app.day_limit, stored=app)

    @classmethod
    def of_spec(cls, ops: Operations, app: AppSpec) -> _AppFacts:
        """Those of an app that is given."""
        key = f"{(app.oapi_url or ops.oapi_url).rstrip('/')} {app.agent_id}"
        paces = app.people_per_minute, app.calls_per_second
        return cls(key, app.org, *paces, app.day_limit, given=app)


async def gather(
    ops: Operations, first: date, last: date, proposal: Proposal | None
) -> tuple[World, list[Subject]]:
    """Read everything that is simulated; directories that were never read are read first."""
    async with acquire(ops.pool) as connection:
        if proposal is None:
            wanted = await _stored(connection)
        else:
            wanted = await _proposed(ops, connection, proposal)
    await _read_directories(ops, wanted)
    async with _proposing(ops, proposal) as connection:
        addresses = await _addresses(connection, wanted)
    for address in sorted(addresses):
        # What does not answer is told of each schedule that asks it.
        with suppress(SourceFailed):
            await ops.sources.ask([address])
    async with _proposing(ops, proposal) as connection:
        return await _Gathering(ops, connection, first, last, proposal).everything(wanted)


@asynccontextmanager
async def _proposing(ops: Operations, proposal: Proposal | None) -> AsyncIterator[Connection]:
    """A transaction that reads the audiences of a proposal before the stored ones."""
    async with acquire(ops.pool) as connection, connection.transaction():
        if proposal is not None:
            saved = {name: one.to_dict() for name, one in proposal.audiences.items()}
            await audience_rows.overlay(connection, saved)
        yield connection


async def _addresses(connection: Connection, wanted: Iterable[_Wanted]) -> set[str]:
    """Every source that audiences ask."""
    found: set[str] = set()
    for one in wanted:
        # What is wrong with an audience is told where its people are looked up.
        with suppress(InputError, NotFoundError):
            found |= (await audience_parts.expand(connection, one.spec.to)).addresses()
    return found


async def _stored(connection: Connection) -> list[_Wanted]:
    """The active schedules; what cannot be read any more has an alert of its own."""
    known = {app.id: _AppFacts.of_row(app) for app in await app_rows.all_apps(connection)}
    found = []
    for row in await schedule_rows.all_schedules(connection):
        if row.state == "active" and not row.problem:
            with suppress(ValueError):
                found.append(_Wanted(row.name, row.parsed(), known[row.app_id], row.approved))
    return found


async def _proposed(ops: Operations, connection: Connection, proposal: Proposal) -> list[_Wanted]:
    """The schedules of a proposal, each with the app that it would be applied to."""
    given = {name: _AppFacts.of_spec(ops, app) for name, app in proposal.apps.items()}
    if ops.environment_app is not None and ops.default_app is not None:
        given.setdefault(ops.default_app, _AppFacts.of_spec(ops, ops.environment_app))
    stored = await app_rows.all_apps(connection)
    rows = {name: _AppFacts.of_row(app) for app in stored for name in app.names}
    known = {**rows, **given}
    calendars = (await calendar_rows.known(connection)).over(proposal.calendars)
    return [
        _Wanted(name, spec.on(calendars), _app_of(spec, known, ops.default_app))
        for name, spec in sorted(proposal.schedules.items())
    ]


def _app_of(spec: ScheduleSpec, known: Mapping[str, _AppFacts], default: str | None) -> _AppFacts:
    """The app of a schedule; without a name the only one, or the one the environment gives."""
    if spec.app is not None and spec.app in known:
        return known[spec.app]
    different = {one.key: one for one in known.values()}
    if spec.app is None and len(different) == 1:
        return next(iter(different.values()))
    if spec.app is None and default is not None and default in known:
        return known[default]
    names = ", ".join(sorted(known)) or "-"
    raise InputError(
        Text(
            "there is no app {name!r} (known: {known}); write apps: into the file",
            "没有应用 {name!r} (已有: {known}); 请在文件中写 apps:",
        ).format(name=spec.app or "", known=names)
    )


async def _read_directories(ops: Operations, wanted: Iterable[_Wanted]) -> None:
    """Read the directories that are asked and were never read; they are a copy of DingTalk's."""
    tried: set[str] = set()
    for one in wanted:
        needed = one.spec.to.needs_directory()
        personal = one.spec.message is not None and one.spec.message.is_personal
        if one.app.org in tried or not (needed or personal):
            continue
        tried.add(one.app.org)
        try:
            await _read_directory(ops, one.app)
        except OutsideError:
            # Of people of whom nothing can be read nothing is known; an audience says so itself.
            if needed:
                raise


async def _read_directory(ops: Operations, app: _AppFacts) -> None:
    if app.stored is not None:
        await directory.ensure(ops, app.stored)
    elif app.given is not None:
        client, pace = apps.trial(ops, app.given), app.calls_per_second
        await directory.read_unread(ops, client, app.org, calls_per_second=pace)


class _Gathering:
    """Reads in one transaction what schedules stand on, each thing once."""

    def __init__(
        self,
        ops: Operations,
        connection: Connection,
        first: date,
        last: date,
        proposal: Proposal | None,
    ) -> None:
        self._ops = ops
        self._connection = connection
        self._first, self._last = first, last
        self._proposal = proposal
        self._crowd = Crowd()
        self._people: dict[tuple[str, str, date | None], int] = {}
        self._triggers: dict[str, Trigger] = {}
        self._wording = Wording(ops.clock, self._crowd)

    async def everything(self, wanted: Sequence[_Wanted]) -> tuple[World, list[Subject]]:
        """The world, and the schedules in it."""
        orgs = sorted({one.app.org for one in wanted})
        facts = await self._orgs()
        everybody = {org: await self._directory(org) for org in orgs}
        rules = await self._rules()
        denied = rules.get(rule_rows.DENY)
        deny = 0
        for org in orgs if denied is not None else ():
            deny |= await self._named(org, Audience.model_validate(denied), None)
        everywhere = _rule(DayLimit, rules.get(rule_rows.DAY_LIMIT))
        subjects = [await self._subject(one, everywhere, facts) for one in wanted]
        world = World(
            self._crowd,
            Rules(_rule(QuietHours, rules.get(rule_rows.QUIET_HOURS))),
            denied=deny,
            unreachable=self._unreachable(everybody),
            paces={one.app.key: self._pace(one.app) for one in wanted},
            org_paces={org: self._org_pace(facts.get(org, {})) for org in orgs},
            usage=await self._usage(orgs, facts),
            spent_in=month_of(self._ops.clock.now()),
            daily_cap=self._ops.allowance.daily_per_person,
        )
        return world, subjects

    async def _rules(self) -> dict[str, Any]:
        known = await rule_rows.all_rules(self._connection)
        return {**known, **(self._proposal.rules if self._proposal else {})}

    async def _orgs(self) -> dict[str, dict[str, float | None]]:
        """What is set for each org; what a proposal leaves out stays."""
        known = await app_rows.all_orgs(self._connection)
        for name, spec in self._proposal.orgs.items() if self._proposal else ():
            given = {k: v for k, v in spec.model_dump().items() if v is not None}
            known[name] = {**known.get(name, {}), **given}
        return known

    async def _directory(self, org: str) -> int | None:
        """Everybody active of a directory; None where it was never read."""
        if await people_rows.last_sync(self._connection, org) is None:
            return None
        return await self._named(org, _EVERYONE, None)

    def _unreachable(self, everybody: Mapping[str, int | None]) -> int:
        """Whoever an audience names and a directory that was read does not have."""
        known = [org for org, active in everybody.items() if active is not None]
        active = 0
        for bits in everybody.values():
            active |= bits or 0
        named_ones = 0
        for org in known:
            members = [userid for one, userid in self._crowd.members() if one == org]
            named_ones |= self._crowd.bits(org, members)
        return named_ones & ~active

    def _pace(self, app: _AppFacts) -> Pace:
        default = self._ops.pace
        return Pace(
            app.people_per_minute or default.people_per_minute,
            app.calls_per_second or default.calls_per_second,
        )

    def _org_pace(self, facts: Mapping[str, float | None]) -> int:
        return int(facts.get("people_per_minute") or self._ops.pace.people_per_minute)

    async def _usage(
        self, orgs: Sequence[str], facts: Mapping[str, Mapping[str, float | None]]
    ) -> dict[str, Usage]:
        """What each org has spent of this month, and its limits."""
        default = self._ops.allowance.monthly_calls
        month = month_of(self._ops.clock.now())
        spent = await spending.usage(self._connection, orgs, month, default_limit=default)
        found = {}
        for org in orgs:
            own = facts.get(org, {})
            limit = own.get("monthly_calls") or default
            found[org] = replace(
                spent.get(org, Usage(0, None)),
                limit=int(limit) if limit else None,
                hold_bulk_at=own.get("hold_bulk_at"),
            )
        return found

    async def _subject(
        self,
        one: _Wanted,
        everywhere: DayLimit | None,
        facts: Mapping[str, Mapping[str, float | None]],
    ) -> Subject:
        """A schedule with its people and its words; what does not work is said of it."""
        spec, org = one.spec, one.app.org
        trigger = self._trigger(spec)
        fault: Text | None = None
        people: Mapping[date | None, int] = {}
        words = Words()
        try:
            spec = await self._in_words(spec)
            people = await self._cast(org, spec)
            everyone = 0
            for bits in people.values():
                everyone |= bits
            pace = min(self._pace(one.app).people_per_minute, self._org_pace(facts.get(org, {})))
            words = await self._wording.of(
                self._connection, one.name, org, spec, everyone, most=pace, on=self._noon()
            )
        except (InputError, NotFoundError, SourceFailed) as error:
            fault = error.message
        coarse = spec.tracking == "coarse"
        exempt = coarse or spec.priority == "urgent"
        own = DayLimit(per_person_per_day=spec.per_person_per_day, over_limit=spec.over_limit)
        always = people.get(None)
        return Subject(
            one.name,
            one.app.key,
            org,
            Occurrence.of(spec),
            trigger,
            (lambda day: people.get(day, 0)) if always is None else (lambda _: always),
            words,
            UNLIMITED if exempt else Limits.of(everywhere, one.app.limit, own),
            approved=one.approved,
            fault=fault,
            whole=_whole(spec) if coarse else None,
            unpublished=lambda due: spec.unpublished(trigger, due),
        )

    async def _in_words(self, spec: ScheduleSpec) -> ScheduleSpec:
        """A schedule with what its template says and some id for each file it names."""
        message = spec.message
        if message is None:
            return spec
        proposed = self._proposal.templates if self._proposal else {}
        if message.template is not None and message.template in proposed:
            message = message.saying(proposed[message.template].content)
        message, _ = await resolved(self._connection, message)
        message = message.with_media(dict.fromkeys(message.uploads, _SOME_ID))
        return spec.model_copy(update={"message": message})

    def _noon(self) -> datetime:
        """An instant for which words are tried out."""
        return datetime(self._first.year, self._first.month, self._first.day, 12, tzinfo=SHANGHAI)

    def _trigger(self, spec: ScheduleSpec) -> Trigger:
        """The rule; schedules that share one read it once."""
        key = f"{spec.timezone} {spec.calendar} {spec.when!r}"
        if key not in self._triggers:
            self._triggers[key] = spec.trigger()
        return self._triggers[key]

    async def _cast(self, org: str, spec: ScheduleSpec) -> Mapping[date | None, int]:
        """Whom an audience names: always the same (under None), or day by day."""
        whole = await audience_parts.expand(self._connection, spec.to)
        if not whole.depends_on_day():
            return {None: await self._named(org, spec.to, None)}
        begin = datetime(self._first.year, self._first.month, self._first.day, tzinfo=SHANGHAI)
        found: dict[date | None, int] = {}
        for due in self._trigger(spec).after(begin - timedelta(microseconds=1)):
            if due.astimezone(SHANGHAI).date() > self._last:
                break
            day = due.astimezone(parse_zone(spec.timezone)).date()
            if day not in found:
                found[day] = await self._named(org, spec.to, day)
        return found

    async def _named(self, org: str, audience: Audience, day: date | None) -> int:
        """Whom an audience names on a day; None where every day is like another."""
        key = org, audience.model_dump_json(), day
        if key not in self._people:
            userids = await directory.resolve(
                self._ops,
                self._connection,
                org,
                audience,
                day=day or self._first,
                may_be_empty=True,
            )
            self._people[key] = self._crowd.bits(org, userids)
        return self._people[key]


def _whole(spec: ScheduleSpec) -> int:
    """How many calls it takes to send to departments as they are."""
    return 1 if spec.to.everyone else len(spec.to.departments) + ceil(len(spec.to.users) / 100)


def _rule(kind: type[_R], content: Any) -> _R | None:
    """A rule, where there is one."""
    return None if content is None else kind.model_validate(content)
