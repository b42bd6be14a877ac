"""Following: what DingTalk told of changes is read from it and applied.

An event says who or what has changed, and seldom how. So whoever it names is read as they are now:
the order of events does not matter, nor does it harm that one comes twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from dingbell.dingtalk import User, errors
from dingbell.directory.pacing import Pacer, together
from dingbell.directory.person import person_of
from dingbell.directory.reader import DirectoryReader
from dingbell.intake import cleaned
from dingbell.store import directory, directory_changes, directory_events
from dingbell.store.apps import App
from dingbell.store.connection import acquire, transaction
from dingbell.store.directory import Department, Role
from dingbell.store.directory_changes import Changes, Part, Reading
from dingbell.store.directory_events import Kept
from dingbell.telemetry import Event, log

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = ["Follower"]

# Events that are applied together.
_AT_ONCE = 500
# Above so many people the whole directory is read in less time than they are one by one.
_CHEAPER_WHOLE = 1_000
# Outside of what the app may see: as good as not there.
_OUTSIDE = frozenset({"50002", "50004"})
# Departments above one that is new; more have no end.
_MOST_LEVELS = 50
T = TypeVar("T")


class Follower:
    """Applies the events of one org that have been kept."""

    def __init__(self, reader: DirectoryReader, app: App) -> None:
        self._reader = reader
        self._app = app
        self._pacer = Pacer(reader.clock, app.calls_per_second or reader.pace.calls_per_second)

    async def catch_up(self) -> int:
        """Apply the events that are kept; return how many there were.

        Raises:
            DingTalkError: DingTalk could not be asked; they are still there.
            DatabaseUnavailable: likewise.
        """
        done = 0
        while found := await self._next():
            await self._apply(found)
            done += len(found)
        return done

    async def _next(self) -> list[Kept]:
        async with acquire(self._reader.pool) as connection:
            return await directory_events.pending(connection, self._app.org, _AT_ONCE)

    async def _apply(self, events: list[Kept]) -> None:
        people = _once(userid for one in events for userid in one.subject.people)
        departments = _once(dept_id for one in events for dept_id in one.subject.departments)
        roles = any(one.subject.roles for one in events)
        ids = [one.event_id for one in events]
        if len(people) > _CHEAPER_WHOLE:
            await self._reader.read(self._app)
            await self._finish(ids, None)
            return
        async with acquire(self._reader.pool) as connection:
            known = await directory.ids(connection, self._app.org)
        client = await self._reader.clients.of(self._app.id)
        part = _PartWalk(client, self._pacer, set(known.departments), set(known.roles))
        await self._finish(ids, await part.read(people, departments, roles=roles))

    async def _finish(self, ids: list[str], reading: Reading | None) -> None:
        """Write what was read, and that the events are done, in one transaction."""
        now = self._reader.clock.now()
        changes = Changes()
        async with transaction(self._reader.pool) as connection:
            if reading is not None:
                changes = await directory_changes.take_over(connection, self._app.org, reading, now)
            await directory_events.applied(connection, self._app.org, ids, now)
        if changes:
            log(
                Event.DIRECTORY_CHANGED,
                org=self._app.org,
                changed=len(changes.people),
                left=len(changes.left),
                departments=len(changes.departments) + len(changes.closed),
            )


@dataclass(slots=True)
class _PartWalk:
    """Reads a part of a directory: some people, some departments, the list of roles."""

    client: Client
    pacer: Pacer
    known: set[int]
    known_roles: set[int]
    departments: dict[int, Department] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)

    async def read(self, people: list[str], departments: list[int], *, roles: bool) -> Reading:
        """Read what has changed, and the departments and roles that are new with it.

        Raises:
            DingTalkError: DingTalk could not be asked.
        """
        await together(self._department(dept_id) for dept_id in departments)
        users = [one for one in await together(map(self._user, people)) if one is not None]
        seats = _once(dept_id for user in users for dept_id in user.dept_ids)
        await together(self._above(dept_id) for dept_id in seats)
        played = {role.id for user in users for role in user.roles}
        listed = await self._roles() if roles or played - self.known_roles else None
        there = (self.known - self.asked) | self.departments.keys()
        return Reading(
            people=[person_of(user, there.intersection(user.dept_ids)) for user in users],
            departments=[self._placed(one, there) for one in self.departments.values()],
            roles=listed or (),
            played=_played(users, self.known_roles, listed),
            part=Part(people, self.asked, roles=listed is not None),
        )

    async def _department(self, dept_id: int) -> None:
        self.asked.add(dept_id)
        found = await _if_there(
            self.pacer.once("department", lambda: self.client.department(dept_id))
        )
        if found is not None:
            name = cleaned(found.name)
            self.departments[dept_id] = Department(dept_id, name, found.parent_id)

    async def _user(self, userid: str) -> User | None:
        return await _if_there(self.pacer.once("get", lambda: self.client.user(userid)))

    async def _above(self, dept_id: int | None) -> None:
        """Read a department that is not known, and those it lies in."""
        for _ in range(_MOST_LEVELS):
            if dept_id is None or dept_id in self.known or dept_id in self.asked:
                return
            await self._department(dept_id)
            found = self.departments.get(dept_id)
            dept_id = found.parent_id if found else None

    async def _roles(self) -> list[Role] | None:
        """The list of all roles; None where the app may not read it."""
        try:
            groups = await self.pacer.ask("roles", lambda turn: self.client.roles(turn=turn))
        except errors.NotPermitted:
            return None
        return [
            Role(role.id, cleaned(role.name), group=cleaned(group.name))
            for group in groups
            for role in group.roles
        ]

    def _placed(self, one: Department, there: set[int]) -> Department:
        """A department below another that is there; else it is a root of what the app sees."""
        parent = one.parent_id if one.parent_id in there else None
        return Department(one.dept_id, one.name, parent)


def _played(
    users: Iterable[User], known: set[int], listed: list[Role] | None
) -> list[tuple[int, str]]:
    """Who has which role, of the roles that are there."""
    there = known if listed is None else {role.role_id for role in listed}
    return [(role.id, user.userid) for user in users for role in user.roles if role.id in there]


async def _if_there(asked: Awaitable[T]) -> T | None:
    """What was asked for; None where there is no such person or department, or not for us."""
    try:
        return await asked
    except (errors.UnknownPerson, errors.UnknownDepartment):
        return None
    except errors.NotPermitted as error:
        if error.code in _OUTSIDE:
            return None
        raise


def _once(items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))
