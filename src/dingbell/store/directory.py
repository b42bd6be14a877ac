"""Tables of the directory: people, departments, memberships, roles of each org, as last synced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dingbell.domain.attributes import stored, typed
from dingbell.store import duty
from dingbell.store.connection import Connection

__all__ = [
    "PEOPLE_READ",
    "RELATED",
    "Department",
    "Ids",
    "Person",
    "Role",
    "Sync",
    "columns",
    "ids",
    "last_sync",
    "note_sync",
    "people",
    "put_people",
    "reading",
    "subtree_size",
]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the directory. `attributes` is what templates see beside userid and name."""

    userid: str
    name: str
    mobile: str | None
    active: bool
    departments: tuple[int, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Department:
    """A department and its parent; the root has none."""

    dept_id: int
    name: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Role:
    """A role and who has it."""

    role_id: int
    name: str
    members: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Sync:
    """When the directory was read last, and how large it was.

    Attributes:
        streamed_since: since when every change has been heard of; None while nobody listens.
    """

    synced_at: datetime
    people: int
    departments: int
    streamed_since: datetime | None = None


async def last_sync(connection: Connection, org: str) -> Sync | None:
    """The last complete reading of an org's directory."""
    row = await connection.fetchrow(
        "select synced_at, people, departments, streamed_since from directory_syncs where org = $1",
        org,
    )
    return Sync(**row) if row else None


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of the departments and roles that are known."""

    departments: Sequence[int]
    roles: Sequence[int]


async def ids(connection: Connection, org: str) -> Ids:
    """The departments and roles of an org."""
    row = await connection.fetchrow(
        """
        select array(select dept_id from departments where org = $1) as departments,
               array(select role_id from roles where org = $1) as roles
        """,
        org,
    )
    assert row is not None
    return Ids(row["departments"], row["roles"])


@asynccontextmanager
async def reading(connection: Connection, org: str) -> AsyncIterator[None]:
    """Hold the right to read an org's directory; others wait for it. No transaction is open."""
    async with duty.held(connection, f"directory:{org}", patience=600):
        yield


async def note_sync(connection: Connection, org: str, sync: Sync, began: datetime) -> None:
    """Keep that the whole directory was read.

    What happened while it was read may be in it or not: events of that time are applied again.
    """
    await connection.execute(
        """
        insert into directory_syncs (org, synced_at, people, departments) values ($1, $2, $3, $4)
        on conflict (org) do update set synced_at = excluded.synced_at,
            people = excluded.people, departments = excluded.departments
        """,
        org,
        sync.synced_at,
        sync.people,
        sync.departments,
    )
    await connection.execute(
        "update directory_events set applied_at = null where org = $1 and seen_at >= $2",
        org,
        began,
    )


# People as they were read, as a table: `columns` gives its parameters from the second on.
PEOPLE_READ = """
    unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::jsonb[])
    as n (userid, name, mobile, active, attributes)
"""


def columns(people: Sequence[Person]) -> tuple[list[Any], ...]:
    """The parameters of `PEOPLE_READ`."""
    return (
        [person.userid for person in people],
        [person.name for person in people],
        [person.mobile for person in people],
        [person.active for person in people],
        [stored(person.attributes) for person in people],
    )


async def put_people(connection: Connection, org: str, people: Sequence[Person]) -> None:
    """Insert or refresh people; nobody is removed."""
    await connection.execute(
        f"""
        insert into people (org, userid, name, mobile, active, attributes)
        select $1, n.* from {PEOPLE_READ}
        on conflict (org, userid) do update
        set name = excluded.name, mobile = excluded.mobile, active = excluded.active,
            attributes = excluded.attributes, left_at = null
        """,
        org,
        *columns(people),
    )


async def subtree_size(connection: Connection, org: str, dept_id: int) -> int:
    """How many different people a department and its sub-departments hold."""
    people: int = await connection.fetchval(
        """
        with recursive tree (dept_id) as (
            select $2::bigint
            union
            select d.dept_id from departments d join tree t on d.parent_id = t.dept_id
            where d.org = $1
        )
        select count(distinct m.userid) from memberships m join tree t on m.dept_id = t.dept_id
        where m.org = $1
        """,
        org,
        dept_id,
    )
    return people


async def size(connection: Connection, org: str) -> int:
    """How many people are active."""
    count: int = await connection.fetchval(
        "select count(*) from people where org = $1 and left_at is null and active", org
    )
    return count


async def people(
    connection: Connection, org: str, userids: Sequence[str], also: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """What templates see of people, by userid; people the directory does not know are left out.

    Args:
        connection: any.
        org: whose directory is meant.
        userids: who is asked for; also who has left is known.
        also: of `RELATED`, what is read from elsewhere and only where it is used.
    """
    rows = await connection.fetch(
        """
        select userid, name, mobile, attributes from people
        where org = $1 and userid = any($2::text[])
        """,
        org,
        list(userids),
    )
    found = {
        row["userid"]: {
            **typed(row["attributes"]),
            "userid": row["userid"],
            "name": row["name"],
            "mobile": row["mobile"],
        }
        for row in rows
    }
    if "departments" in also:
        await _add_departments(connection, org, found)
    if "manager" in also:
        await _add_managers(connection, org, found)
    return found


# What templates see of a person that stands elsewhere in the directory.
RELATED = frozenset({"departments", "manager"})


async def _add_departments(
    connection: Connection, org: str, found: dict[str, dict[str, Any]]
) -> None:
    """The names of their own departments, as a list."""
    rows = await connection.fetch(
        """
        select m.userid, array_agg(d.name order by d.name) as names
        from memberships m join departments d on d.org = m.org and d.dept_id = m.dept_id
        where m.org = $1 and m.userid = any($2::text[]) group by 1
        """,
        org,
        list(found),
    )
    for row in rows:
        found[row["userid"]]["departments"] = row["names"]


async def _add_managers(connection: Connection, org: str, found: dict[str, dict[str, Any]]) -> None:
    """Their managers as records like their own; who has none keeps none."""
    wanted = {str(one["manager"]) for one in found.values() if one.get("manager")}
    managers = await people(connection, org, sorted(wanted))
    for one in found.values():
        if userid := one.get("manager"):
            one["manager"] = managers.get(str(userid), {"userid": userid})
