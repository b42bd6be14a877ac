"""Search of the directory: people, departments and roles as somebody types them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dingbell.store.connection import Connection

__all__ = ["departments", "people", "put_spellings", "roles", "unspelled"]

# Names that are spelled at once: a company's on its first reading.
_MOST_NAMES = 100_000

# How well a row fits what was typed, best first; null where it does not. `letters` is what was
# typed in small letters without blanks, empty where it is no letters.
_FITS = """
    case
        when lower({name}) = $2 then 0
        when strpos(' ' || s.pinyin || ' ', ' ' || $3 || ' ') > 0 and $3 <> '' then 1
        when strpos(' ' || s.initials || ' ', ' ' || $3 || ' ') > 0 and $3 <> '' then 2
        when starts_with(lower({name}), $2) then 3
        when strpos(' ' || s.pinyin, ' ' || $3) > 0 and $3 <> '' then 4
        when strpos(' ' || s.initials, ' ' || $3) > 0 and $3 <> '' then 5
        when strpos(lower({name}), $2) > 0 then 6
        when strpos(s.pinyin, $3) > 0 and $3 <> '' then 7
    end
"""


def _letters(query: str) -> str:
    """What was typed, where it may be pinyin: `Wang fang` is `wangfang`."""
    letters = "".join(query.split()).replace("'", "")
    return letters if letters.isascii() and letters.isalpha() else ""


async def unspelled(connection: Connection, org: str) -> list[str]:
    """Names of an org whose spelling is not known."""
    rows = await connection.fetch(
        """
        select name from (
            select name from people where org = $1 and left_at is null
            union select name from departments where org = $1
            union select name from roles where org = $1
        ) n
        where name <> '' and not exists (select from name_spellings s where s.name = n.name)
        order by 1 limit $2
        """,
        org,
        _MOST_NAMES,
    )
    return [row[0] for row in rows]


async def put_spellings(
    connection: Connection, names: Sequence[str], spelled: Sequence[tuple[str, str]]
) -> None:
    """Keep how names are typed."""
    await connection.execute(
        """
        insert into name_spellings (name, pinyin, initials)
        select * from unnest($1::text[], $2::text[], $3::text[])
        on conflict (name) do update
        set pinyin = excluded.pinyin, initials = excluded.initials
        """,
        list(names),
        [pinyin for pinyin, _ in spelled],
        [initials for _, initials in spelled],
    )


async def people(connection: Connection, org: str, query: str, limit: int) -> list[dict[str, Any]]:
    """People by name, pinyin, userid, a part of the mobile, job number, or department."""
    typed = query.strip().lower()
    rows = await connection.fetch(
        f"""
        with fitting as (
            select p.userid, p.name, p.mobile, p.active, p.job_number,
                   p.attributes ->> 'title' as title,
                   least({_FITS.format(name="p.name")},
                         case when $2 in (lower(p.userid), lower(p.job_number), p.mobile) then 0
                              when p.mobile like '%' || $4 and $4 <> '' then 3
                              when strpos(lower(p.userid), $2) > 0
                                or strpos(p.mobile, $2) > 0
                                or strpos(lower(p.job_number), $2) > 0 then 6 end,
                         case when m.userid is not null then 8 end) as fits
            from people p
            left join name_spellings s on s.name = p.name
            left join (
                select distinct m.userid from memberships m
                join departments d on d.org = m.org and d.dept_id = m.dept_id
                where m.org = $1 and lower(d.name) = $2
            ) m on m.userid = p.userid
            where p.org = $1 and p.left_at is null
        ), best as (
            select * from fitting where fits is not null order by fits, name, userid limit $5
        )
        select b.userid, b.name, b.mobile, b.active, b.job_number, b.title,
               array(select d.name from memberships m
                     join departments d on d.org = m.org and d.dept_id = m.dept_id
                     where m.org = $1 and m.userid = b.userid order by 1) as departments
        from best b order by b.fits, b.name, b.userid
        """,
        org,
        typed,
        _letters(typed),
        typed if typed.isascii() and typed.isdigit() else "",
        limit,
    )
    return [dict(row) for row in rows]


async def departments(
    connection: Connection, org: str, query: str, limit: int
) -> list[tuple[int, str]]:
    """Departments by name, pinyin or id: (id, name), the best first."""
    return await _named(connection, "departments", "dept_id", org, query, limit)


async def roles(connection: Connection, org: str, query: str, limit: int) -> list[tuple[int, str]]:
    """Roles by name, pinyin or id: (id, name), the best first."""
    return await _named(connection, "roles", "role_id", org, query, limit)


async def _named(
    connection: Connection, table: str, column: str, org: str, query: str, limit: int
) -> list[tuple[int, str]]:
    typed = query.strip().lower()
    rows = await connection.fetch(
        f"""
        select id, name from (
            select t.{column} as id, t.name, case when t.{column}::text = $2 then 0
                   else {_FITS.format(name="t.name")} end as fits
            from {table} t left join name_spellings s on s.name = t.name
            where t.org = $1
        ) n
        where fits is not null order by fits, name, id limit $4
        """,
        org,
        typed,
        _letters(typed),
        limit,
    )
    return [(row["id"], row["name"]) for row in rows]
