"""Sync: walk the directory (通讯录) that an app may see, and keep it.

There is no "all users" endpoint: departments are listed level by level from the root, members per
department, roles apart. Directory calls are exempt from the monthly quota; each API takes 20
calls/s, so the walk keeps below that by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from dingbell.clock import Clock
from dingbell.dingtalk import Department as ListedDepartment
from dingbell.dingtalk import User, errors
from dingbell.errors import OutsideError, Text
from dingbell.store import directory
from dingbell.store.connection import Pool, transaction
from dingbell.store.directory import Department, Person, Role
from dingbell.telemetry import Event, log

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = ["ROOT", "Progress", "sync"]

ROOT = 1
_AT_ONCE = 8
_SHARE = 0.9
_RETRIES = 6
_T = TypeVar("_T")
_Turn = Callable[[], Awaitable[None]]

# Told how many people have been read so far.
Progress = Callable[[int], None]


class _Walk:
    """One reading of a directory, at a pace DingTalk accepts."""

    def __init__(
        self, client: Client, clock: Clock, progress: Progress, calls_per_second: int
    ) -> None:
        self._pause = 1 / (calls_per_second * _SHARE)
        self._client = client
        self._clock = clock
        self._progress = progress
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._next: dict[str, float] = {}
        self.people: dict[str, Person] = {}
        self.departments: dict[int, Department] = {}

    async def _ask(self, api: str, call: Callable[[_Turn], Awaitable[_T]]) -> _T:
        """Ask in turn, page by page; wait and begin again where DingTalk is busy."""

        async def turn() -> None:
            await self._turn(api)

        for attempt in range(_RETRIES):
            try:
                async with self._room:
                    return await call(turn)
            except errors.RetryLater as error:
                await self._clock.sleep(error.after)
            except (errors.Ambiguous, errors.NotSent):
                if attempt == _RETRIES - 1:
                    raise
                await self._clock.sleep(0.2 * 2**attempt)
        return await call(turn)

    async def _turn(self, api: str) -> None:
        now = self._clock.monotonic()
        at = max(self._next.get(api, now), now)
        self._next[api] = at + self._pause
        if at > now:
            await self._clock.sleep(at - now)

    async def walk(self) -> None:
        """Read all the app may see: from the root, or from the parts its scope names."""
        scopes = await self._ask("scopes", lambda _: self._client.scopes())
        roots = scopes.dept_ids or (() if scopes.userids else (ROOT,))
        for dept_id in roots:
            self.departments[dept_id] = Department(dept_id, "", None)
        await asyncio.gather(*(self._visit(dept_id) for dept_id in roots))
        alone = [userid for userid in scopes.userids if userid not in self.people]
        await asyncio.gather(*(self._person(userid) for userid in alone))

    async def _person(self, userid: str) -> None:
        """Read somebody whom the scope names without a department."""
        user = await self._ask("get", lambda turn: self._user(userid, turn))
        self.people[userid] = _person(user, set(user.dept_ids))

    async def _user(self, userid: str, turn: _Turn) -> User:
        await turn()
        return await self._client.user(userid)

    async def _visit(self, dept_id: int) -> None:
        members = asyncio.ensure_future(self._members(dept_id))
        try:
            children = await self._ask("listsub", lambda turn: self._children(dept_id, turn))
            for child in children:
                self.departments[child.id] = Department(child.id, child.name, dept_id)
            await asyncio.gather(members, *(self._visit(child.id) for child in children))
        finally:
            members.cancel()

    async def _children(self, dept_id: int, turn: _Turn) -> list[ListedDepartment]:
        await turn()
        return await self._client.departments(dept_id)

    async def _members(self, dept_id: int) -> None:
        users = await self._ask("list", lambda turn: self._client.members(dept_id, turn=turn))
        for user in users:
            known = self.people.get(user.userid)
            belongs = {dept_id, *user.dept_ids, *(known.departments if known else ())}
            self.people[user.userid] = _person(user, belongs)
        self._progress(len(self.people))

    async def roles(self) -> list[Role]:
        """Read every role and who has it; without the permission there are none."""
        try:
            groups = await self._ask("roles", lambda turn: self._client.roles(turn=turn))
        except errors.NotPermitted:
            return []
        roles = [role for group in groups for role in group.roles]
        members = await asyncio.gather(*(self._role_members(role.id) for role in roles))
        return [
            Role(role.id, role.name, tuple(sorted(set(own))))
            for role, own in zip(roles, members, strict=True)
        ]

    async def _role_members(self, role_id: int) -> list[str]:
        return await self._ask(
            "role members", lambda turn: self._client.role_members(role_id, turn=turn)
        )


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
    walk = _Walk(client, clock, progress, calls_per_second)
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
        "senior": user.senior,
        "hired_on": user.hired_on,
    }
    return {**user.extension, **{key: value for key, value in found.items() if value}}
