"""Sync: walk the directory (通讯录) that an app may see, and keep it.

There is no "all users" endpoint: departments are listed level by level from the root, members per
department, roles apart. Directory calls are exempt from the monthly quota; each API takes 20
calls/s, so the walk keeps below that by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from dingbell.clock import Clock
from dingbell.dingtalk import Client, User, errors
from dingbell.errors import OutsideError, Text
from dingbell.store import directory
from dingbell.store.connection import Pool, transaction
from dingbell.store.directory import Department, Person, Role
from dingbell.telemetry import Event, log

__all__ = ["ROOT", "Progress", "sync"]

ROOT = 1
_AT_ONCE = 8
_CALLS_PER_SECOND = 18
_RETRIES = 6
_T = TypeVar("_T")

# Told how many people have been read so far.
Progress = Callable[[int], None]


class _Walk:
    """One reading of a directory, at a pace DingTalk accepts."""

    def __init__(self, client: Client, clock: Clock, progress: Progress) -> None:
        self._client = client
        self._clock = clock
        self._progress = progress
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._next: dict[str, float] = {}
        self.people: dict[str, Person] = {}
        self.departments: dict[int, Department] = {}

    async def _ask(self, api: str, call: Callable[[], Awaitable[_T]]) -> _T:
        """Make one call in its turn; wait and repeat where DingTalk is busy."""
        for attempt in range(_RETRIES):
            await self._turn(api)
            try:
                async with self._room:
                    return await call()
            except errors.RetryLater as error:
                await self._clock.sleep(error.after)
            except (errors.Ambiguous, errors.NotSent):
                if attempt == _RETRIES - 1:
                    raise
                await self._clock.sleep(0.2 * 2**attempt)
        return await call()

    async def _turn(self, api: str) -> None:
        now = self._clock.monotonic()
        at = max(self._next.get(api, now), now)
        self._next[api] = at + 1 / _CALLS_PER_SECOND
        if at > now:
            await self._clock.sleep(at - now)

    async def walk(self) -> None:
        """Read the whole tree and its members; members are read while the tree is."""
        self.departments[ROOT] = Department(ROOT, "", None)
        await self._visit(ROOT)

    async def _visit(self, dept_id: int) -> None:
        members = asyncio.ensure_future(self._members(dept_id))
        try:
            children = await self._ask("listsub", lambda: self._client.departments(dept_id))
            for child in children:
                self.departments[child.id] = Department(child.id, child.name, dept_id)
            await asyncio.gather(members, *(self._visit(child.id) for child in children))
        finally:
            members.cancel()

    async def _members(self, dept_id: int) -> None:
        for user in await self._ask("list", lambda: self._client.members(dept_id)):
            known = self.people.get(user.userid)
            belongs = {dept_id, *user.dept_ids, *(known.departments if known else ())}
            self.people[user.userid] = _person(user, belongs)
        self._progress(len(self.people))

    async def roles(self) -> list[Role]:
        """Read every role and who has it; without the permission there are none."""
        try:
            groups = await self._ask("roles", self._client.roles)
        except errors.NotPermitted:
            return []
        roles = [role for group in groups for role in group.roles]
        members = await asyncio.gather(*(self._role_members(role.id) for role in roles))
        return [
            Role(role.id, role.name, tuple(sorted(set(own))))
            for role, own in zip(roles, members, strict=True)
        ]

    async def _role_members(self, role_id: int) -> list[str]:
        return list(await self._ask("role members", lambda: self._client.role_members(role_id)))


async def sync(
    pool: Pool,
    client: Client,
    clock: Clock,
    org: str,
    *,
    progress: Progress = lambda _: None,
) -> directory.Sync:
    """Read the directory that an app may see, and replace the cache of its org.

    Raises:
        OutsideError: DingTalk could not be asked; the cache is as it was.
    """
    walk = _Walk(client, clock, progress)
    try:
        roles, _ = await asyncio.gather(walk.roles(), walk.walk())
    except errors.DingTalkError as error:
        raise OutsideError(
            Text("the directory could not be read: {en}", "通讯录读取失败: {zh}").format(
                en=error.en, zh=error.zh
            )
        ) from error
    now = clock.now()
    known = set(walk.departments)
    people = [_within(person, known) for person in walk.people.values()]
    async with transaction(pool) as connection:
        await directory.replace(
            connection,
            org,
            departments=list(walk.departments.values()),
            people=people,
            roles=_unique(roles),
            now=now,
        )
    log(Event.DIRECTORY_SYNCED, org=org, people=len(people), departments=len(known))
    return directory.Sync(now, len(people), len(known))


def _within(person: Person, known: set[int]) -> Person:
    """Keep the departments that were seen: an app's scope may hide others."""
    seen = tuple(sorted(set(person.departments) & known))
    return Person(person.userid, person.name, person.mobile, person.active, seen, person.attributes)


def _unique(roles: Iterable[Role]) -> list[Role]:
    return list({role.role_id: role for role in roles}.values())


def _person(user: User, departments: set[int]) -> Person:
    return Person(
        userid=user.userid,
        name=user.name,
        mobile=user.mobile or None,
        active=user.active,
        departments=tuple(sorted(departments)),
        attributes=_attributes(user),
    )


def _attributes(user: User) -> dict[str, Any]:
    """What templates see beside userid, name and mobile."""
    found = {
        "title": user.title,
        "email": user.email,
        "job_number": user.job_number,
        "unionid": user.unionid,
        "manager": user.manager_userid,
        "hired_on": user.hired_on.isoformat() if user.hired_on else None,
    }
    return {**user.extension, **{key: value for key, value in found.items() if value}}
