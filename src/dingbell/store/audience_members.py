"""Whom audiences mean: the tables of the directory, asked for sets of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from dingbell.domain.audience import Audience
from dingbell.store.audience_sql import Circumstances, Statement
from dingbell.store.connection import Connection

__all__ = [
    "Found",
    "Named",
    "departments_named",
    "found",
    "names",
    "roles_named",
    "saved",
    "unknown",
    "version",
]

_DEEPEST = 100  # levels of departments


@dataclass(frozen=True, slots=True)
class Found:
    """Whom an audience means, each once, in order.

    Attributes:
        version: of the directory that said so.
    """

    userids: list[str]
    version: int


@dataclass(frozen=True, slots=True)
class Named:
    """A department or a role that a text may mean: `words` tell it from others of its name."""

    id: int
    words: str


async def found(
    connection: Connection,
    org: str,
    audience: Audience,
    saved: Mapping[str, Audience],
    circumstances: Circumstances,
) -> Found:
    """Whom an audience means, by one statement and so by one state of the directory.

    Args:
        connection: any.
        org: whose directory.
        audience: who is meant.
        saved: every saved audience that is reached, what others are built from first.
        circumstances: what its words, its addresses and its day stand for.
    """
    statement = Statement(org, circumstances)
    named = statement.text(audience, saved)
    row = await connection.fetchrow(
        f"""
        select coalesce(array_agg(distinct userid collate "C"
                                  order by userid collate "C"), '{{}}') as userids,
               coalesce((select version from directory_versions where org = $1), 0) as version
        from ({named}) as named
        """,
        *statement.arguments,
    )
    assert row is not None
    return Found(row["userids"], row["version"])


async def version(connection: Connection, org: str) -> int:
    """How often the directory of an org has changed."""
    number: int | None = await connection.fetchval(
        "select version from directory_versions where org = $1", org
    )
    return number or 0


async def saved(connection: Connection, names: Sequence[str]) -> dict[str, Audience]:
    """Saved audiences by name; those that do not exist are left out."""
    rows = await connection.fetch(
        "select name, spec from audiences where name = any($1::text[])", list(names)
    )
    return {row["name"]: Audience.model_validate(row["spec"]) for row in rows}


async def departments_named(
    connection: Connection, org: str, written: Sequence[str]
) -> dict[str, list[Named]]:
    """The departments that names or paths may mean, by what was written.

    A path is compared from its end: `研发中心/平台部` is any 平台部 in a 研发中心. One that begins
    with `/` is compared from the top, below the company itself or with it.
    """
    rows = await connection.fetch(
        f"""
        with recursive tree (dept_id, path, below, depth) as (
            select dept_id, name, ''::text, 0 from departments d
            where d.org = $1 and not exists (
                select from departments o where o.org = $1 and o.dept_id = d.parent_id
                and o.dept_id <> d.dept_id)
            union all
            select d.dept_id, t.path || '/' || d.name, t.below || '/' || d.name, t.depth + 1
            from departments d join tree t on d.parent_id = t.dept_id and d.dept_id <> t.dept_id
            where d.org = $1 and t.depth < {_DEEPEST}
        )
        select w.written, t.dept_id as id, coalesce(nullif(t.below, ''), t.path) as words
        from tree t join unnest($2::text[]) as w (written) on
            w.written in (t.path, t.below, '/' || t.path)
            or (left(w.written, 1) <> '/' and right('/' || t.path, length(w.written) + 1)
                = '/' || w.written)
        order by w.written, t.depth, t.dept_id
        """,
        org,
        list(written),
    )
    return _by_words(rows)


async def roles_named(
    connection: Connection, org: str, written: Sequence[str]
) -> dict[str, list[Named]]:
    """The roles that names or ids may mean, by what was written; an id means one only.

    A name may be written with its group, such as `职务/HR`.
    """
    rows = await connection.fetch(
        """
        select w.written, r.role_id as id, r.name as words
        from unnest($2::text[]) as w (written) join roles r on r.org = $1
             and (r.role_id::text = w.written or r.group_name || '/' || r.name = w.written
                  or (r.name = w.written and not exists (
                  select from roles i where i.org = $1 and i.role_id::text = w.written)))
        order by w.written, r.role_id
        """,
        org,
        list(written),
    )
    return _by_words(rows)


def _by_words(rows: Sequence[asyncpg.Record]) -> dict[str, list[Named]]:
    named: dict[str, list[Named]] = {}
    for row in rows:
        named.setdefault(row["written"], []).append(Named(row["id"], row["words"]))
    return named


async def names(connection: Connection, org: str, userids: Sequence[str]) -> dict[str, str]:
    """The names of people, by userid; of those the directory knows, or has known."""
    rows = await connection.fetch(
        "select userid, name from people where org = $1 and userid = any($2::text[])",
        org,
        list(userids),
    )
    return {row["userid"]: row["name"] for row in rows}


async def unknown(
    connection: Connection, org: str, *, departments: Sequence[int], mobiles: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Those departments and mobile numbers that the directory does not have."""
    row = await connection.fetchrow(
        """
        select array(select w from unnest($2::bigint[]) as w where not exists (
                   select from departments d where d.org = $1 and d.dept_id = w)) as departments,
               array(select w from unnest($3::text[]) as w where not exists (
                   select from people p
                   where p.org = $1 and p.mobile = w and p.left_at is null)) as mobiles
        """,
        org,
        list(departments),
        list(mobiles),
    )
    assert row is not None
    return list(row["departments"]), list(row["mobiles"])
