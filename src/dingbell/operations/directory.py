"""Operations on the directory: read it, look people up, say whom an audience means."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from dingbell.directory.reader import DirectoryReader
from dingbell.directory.spelling import spell_new
from dingbell.directory.sync import Progress, sync
from dingbell.domain.audience import Audience
from dingbell.domain.triggers import parse_zone
from dingbell.errors import InputError, Text
from dingbell.intake import mobile_number
from dingbell.operations import apps
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View
from dingbell.planning import audiences
from dingbell.store import directory, directory_search, rules
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = [
    "AudienceMembers",
    "DirectoryView",
    "FoundView",
    "PersonView",
    "ask_sources",
    "ensure",
    "find",
    "members",
    "read_unread",
    "resolve",
    "synchronise",
    "today",
]


class DirectoryView(View):
    """A directory as it was read."""

    people: int
    departments: int
    synced_at: Instant


class PersonView(View):
    """A person of the directory."""

    kind: Literal["person"] = "person"
    userid: str
    name: str
    title: str | None
    mobile: str | None
    job_number: str | None
    active: bool
    departments: tuple[str, ...]


class FoundView(View):
    """A department or a role that was looked for."""

    kind: Literal["department", "role"]
    id: int
    name: str


class AudienceMembers(View):
    """Whom an audience means."""

    people: int
    userids: tuple[str, ...]


def _quiet(_: int) -> None:
    """Tell nobody about progress."""


async def synchronise(
    ops: Operations, app: str | None, *, progress: Progress = _quiet
) -> DirectoryView:
    """Read the directory an app may see, now."""
    ops.may(Operation.DIRECTORY_SYNC)
    async with acquire(ops.pool) as connection:
        found = await apps.find(ops, connection, app)
        async with directory.reading(connection, found.org):
            done = await _reader(ops).read(found, progress=progress)
    return DirectoryView(people=done.people, departments=done.departments, synced_at=done.synced_at)


def _reader(ops: Operations) -> DirectoryReader:
    return DirectoryReader(ops.pool, ops.clients, ops.clock, ops.pace)


async def ensure(
    ops: Operations, app: App, *, younger_than: timedelta | None = None, progress: Progress = _quiet
) -> None:
    """Read the directory if it has never been read, or not for a given time."""
    await _reader(ops).ensure(app, younger_than=younger_than, progress=progress)


async def read_unread(
    ops: Operations, client: Client, org: str, *, calls_per_second: int | None = None
) -> None:
    """Read an org's directory with a client that is given, if it has never been read."""
    async with acquire(ops.pool) as connection, directory.reading(connection, org):
        if await directory.last_sync(connection, org) is None:
            pace = calls_per_second or ops.pace.calls_per_second
            await sync(ops.pool, client, ops.clock, org, calls_per_second=pace, progress=_quiet)


async def today(ops: Operations) -> date:
    """The day it is where the service is."""
    async with acquire(ops.pool) as connection:
        zone = parse_zone(await rules.zone_name(connection))
    return ops.clock.now().astimezone(zone).date()


async def ask_sources(ops: Operations, audience: Audience) -> None:
    """Ask the sources an audience reaches, before a transaction needs what they say.

    Raises:
        SourceFailed: one of them does not say whom it means.
        NotFoundError: a saved audience does not exist.
    """
    addresses = audience.addresses()
    if audience.saved():
        async with acquire(ops.pool) as connection:
            addresses = (await audiences.expand(connection, audience)).addresses()
    if addresses:
        await ops.sources.ask(addresses)


async def resolve(
    ops: Operations,
    connection: Connection,
    org: str,
    audience: Audience,
    *,
    day: date,
    may_be_empty: bool = False,
) -> list[str]:
    """Whom an audience means on a day, by the directory as it was read.

    Raises:
        InputError: it names departments, roles or mobiles that do not exist, or nobody at all.
        NotFoundError: it names a saved audience that does not exist.
        SourceFailed: a source was not asked before.
    """
    userids = audiences.plain(audience)
    if audience.needs_directory():
        whole = await audiences.check(connection, org, audience)
        fetched = ops.sources.remembered()
        userids = (await audiences.find(connection, org, whole, day=day, fetched=fetched)).userids
    if not userids and not may_be_empty:
        raise InputError(Text("the audience is empty", "受众为空"))
    return userids


async def members(ops: Operations, app: str | None, audience: Audience) -> AudienceMembers:
    """Whom an audience means today, reading the directory first where that is needed.

    Raises:
        InputError: it names departments, roles or mobiles that do not exist, or nobody at all.
        NotFoundError: it names a saved audience that does not exist.
        SourceFailed: a source does not say whom it means.
    """
    ops.may(Operation.DIRECTORY_SEE)
    found = await apps.chosen(ops, app)
    if audience.needs_directory():
        await ensure(ops, found)
        await ask_sources(ops, audience)
    day = await today(ops)
    async with acquire(ops.pool) as connection:
        userids = await resolve(ops, connection, found.org, audience, day=day)
    return AudienceMembers(people=len(userids), userids=tuple(userids))


async def find(
    ops: Operations, app: str | None, query: str, *, limit: int = 20
) -> tuple[PersonView | FoundView, ...]:
    """People, departments and roles as somebody types them, the best of each kind first.

    People are found by name, pinyin in full or its initials, userid, the last digits of the
    mobile, the job number, and the name of their department.
    """
    ops.may(Operation.DIRECTORY_SEE)
    found = await apps.chosen(ops, app)
    await ensure(ops, found)
    if query.isascii() and any(map(str.isalpha, query)):
        # It may be pinyin: names nobody has looked for yet get theirs now.
        await spell_new(ops.pool, found.org)
    if any(map(str.isdecimal, query)):
        query = _perhaps_mobile(query)
    async with acquire(ops.pool) as connection:
        people = await directory_search.people(connection, found.org, query, limit)
        departments = await directory_search.departments(connection, found.org, query, limit)
        roles = await directory_search.roles(connection, found.org, query, limit)
    return (
        *(PersonView(**row) for row in people),
        *(FoundView(kind="department", id=one, name=name) for one, name in departments),
        *(FoundView(kind="role", id=one, name=name) for one, name in roles),
    )


def _perhaps_mobile(query: str) -> str:
    """A mobile in the form it is kept in; anything else as it is."""
    number = mobile_number(query)
    return number if number.removeprefix("+").isdecimal() else query
