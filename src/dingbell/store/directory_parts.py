"""Parts of the directory by name: departments with their paths, roles, one person in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dingbell.domain.attributes import typed
from dingbell.store.connection import Connection

__all__ = [
    "ListedDepartment",
    "ListedRole",
    "WholePerson",
    "departments",
    "person",
    "roles",
]

# Deeper than any company: what refers to itself ends there.
_DEEPEST = 50

# Every department with the way to it, from below the root: `研发中心/平台部`. A root is its own.
_PATHS = f"""
    with recursive paths (dept_id, name, parent_id, path, depth) as (
        select dept_id, name, parent_id, name, 0 from departments
        where org = $1 and parent_id is null
        union all
        select d.dept_id, d.name, d.parent_id,
               case when p.depth = 0 then d.name else p.path || '/' || d.name end, p.depth + 1
        from departments d join paths p on d.parent_id = p.dept_id
        where d.org = $1 and p.depth < {_DEEPEST}
    )
"""


@dataclass(frozen=True, slots=True)
class ListedDepartment:
    """A department and the way to it.

    Attributes:
        path: the names from below the root down to it, parted by `/`.
        people: how many are in it, without those in departments below.
    """

    dept_id: int
    name: str
    path: str
    parent_id: int | None
    depth: int
    people: int


@dataclass(frozen=True, slots=True)
class ListedRole:
    """A role and its group."""

    role_id: int
    name: str
    group: str
    people: int


@dataclass(frozen=True, slots=True)
class WholePerson:
    """Everything that is known of somebody, also of who has left.

    Attributes:
        departments: (id, path).
        roles: (id, name).
        manager: userid and name, where there is one.
    """

    userid: str
    name: str
    mobile: str | None
    active: bool
    left_at: datetime | None
    attributes: Mapping[str, Any]
    departments: tuple[tuple[int, str], ...]
    roles: tuple[tuple[int, str], ...]
    manager: tuple[str, str | None] | None


async def departments(
    connection: Connection, org: str, *, after: str = "", limit: int | None = None
) -> list[ListedDepartment]:
    """Departments by path, which is the order of a tree."""
    rows = await connection.fetch(
        f"""
        {_PATHS}
        select p.dept_id, p.name, p.path, p.parent_id, p.depth, count(m.userid)::int as people
        from paths p left join memberships m on m.org = $1 and m.dept_id = p.dept_id
        group by 1, 2, 3, 4, 5
        having (case when p.depth = 0 then '' else p.path end || '/' || p.dept_id) collate "C" > $2
        order by (case when p.depth = 0 then '' else p.path end || '/' || p.dept_id) collate "C"
        limit $3
        """,
        org,
        after,
        limit,
    )
    return [ListedDepartment(**row) for row in rows]


async def roles(connection: Connection, org: str) -> list[ListedRole]:
    """All roles, by group and name."""
    rows = await connection.fetch(
        """
        select r.role_id, r.name, r.group_name as group, count(m.userid)::int as people
        from roles r left join role_members m on m.org = r.org and m.role_id = r.role_id
        where r.org = $1 group by 1, 2, 3 order by 3, 2, 1
        """,
        org,
    )
    return [ListedRole(**row) for row in rows]


async def person(connection: Connection, org: str, userid: str) -> WholePerson | None:
    """Everything about somebody; None where the directory never had them."""
    row = await connection.fetchrow(
        """
        select p.userid, p.name, p.mobile, p.active, p.left_at, p.attributes,
               p.attributes ->> 'manager' as manager_id, b.name as manager_name
        from people p
        left join people b on b.org = p.org and b.userid = p.attributes ->> 'manager'
        where p.org = $1 and p.userid = $2
        """,
        org,
        userid,
    )
    if row is None:
        return None
    seats = await connection.fetch(
        f"""
        {_PATHS}
        select p.dept_id, p.path from memberships m join paths p on p.dept_id = m.dept_id
        where m.org = $1 and m.userid = $2 order by 2
        """,
        org,
        userid,
    )
    played = await connection.fetch(
        """
        select r.role_id, r.name from role_members m
        join roles r on r.org = m.org and r.role_id = m.role_id
        where m.org = $1 and m.userid = $2 order by 2
        """,
        org,
        userid,
    )
    return WholePerson(
        row["userid"],
        row["name"],
        row["mobile"],
        row["active"],
        row["left_at"],
        typed(row["attributes"]),
        tuple((one["dept_id"], one["path"]) for one in seats),
        tuple((one["role_id"], one["name"]) for one in played),
        (row["manager_id"], row["manager_name"]) if row["manager_id"] else None,
    )
