"""Tables `datasets` and `dataset_rows`: what was imported of people, version by version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from dingbell.domain.datasets import Assigned, Fault, KeyKind, Owners
from dingbell.domain.templates import Cell, cells_of
from dingbell.errors import NotFoundError, Text
from dingbell.store import duty
from dingbell.store.connection import Connection

__all__ = [
    "Dataset",
    "Orphan",
    "delete",
    "demand",
    "enter",
    "forget",
    "listed",
    "mark",
    "newest",
    "orphans",
    "owners",
    "people_of",
    "rows_of",
    "users_of",
    "versions",
    "without_row",
]

# Stands between the cells of a row; a table that has it in a cell is refused.
_BETWEEN = "\x1f"
# So many rows are sent to the database before others have a turn.
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Dataset:
    """One version of a dataset, without its rows."""

    id: int
    org: str
    name: str
    version: int
    key: KeyKind
    key_column: str
    columns: tuple[str, ...]
    content: str
    matching: str
    people: int
    unmatched: int
    created_at: datetime
    created_by: str | None


@dataclass(frozen=True, slots=True)
class Orphan:
    """A row that will reach nobody: it is nobody's, or its person is not meant."""

    line: int
    key: str
    userid: str | None
    fault: Fault | None


_SELECT = """
    select id, org, name, version, key, key_column, columns, content, matching, people, unmatched,
           created_at, created_by
    from datasets
"""


def _dataset(row: asyncpg.Record) -> Dataset:
    values: dict[str, Any] = dict(row)
    return Dataset(**{**values, "key": KeyKind(values["key"]), "columns": tuple(values["columns"])})


async def newest(connection: Connection, org: str, name: str) -> Dataset | None:
    """The newest version of a dataset."""
    row = await connection.fetchrow(
        f"{_SELECT} where org = $1 and name = $2 order by version desc limit 1", org, name
    )
    return _dataset(row) if row else None


async def listed(connection: Connection) -> list[Dataset]:
    """The newest version of every dataset that somebody has given a name."""
    rows = await connection.fetch(
        f"""
        {_SELECT} d where name not like 'send:%' and version = (
            select max(version) from datasets o where o.org = d.org and o.name = d.name)
        order by name, org
        """
    )
    return [_dataset(row) for row in rows]


async def versions(connection: Connection, org: str, name: str) -> list[Dataset]:
    """Every version of a dataset that is kept, the newest first."""
    rows = await connection.fetch(
        f"{_SELECT} where org = $1 and name = $2 order by version desc", org, name
    )
    return [_dataset(row) for row in rows]


# How a person is called, in the form in which rows are looked up.
_CALLED = {
    KeyKind.USERID: "p.userid",
    KeyKind.JOB_NUMBER: "p.attributes ->> 'job_number'",
    KeyKind.NAME: "p.name",
    KeyKind.MOBILE: (
        "regexp_replace(regexp_replace(p.mobile, '[- ]', '', 'g'), "
        r"'^(?:\+?86|0086)(1[0-9]{10})$', '\1')"
    ),
}


_OWNERS = """
    select v.value,
           coalesce(array_agg(p.userid) filter (where p.left_at is null), '{{}}') as here,
           bool_or(p.left_at is not null) as has_left
    from unnest($2::text[]) as v (value)
    join people p on p.org = $1 and {called} = v.value
    group by v.value
"""


async def owners(connection: Connection, org: str, kind: KeyKind, values: Sequence[str]) -> Owners:
    """Who is called by each of some values, by the directory as it was last read."""
    found: dict[str, tuple[Sequence[str], bool]] = {}
    for start in range(0, len(values), _ROWS_AT_ONCE):
        some = values[start : start + _ROWS_AT_ONCE]
        for row in await connection.fetch(_OWNERS.format(called=_CALLED[kind]), org, some):
            found[row["value"]] = (row["here"], row["has_left"])
    return found


async def enter(
    connection: Connection, org: str, name: str, new: Assigned, now: datetime, by: str | None
) -> tuple[Dataset, bool]:
    """Keep a dataset as its newest version, unless that says the same.

    Returns:
        The newest version, and whether it is new.
    """
    await duty.awaited(connection, [f"dataset:{org}:{name}"])
    before = await newest(connection, org, name)
    if before and (before.content, before.matching) == (new.content, new.matching):
        return before, False
    row = await connection.fetchrow(
        """
        insert into datasets (org, name, version, key, key_column, columns, content, matching,
                              people, unmatched, created_at, created_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        returning id, org, name, version, key, key_column, columns, content, matching, people,
                  unmatched, created_at, created_by
        """,
        org,
        name,
        before.version + 1 if before else 1,
        new.key.kind.value,
        new.key.column,
        list(new.columns),
        new.content,
        new.matching,
        len(new.rows) - len(new.faulty),
        len(new.faulty),
        now,
        by,
    )
    assert row is not None
    kept = _dataset(row)
    for start in range(0, len(new.rows), _ROWS_AT_ONCE):
        await connection.copy_records_to_table(
            "dataset_rows",
            records=[
                (
                    kept.id,
                    one.line,
                    one.key,
                    one.userid,
                    None if one.fault is None else one.fault.value,
                    _BETWEEN.join(one.cells),
                )
                for one in new.rows[start : start + _ROWS_AT_ONCE]
            ],
        )
    return kept, True


async def demand(connection: Connection, org: str, names: Sequence[str]) -> None:
    """See that lists exist.

    Raises:
        NotFoundError: one of them does not.
    """
    missing = await connection.fetchval(
        """
        select min(name) from unnest($2::text[]) as name
        where not exists (select from datasets d where d.org = $1 and d.name = name.name)
        """,
        org,
        list(names),
    )
    if missing is not None:
        raise NotFoundError(
            Text(
                "there is no list {name!r}: import it with `dingbell audiences import`",
                "没有名单 {name!r}: 请用 `dingbell audiences import` 导入",
            ).format(name=missing)
        )


async def people_of(connection: Connection, dataset_id: int) -> list[str]:
    """Everybody who has a row in one version."""
    rows = await connection.fetch(
        "select userid from dataset_rows where dataset_id = $1 and userid is not null "
        "order by userid",
        dataset_id,
    )
    return [row["userid"] for row in rows]


async def rows_of(
    connection: Connection, dataset: Dataset, userids: Sequence[str]
) -> dict[str, dict[str, Cell | None]]:
    """The rows of some people as templates see them, by userid."""
    rows = await connection.fetch(
        "select userid, cells from dataset_rows where dataset_id = $1 and userid = any($2::text[])",
        dataset.id,
        list(userids),
    )
    return {row["userid"]: cells_of(dataset.columns, row["cells"].split(_BETWEEN)) for row in rows}


async def orphans(
    connection: Connection, dataset_id: int, userids: Sequence[str], limit: int
) -> tuple[int, list[Orphan]]:
    """The rows of a version that reach none of some people: how many, and the first of them."""
    rows = await connection.fetch(
        """
        select line, key, userid, fault, count(*) over () as total from dataset_rows r
        where dataset_id = $1 and not exists (
            select from unnest($2::text[]) as u (userid) where u.userid = r.userid)
        order by line limit $3
        """,
        dataset_id,
        list(userids),
        limit,
    )
    found = [
        Orphan(row["line"], row["key"], row["userid"], row["fault"] and Fault(row["fault"]))
        for row in rows
    ]
    return (rows[0]["total"] if rows else 0), found


async def without_row(
    connection: Connection, dataset_id: int, userids: Sequence[str], limit: int
) -> tuple[int, list[str]]:
    """Those of some people who have no row in a version: how many, and the first of them."""
    rows = await connection.fetch(
        """
        select u.userid, count(*) over () as total from unnest($2::text[]) as u (userid)
        where not exists (
            select from dataset_rows r where r.dataset_id = $1 and r.userid = u.userid)
        order by 1 limit $3
        """,
        dataset_id,
        list(userids),
        limit,
    )
    return (rows[0]["total"] if rows else 0), [row["userid"] for row in rows]


async def users_of(connection: Connection, name: str) -> list[str]:
    """What names a dataset: schedules, saved audiences and rules, as `schedule x`."""
    inside = (
        "jsonb_path_exists({column}, '$.**.lists[*] ? (@ == $name)', "
        "jsonb_build_object('name', $1::text))"
    )
    named = inside.format(column="spec")
    rows = await connection.fetch(
        f"""
        select 'schedule ' || name as place from schedules where spec ->> 'rows' = $1 or {named}
        union all select 'audience ' || name from audiences where {named}
        union all select name from rules where {inside.format(column="content")}
        order by 1
        """,
        name,
    )
    return [row["place"] for row in rows]


async def delete(connection: Connection, org: str, name: str) -> int:
    """Forget every version of a dataset; how many there were."""
    done = await connection.execute("delete from datasets where org = $1 and name = $2", org, name)
    return int(done.rpartition(" ")[2])


async def mark(connection: Connection, run_id: int, version: int) -> None:
    """Note which version a run was planned with."""
    await connection.execute("update runs set rows_version = $2 where id = $1", run_id, version)


async def forget(connection: Connection, before: datetime) -> None:
    """Forget what was imported before an instant and is not needed: old versions, rows of sends."""
    await connection.execute(
        """
        delete from datasets d where created_at < $1 and (name like 'send:%' or exists (
            select from datasets n where n.org = d.org and n.name = d.name
            and n.version > d.version))
        """,
        before,
    )
