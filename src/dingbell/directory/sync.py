"""Sync: walk the directory (通讯录) that an app may see, and keep it.

There is no "all users" endpoint: departments are listed level by level from the root, members per
department, roles apart. Directory calls are exempt from the monthly quota; each API takes 20
calls/s, so the walk keeps below that by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from dingbell.clock import Clock
from dingbell.dingtalk import errors
from dingbell.directory.pacing import Pacer, together
from dingbell.directory.person import person_of
from dingbell.errors import OutsideError, Text
from dingbell.intake import cleaned
from dingbell.store import directory, directory_changes
from dingbell.store.connection import Pool, transaction
from dingbell.store.directory import Department, Person, Role
from dingbell.store.directory_changes import Reading
from dingbell.telemetry import Event, log

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = ["ROOT", "Progress", "sync"]

ROOT = 1
# People who are gone through before others have a turn.
_AT_ONCE = 500
# More than any company has: departments, one below another, and roles. What is more has no end.
_MOST_DEPARTMENTS = 100_000
_MOST_LEVELS = 200
_MOST_ROLES = 20_000

# Told how many people have been read so far.
Progress = Callable[[int], None]


class _Walk:
    """One reading of a directory, at a pace DingTalk accepts."""

    def __init__(self, client: Client, pacer: Pacer, progress: Progress) -> None:
        self._client = client
        self._pacer = pacer
        self._progress = progress
        self.people: dict[str, Person] = {}
        self.departments: dict[int, Department] = {}
        self._visited: set[int] = set()

    async def everything(self) -> list[Role]:
        """Read people, departments and roles; return the roles."""
        found: list[Role] = []

        async def roles() -> None:
            found.extend(await self.roles())

        await together([roles(), self.walk()])
        return found

    async def walk(self) -> None:
        """Read all the app may see: from the root, or from the parts its scope names."""
        scopes = await self._pacer.once("scopes", self._client.scopes)
        roots = scopes.dept_ids or (() if scopes.userids else (ROOT,))
        for dept_id in roots:
            self.departments[dept_id] = Department(dept_id, "", None)
        await together([*map(self._name, roots), *map(self._visit, roots)])
        alone = [userid for userid in scopes.userids if userid not in self.people]
        await together(self._person(userid) for userid in alone)

    async def _name(self, dept_id: int) -> None:
        """Read what a root is called: no list names it. It may be kept from the app."""
        try:
            found = await self._client.department(dept_id)
        except errors.DingTalkError:
            return  # it has no name then
        self.departments[dept_id] = Department(dept_id, cleaned(found.name), None)

    async def _person(self, userid: str) -> None:
        """Read somebody whom the scope names without a department."""
        user = await self._pacer.once("get", lambda: self._client.user(userid))
        self.people[userid] = person_of(user, set(user.dept_ids))

    async def _visit(self, dept_id: int) -> None:
        if dept_id in self._visited:
            return
        if len(self._visited) == _MOST_DEPARTMENTS:
            raise _endless("departments")
        self._visited.add(dept_id)
        await together([self._members(dept_id), self._below(dept_id)])

    async def _below(self, dept_id: int) -> None:
        children = await self._pacer.once("listsub", lambda: self._client.departments(dept_id))
        above = set(islice(self._upwards(dept_id), _MOST_LEVELS))
        if len(above) == _MOST_LEVELS:
            raise _endless("departments")
        below = [child for child in children if child.id not in above]
        for child in below:
            self.departments[child.id] = Department(child.id, cleaned(child.name), dept_id)
        await together(self._visit(child.id) for child in below)

    def _upwards(self, dept_id: int) -> Iterator[int]:
        """A department and all it lies in: none of them lies in it, whatever an answer says."""
        above: int | None = dept_id
        while above is not None:
            yield above
            known = self.departments.get(above)
            above = known.parent_id if known else None

    async def _members(self, dept_id: int) -> None:
        users = await self._pacer.ask("list", lambda turn: self._client.members(dept_id, turn=turn))
        for user in users:
            known = self.people.get(user.userid)
            belongs = {dept_id, *user.dept_ids, *(known.departments if known else ())}
            self.people[user.userid] = person_of(user, belongs)
        self._progress(len(self.people))

    async def roles(self) -> list[Role]:
        """Read every role and who has it; without the permission there are none."""
        try:
            groups = await self._pacer.ask("roles", lambda turn: self._client.roles(turn=turn))
        except errors.NotPermitted:
            return []
        roles = [role for group in groups for role in group.roles]
        if len(roles) > _MOST_ROLES:
            raise _endless("roles")
        members = await together(self._role_members(role.id) for role in roles)
        return [
            Role(role.id, cleaned(role.name), tuple(sorted(set(own))), cleaned(role.group or ""))
            for role, own in zip(roles, members, strict=True)
        ]

    async def _role_members(self, role_id: int) -> list[str]:
        return await self._pacer.ask(
            "role members", lambda turn: self._client.role_members(role_id, turn=turn)
        )


def _endless(what: str) -> errors.DingTalkError:
    return errors.Permanent("unreadable", f"the {what} do not end")


async def sync(
    pool: Pool,
    client: Client,
    clock: Clock,
    org: str,
    *,
    calls_per_second: int,
    progress: Progress = lambda _: None,
) -> directory.Sync:
    """Read the directory that an app may see, and replace the cache of its org.

    Raises:
        OutsideError: DingTalk could not be asked; the cache is as it was.
    """
    began = clock.now()
    walk = _Walk(client, Pacer(clock, calls_per_second), progress)
    try:
        roles = await walk.everything()
    except errors.DingTalkError as error:
        raise OutsideError(
            Text("the directory could not be read: {en}", "通讯录读取失败: {zh}").format(
                en=error.en, zh=error.zh
            )
        ) from error
    reading = await _reading(clock, walk, roles)
    done = directory.Sync(clock.now(), len(reading.people), len(reading.departments))
    async with transaction(pool) as connection:
        changes = await directory_changes.take_over(connection, org, reading, done.synced_at)
        await directory.note_sync(connection, org, done, began)
    log(
        Event.DIRECTORY_SYNCED,
        org=org,
        people=done.people,
        departments=done.departments,
        changed=len(changes.people),
        left=len(changes.left),
    )
    return done


async def _reading(clock: Clock, walk: _Walk, roles: Iterable[Role]) -> Reading:
    """What was read; others have their turn meanwhile."""
    known = set(walk.departments)
    people: list[Person] = []
    for person in walk.people.values():
        people.append(_within(person, known))
        if len(people) % _AT_ONCE == 0:
            await clock.sleep(0)
    unique = {role.role_id: role for role in roles}.values()
    return Reading(
        people=people,
        departments=list(walk.departments.values()),
        roles=list(unique),
        played=[(role.role_id, userid) for role in unique for userid in role.members],
    )


def _within(person: Person, known: set[int]) -> Person:
    """Keep the departments that were seen: an app's scope may hide others."""
    seen = tuple(sorted(set(person.departments) & known))
    return Person(person.userid, person.name, person.mobile, person.active, seen, person.attributes)
