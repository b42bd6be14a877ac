"""Tables of the directory: people, departments, memberships, roles of each org, as last synced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dingbell.domain.attributes import stored, typed
from dingbell.domain.audience import Audience
from dingbell.store import datasets, duty
from dingbell.store.connection import Connection

__all__ = [
    "Department",
    "Person",
    "Role",
    "Sync",
    "find",
    "last_sync",
    "people",
    "put_people",
    "reading",
    "replace",
    "resolve",
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
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """When the directory was read last, and how large it was."""

    synced_at: datetime
    people: int
    departments: int


async def last_sync(connection: Connection, org: str) -> Sync | None:
    """The last complete reading of an org's directory."""
    row = await connection.fetchrow(
        "select synced_at, people, departments from directory_syncs where org = $1", org
    )
    return Sync(**row) if row else None


@asynccontextmanager
async def reading(connection: Connection, org: str) -> AsyncIterator[None]:
    """Hold the right to read an org's directory; others wait for it. No transaction is open."""
    async with duty.held(connection, f"directory:{org}", patience=600):
        yield


async def replace(
    connection: Connection,
    org: str,
    *,
    departments: Sequence[Department],
    people: Sequence[Person],
    roles: Sequence[Role],
    now: datetime,
) -> None:
    """Make the cache equal to what was read; people no longer there are marked as left."""
    await duty.awaited(connection, [f"directory:{org}"])
    for table in ("departments", "memberships", "roles", "role_members"):
        await connection.execute(f"delete from {table} where org = $1", org)
    await connection.copy_records_to_table(
        "departments",
        records=[(org, d.dept_id, d.name, d.parent_id) for d in departments],
    )
    await put_people(connection, org, people)
    await connection.execute(
        """
        update people set left_at = $3, active = false
        where org = $1 and left_at is null and not userid = any($2::text[])
        """,
        org,
        [person.userid for person in people],
        now,
    )
    await connection.copy_records_to_table(
        "memberships",
        records=[
            (org, dept_id, person.userid) for person in people for dept_id in person.departments
        ],
    )
    await connection.copy_records_to_table(
        "roles", records=[(org, role.role_id, role.name) for role in roles]
    )
    await connection.copy_records_to_table(
        "role_members",
        records=[(org, role.role_id, userid) for role in roles for userid in role.members],
    )
    await connection.execute(
        """
        insert into directory_syncs (org, synced_at, people, departments) values ($1, $2, $3, $4)
        on conflict (org) do update set synced_at = excluded.synced_at,
            people = excluded.people, departments = excluded.departments
        """,
        org,
        now,
        len(people),
        len(departments),
    )


async def put_people(connection: Connection, org: str, people: Sequence[Person]) -> None:
    """Insert or refresh people; nobody is removed."""
    await connection.execute(
        """
        insert into people (org, userid, name, mobile, active, attributes)
        select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::jsonb[])
        on conflict (org, userid) do update
        set name = excluded.name, mobile = excluded.mobile, active = excluded.active,
            attributes = excluded.attributes, left_at = null
        """,
        org,
        [person.userid for person in people],
        [person.name for person in people],
        [person.mobile for person in people],
        [person.active for person in people],
        [stored(person.attributes) for person in people],
    )


_RESOLVE = """
    with recursive tree (dept_id) as (
        select unnest($2::bigint[])
        union
        select d.dept_id from departments d join tree t on d.parent_id = t.dept_id
        where d.org = $1
    )
    select unnest($3::text[]) as userid
    union
    select m.userid from memberships m join tree t on m.dept_id = t.dept_id where m.org = $1
    union
    select rm.userid from role_members rm join roles r on r.org = rm.org and r.role_id = rm.role_id
    where rm.org = $1 and (r.name = any($4::text[]) or r.role_id::text = any($4::text[]))
    union
    select p.userid from people p
    where p.org = $1 and p.mobile = any($5::text[]) and p.left_at is null
    union
    select p.userid from people p where p.org = $1 and $6 and p.left_at is null and p.active
    order by userid
"""


async def resolve(connection: Connection, org: str, audience: Audience) -> list[str]:
    """The userids an audience names, each once, in order.

    Raises:
        LookupError: a saved audience does not exist; its name is the argument.
        NotFoundError: a list does not exist.
    """
    found = set(
        await connection.fetchval(
            f"select coalesce(array_agg(userid), '{{}}') from ({_RESOLVE}) as named",
            org,
            list(audience.departments),
            list(audience.users),
            list(audience.roles),
            list(audience.mobiles),
            audience.everyone,
        )
    )
    for name in audience.audience:
        spec = await connection.fetchval("select spec from audiences where name = $1", name)
        if spec is None:
            raise LookupError(name)
        found |= set(await resolve(connection, org, Audience.model_validate(spec)))
    for name in audience.lists:
        found |= set(await datasets.members(connection, org, name))
    if audience.except_:
        found -= set(await resolve(connection, org, audience.except_))
    return sorted(found)


async def subtree_size(connection: Connection, org: str, dept_id: int) -> int:
    """How many different people a department and its sub-departments hold."""
    size: int = await connection.fetchval(
        f"select count(*) from ({_RESOLVE}) as named",
        org,
        [dept_id],
        [],
        [],
        [],
        False,
    )
    return size


async def size(connection: Connection, org: str) -> int:
    """How many people are active."""
    count: int = await connection.fetchval(
        "select count(*) from people where org = $1 and left_at is null and active", org
    )
    return count


async def unknown_parts(
    connection: Connection, org: str, audience: Audience
) -> dict[str, list[str]]:
    """What an audience names that the directory does not have, by kind."""
    missing = {
        "departments": await _missing(
            connection,
            "select dept_id::text from departments where org = $1",
            org,
            [str(dept_id) for dept_id in audience.departments],
        ),
        "roles": await _missing(
            connection,
            "select name from roles where org = $1 "
            "union select role_id::text from roles where org = $1",
            org,
            list(audience.roles),
        ),
        "mobiles": await _missing(
            connection,
            "select mobile from people where org = $1 and left_at is null and mobile is not null",
            org,
            list(audience.mobiles),
        ),
    }
    return {kind: names for kind, names in missing.items() if names}


async def _missing(connection: Connection, known: str, org: str, names: list[str]) -> list[str]:
    if not names:
        return []
    rows = await connection.fetch(
        f"select name from unnest($2::text[]) as name except ({known}) order by 1",
        org,
        names,
    )
    return [row[0] for row in rows]


async def people(
    connection: Connection, org: str, userids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What templates see of people, by userid; people the directory does not know are left out."""
    rows = await connection.fetch(
        """
        select userid, name, mobile, attributes from people
        where org = $1 and userid = any($2::text[])
        """,
        org,
        list(userids),
    )
    return {
        row["userid"]: {
            **typed(row["attributes"]),
            "userid": row["userid"],
            "name": row["name"],
            "mobile": row["mobile"],
        }
        for row in rows
    }


async def find(connection: Connection, org: str, query: str, limit: int) -> list[dict[str, Any]]:
    """People whose name, userid or mobile contains a text."""
    rows = await connection.fetch(
        """
        select p.userid, p.name, p.mobile, p.active, p.attributes ->> 'title' as title,
               array(select d.name from memberships m
                     join departments d on d.org = m.org and d.dept_id = m.dept_id
                     where m.org = p.org and m.userid = p.userid order by 1) as departments
        from people p
        where p.org = $1 and p.left_at is null
          and strpos(lower(concat_ws(' ', p.name, p.userid, p.mobile)), lower($2)) > 0
        order by p.userid limit $3
        """,
        org,
        query,
        limit,
    )
    return [dict(row) for row in rows]
