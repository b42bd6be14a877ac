"""Changes of the directory: what a reading differs in from what is kept, applied in one way.

A reading tells of the whole directory or of a part of it. `difference` compares it with the tables
and `apply` writes what differs: a full reading and an event go the same way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dingbell.store import directory, duty
from dingbell.store.connection import Connection
from dingbell.store.directory import Department, Person, Role

__all__ = ["Changes", "Part", "Reading", "apply", "difference", "take_over"]

# People whose attributes are made into JSON at once: some milliseconds of the loop.
_AT_ONCE = 400
# Pairs that are read at once, likewise.
_PAIRS_AT_ONCE = 2_000

Pair = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Part:
    """What a reading has asked for; what it asked for and did not find is gone.

    Attributes:
        people: userids.
        departments: their ids.
        roles: whether the list of all roles was read; who has a role is asked by person.
    """

    people: Collection[str] = ()
    departments: Collection[int] = ()
    roles: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What DingTalk said of an org's directory.

    Attributes:
        played: who has which role, as (role id, userid).
        part: what was asked for; None is the whole directory.
    """

    people: Sequence[Person] = ()
    departments: Sequence[Department] = ()
    roles: Sequence[Role] = ()
    played: Sequence[Pair] = ()
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to become different; pairs are (department or role id, userid)."""

    people: Sequence[Person] = ()
    left: Sequence[str] = ()
    departments: Sequence[Department] = ()
    closed: Sequence[int] = ()
    roles: Sequence[Role] = ()
    dropped: Sequence[int] = ()
    seated: Sequence[Pair] = ()
    unseated: Sequence[Pair] = ()
    cast: Sequence[Pair] = ()
    uncast: Sequence[Pair] = ()

    def __bool__(self) -> bool:
        return any(
            (
                *(self.people, self.left, self.departments, self.closed, self.roles),
                *(self.dropped, self.seated, self.unseated, self.cast, self.uncast),
            )
        )


async def take_over(connection: Connection, org: str, reading: Reading, now: datetime) -> Changes:
    """Make what is kept equal to what was read, as far as it was read; others wait meanwhile.

    The connection is in a transaction.
    """
    await duty.awaited(connection, [f"directory:{org}"])
    changes = await difference(connection, org, reading)
    await apply(connection, org, changes, now)
    return changes


# The difference ----------------------------------------------------------------------------------


async def difference(connection: Connection, org: str, reading: Reading) -> Changes:
    """What a reading says that the tables do not, and the other way round."""
    part = reading.part
    everybody = None if part is None else list(part.people)
    members = [(dept_id, p.userid) for p in reading.people for dept_id in p.departments]
    seated, unseated = await _pairs(connection, _MEMBERSHIPS, org, members, everybody)
    cast, uncast = await _pairs(connection, _ROLE_MEMBERS, org, reading.played, everybody)
    return Changes(
        people=await _different_people(connection, org, reading.people),
        left=await _left(connection, org, reading.people, everybody),
        departments=await _different_departments(connection, org, reading.departments),
        closed=await _closed(connection, org, reading),
        roles=await _different_roles(connection, org, reading.roles),
        dropped=await _dropped(connection, org, reading),
        seated=seated,
        unseated=unseated,
        cast=cast,
        uncast=uncast,
    )


def _chunks(people: Sequence[Person]) -> Iterator[Sequence[Person]]:
    for start in range(0, len(people), _AT_ONCE):
        yield people[start : start + _AT_ONCE]


async def _different_people(
    connection: Connection, org: str, people: Sequence[Person]
) -> list[Person]:
    """Those who are new, came back, or are not as they were."""
    found: list[Person] = []
    for chunk in _chunks(people):
        rows = await connection.fetch(
            f"""
            select n.userid from {directory.PEOPLE_READ}
            left join (
                select * from people where org = $1 and userid = any($2)
            ) p on p.userid = n.userid
            where p.userid is null or p.left_at is not null
               or (p.name, p.mobile, p.active, p.attributes)
                  is distinct from (n.name, n.mobile, n.active, n.attributes)
            """,
            org,
            *directory.columns(chunk),
        )
        wanted = {row["userid"] for row in rows}
        found += [person for person in chunk if person.userid in wanted]
    return found


async def _left(
    connection: Connection, org: str, people: Sequence[Person], asked: list[str] | None
) -> list[str]:
    """Those who were there, were asked for, and are not any more."""
    rows = await connection.fetch(
        """
        select userid from people
        where org = $1 and left_at is null and ($3::text[] is null or userid = any($3))
        except select unnest($2::text[]) order by 1
        """,
        org,
        [person.userid for person in people],
        asked,
    )
    return [row[0] for row in rows]


async def _different_departments(
    connection: Connection, org: str, departments: Sequence[Department]
) -> list[Department]:
    rows = await connection.fetch(
        """
        select * from unnest($2::bigint[], $3::text[], $4::bigint[])
        except select dept_id, name, parent_id from departments where org = $1
        """,
        org,
        [one.dept_id for one in departments],
        [one.name for one in departments],
        [one.parent_id for one in departments],
    )
    wanted = {row[0] for row in rows}
    return [one for one in departments if one.dept_id in wanted]


async def _closed(connection: Connection, org: str, reading: Reading) -> list[int]:
    asked = None if reading.part is None else list(reading.part.departments)
    rows = await connection.fetch(
        """
        select dept_id from departments
        where org = $1 and ($3::bigint[] is null or dept_id = any($3))
        except select unnest($2::bigint[]) order by 1
        """,
        org,
        [one.dept_id for one in reading.departments],
        asked,
    )
    return [row[0] for row in rows]


async def _different_roles(connection: Connection, org: str, roles: Sequence[Role]) -> list[Role]:
    rows = await connection.fetch(
        """
        select * from unnest($2::bigint[], $3::text[], $4::text[])
        except select role_id, name, group_name from roles where org = $1
        """,
        org,
        [role.role_id for role in roles],
        [role.name for role in roles],
        [role.group for role in roles],
    )
    wanted = {row[0] for row in rows}
    return [role for role in roles if role.role_id in wanted]


async def _dropped(connection: Connection, org: str, reading: Reading) -> list[int]:
    if reading.part is not None and not reading.part.roles:
        return []
    rows = await connection.fetch(
        "select role_id from roles where org = $1 except select unnest($2::bigint[]) order by 1",
        org,
        [role.role_id for role in reading.roles],
    )
    return [row[0] for row in rows]


_MEMBERSHIPS = "select dept_id, userid from memberships"
_ROLE_MEMBERS = "select role_id, userid from role_members"


async def _pairs(
    connection: Connection,
    kept: str,
    org: str,
    pairs: Sequence[Pair],
    everybody: list[str] | None,
) -> tuple[list[Pair], list[Pair]]:
    """The pairs that are new, and those that are no more, of the people who were asked for."""
    read = "select * from unnest($2::bigint[], $3::text[])"
    new: list[Pair] = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        columns = _parted(pairs[start : start + _PAIRS_AT_ONCE])
        rows = await connection.fetch(
            f"{read} except ({kept} where org = $1 and userid = any($3))", org, *columns
        )
        new += [(row[0], row[1]) for row in rows]
    rows = await connection.fetch(
        f"{kept} where org = $1 and ($4::text[] is null or userid = any($4)) except {read}",
        org,
        *_parted(pairs),
        everybody,
    )
    return new, [(row[0], row[1]) for row in rows]


def _parted(pairs: Sequence[Pair]) -> tuple[list[int], list[str]]:
    return [one for one, _ in pairs], [userid for _, userid in pairs]


# Applying ----------------------------------------------------------------------------------------


async def apply(connection: Connection, org: str, changes: Changes, now: datetime) -> None:
    """Write changes; who has left keeps the name and what was known of them."""
    for chunk in _chunks(changes.people):
        await directory.put_people(connection, org, chunk)
    if changes.left:
        await _leave(connection, org, changes.left, now)
    await _put_departments(connection, org, changes.departments)
    await _put_roles(connection, org, changes.roles)
    await _close(connection, org, changes)
    await _unpair(connection, "memberships", "dept_id", org, changes.unseated)
    await _pair(connection, "memberships", "dept_id", org, changes.seated)
    await _unpair(connection, "role_members", "role_id", org, changes.uncast)
    await _pair(connection, "role_members", "role_id", org, changes.cast)


async def _leave(connection: Connection, org: str, userids: Sequence[str], now: datetime) -> None:
    await connection.execute(
        """
        with gone as (
            delete from memberships where org = $1 and userid = any($2::text[])
        ), uncast as (
            delete from role_members where org = $1 and userid = any($2::text[])
        )
        update people set left_at = $3, active = false
        where org = $1 and userid = any($2::text[]) and left_at is null
        """,
        org,
        list(userids),
        now,
    )


async def _put_departments(
    connection: Connection, org: str, departments: Sequence[Department]
) -> None:
    if departments:
        await connection.execute(
            """
            insert into departments (org, dept_id, name, parent_id)
            select $1, * from unnest($2::bigint[], $3::text[], $4::bigint[])
            on conflict (org, dept_id) do update
            set name = excluded.name, parent_id = excluded.parent_id
            """,
            org,
            [one.dept_id for one in departments],
            [one.name for one in departments],
            [one.parent_id for one in departments],
        )


async def _put_roles(connection: Connection, org: str, roles: Sequence[Role]) -> None:
    if roles:
        await connection.execute(
            """
            insert into roles (org, role_id, name, group_name)
            select $1, * from unnest($2::bigint[], $3::text[], $4::text[])
            on conflict (org, role_id) do update
            set name = excluded.name, group_name = excluded.group_name
            """,
            org,
            [role.role_id for role in roles],
            [role.name for role in roles],
            [role.group for role in roles],
        )


async def _close(connection: Connection, org: str, changes: Changes) -> None:
    """Take away departments and roles that are no more, with whoever was in them."""
    gone = {
        "departments": ("dept_id", changes.closed),
        "memberships": ("dept_id", changes.closed),
        "roles": ("role_id", changes.dropped),
        "role_members": ("role_id", changes.dropped),
    }
    for table, (column, ids) in gone.items():
        if ids:
            await connection.execute(
                f"delete from {table} where org = $1 and {column} = any($2::bigint[])",
                org,
                list(ids),
            )


async def _pair(
    connection: Connection, table: str, column: str, org: str, pairs: Sequence[Pair]
) -> None:
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        await connection.execute(
            f"""
            insert into {table} (org, {column}, userid)
            select $1, * from unnest($2::bigint[], $3::text[]) on conflict do nothing
            """,
            org,
            *_parted(pairs[start : start + _PAIRS_AT_ONCE]),
        )


async def _unpair(
    connection: Connection, table: str, column: str, org: str, pairs: Sequence[Pair]
) -> None:
    if pairs:
        await connection.execute(
            f"""
            delete from {table} t using unnest($2::bigint[], $3::text[]) as gone (id, userid)
            where t.org = $1 and t.{column} = gone.id and t.userid = gone.userid
            """,
            org,
            *_parted(pairs),
        )
