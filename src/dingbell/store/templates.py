"""Tables `templates` and `template_versions`: words saved under a name, and older ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from dingbell.store.connection import Connection

__all__ = ["Template", "all_templates", "delete", "find", "put", "users", "versions", "with_files"]


@dataclass(frozen=True, slots=True)
class Template:
    """A version of a saved template."""

    name: str
    version: int
    content: dict[str, Any]
    created_at: datetime
    created_by: str | None


_SELECT = """
    select v.name, v.version, v.content, v.created_at, v.created_by
    from template_versions v
"""
_NEWEST = f"{_SELECT} join templates t on t.name = v.name and t.version = v.version"


def _template(row: asyncpg.Record) -> Template:
    return Template(**dict(row))


async def all_templates(connection: Connection) -> list[Template]:
    """Every saved template as it is now, by name."""
    return [_template(row) for row in await connection.fetch(f"{_NEWEST} order by v.name")]


async def find(
    connection: Connection, name: str, version: int | None = None, *, lock: bool = False
) -> Template | None:
    """A template as it is now, or a version of it; locked against changes where that is asked."""
    if lock:
        await connection.execute("select from templates where name = $1 for share", name)
    if version is None:
        row = await connection.fetchrow(f"{_NEWEST} where v.name = $1", name)
    else:
        row = await connection.fetchrow(
            f"{_SELECT} where v.name = $1 and v.version = $2", name, version
        )
    return _template(row) if row else None


async def versions(connection: Connection, name: str) -> list[Template]:
    """Every version of a template, the newest first."""
    rows = await connection.fetch(f"{_SELECT} where v.name = $1 order by v.version desc", name)
    return [_template(row) for row in rows]


async def put(
    connection: Connection, name: str, content: dict[str, Any], now: datetime, by: str | None
) -> int | None:
    """Save words under a name; return the new version, None where they are the same as before.

    A name that was deleted and comes again goes on counting.
    """
    version: int | None = await connection.fetchval(
        """
        with last as (
            select coalesce(max(version), 0) as version from template_versions where name = $1
        ), named as (
            insert into templates as t (name, version) select $1, version + 1 from last
            on conflict (name) do update set version = t.version + 1
            where not exists (
                select from template_versions v
                where v.name = t.name and v.version = t.version and v.content = $2)
            returning version
        )
        insert into template_versions (name, version, content, created_at, created_by)
        select $1, version, $2, $3, $4 from named
        returning version
        """,
        name,
        content,
        now,
        by,
    )
    return version


async def delete(connection: Connection, name: str) -> bool:
    """Forget a template's name; its versions stay. Return whether there was one."""
    found = await connection.fetchval("delete from templates where name = $1 returning true", name)
    return found is not None


async def users(connection: Connection, name: str) -> list[str]:
    """The schedules that say what a template says, by name."""
    rows = await connection.fetch(
        """
        select name from schedules
        where $1 in (spec #>> '{message,template}', spec #>> '{follow_up,message,template}',
                     spec #>> '{follow_up,escalate,message,template}')
        order by name
        """,
        name,
    )
    return [row["name"] for row in rows]


async def with_files(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of the templates that name files."""
    rows = await connection.fetch(
        f"{_NEWEST} where v.name = any($1::text[]) and v.content::text like '%\"media:%'",
        list(names),
    )
    return {row["name"] for row in rows}
