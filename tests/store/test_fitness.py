"""A database that does not let DingBell work says so in words, before anything is begun."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from dingbell.errors import DatabaseError, InputError
from dingbell.settings import Settings
from dingbell.store import fitness, migrate
from dingbell.store.connection import connect

GRANTS = """
grant usage on schema dingbell, dingbell_queue to {role};
grant select, insert, update, delete on all tables in schema dingbell, dingbell_queue to {role};
grant usage, select on all sequences in schema dingbell, dingbell_queue to {role};
"""


@asynccontextmanager
async def at(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def execute(dsn: str, statement: str) -> None:
    async with at(dsn) as connection:
        await connection.execute(statement)


async def lacks(dsn: str) -> list[str]:
    async with at(dsn) as connection:
        found = await fitness.lacks(connection)
    assert all(one.zh != one for one in found)
    return [str(one) for one in found]


@pytest.fixture
async def migrated(fresh_database: str) -> str:
    await migrate.upgrade(fresh_database)
    return fresh_database


@pytest.fixture
async def role(fresh_database: str) -> AsyncIterator[str]:
    """A role that may connect and nothing else."""
    name = f"r_{os.urandom(6).hex()}"
    await execute(fresh_database, f"create role {name} login")
    yield name
    await execute(fresh_database, f"drop owned by {name}; drop role {name}")


def as_role(dsn: str, role: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(netloc=f"{role}@"))


async def test_nothing_is_lacking_after_an_upgrade(migrated: str) -> None:
    assert await lacks(migrated) == []


CHANGES = {
    "alter table dingbell.apps drop column paused_reason": "apps.paused_reason text",
    "alter table dingbell.apps rename column paused_reason to why": "apps.paused_reason text",
    "alter table dingbell.orgs alter people_per_minute type bigint": "orgs.people_per_minute",
    "alter table dingbell.orgs add owner text not null": "orgs.owner text not null (new)",
    "alter table dingbell.apps alter id drop identity": "apps.id bigint not null default",
    "drop table dingbell.tokens": "column tokens.app_key text",
    "alter table dingbell.tokens drop constraint tokens_pkey": "unique index tokens_pkey on tokens",
    "drop sequence dingbell.waves": "sequence waves",
    "alter table dingbell_queue.jobs disable trigger changed": "trigger changed",
    "drop schema dingbell_queue cascade": "dingbell_queue.jobs is not there",
    "drop table dingbell.alembic_version": "dingbell.alembic_version is not there",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_that_breaks_statements_is_noticed(migrated: str, change: str) -> None:
    await execute(migrated, change)
    (said,) = await lacks(migrated)
    assert CHANGES[change] in said


@pytest.mark.parametrize(
    "change",
    [
        "alter table dingbell.orgs add note text",
        "alter table dingbell.orgs add note text not null default ''",
        "create index on dingbell.apps (app_key)",
        "create table dingbell.mine (x integer)",
        "analyze dingbell.apps",
    ],
)
async def test_a_change_that_breaks_nothing_is_left_in_peace(migrated: str, change: str) -> None:
    await execute(migrated, change)
    assert await lacks(migrated) == []


async def test_a_database_that_nothing_can_be_written_to_is_told(migrated: str) -> None:
    name = urlsplit(migrated).path.removeprefix("/")
    await execute(migrated, f"alter database {name} set default_transaction_read_only = on")
    (said,) = await lacks(migrated)
    assert "read-only" in said
    await execute(migrated, f"set transaction read write; alter database {name} reset all")


async def test_a_new_schema_cannot_be_made_where_nothing_can_be_written(
    fresh_database: str,
) -> None:
    name = urlsplit(fresh_database).path.removeprefix("/")
    await execute(fresh_database, f"alter database {name} set default_transaction_read_only = on")
    with pytest.raises(DatabaseError, match="read-only"):
        await migrate.upgrade(fresh_database)


async def test_a_role_without_rights_is_told_what_to_grant(migrated: str, role: str) -> None:
    with pytest.raises(DatabaseError, match="permission denied for schema dingbell") as refused:
        await migrate.upgrade(as_role(migrated, role))
    assert "dingbell db upgrade" in str(refused.value)


async def test_a_role_that_may_make_nothing_is_told(fresh_database: str, role: str) -> None:
    with pytest.raises(DatabaseError, match="permission denied for database"):
        await migrate.upgrade(as_role(fresh_database, role))


async def test_the_grants_of_the_documents_are_enough(migrated: str, role: str) -> None:
    await execute(migrated, GRANTS.format(role=role))
    theirs = as_role(migrated, role)
    assert not await migrate.upgrade(theirs)
    assert await lacks(theirs) == []


async def test_a_right_that_is_missing_is_named(migrated: str, role: str) -> None:
    await execute(migrated, GRANTS.format(role=role))
    name = urlsplit(migrated).path.removeprefix("/")
    for change, told in {
        f"revoke insert on dingbell.calls from {role}": "INSERT on table dingbell.calls",
        f"revoke all on dingbell_queue.jobs from {role}": "SELECT on table dingbell_queue.jobs",
        f"revoke usage on schema dingbell_queue from {role}": "USAGE on schema dingbell_queue",
        f"revoke all on sequence dingbell.waves from {role}": "USAGE on sequence dingbell.waves",
        f"revoke temporary on database {name} from public": "TEMPORARY on database",
    }.items():
        await execute(migrated, change)
        (said,) = await lacks(as_role(migrated, role))
        assert told in said
        assert f"TO {role}" in said
        await execute(migrated, GRANTS.format(role=role))
        await execute(migrated, f"grant temporary on database {name} to public")


async def test_a_role_may_own_schemas_that_were_made_for_it(fresh_database: str, role: str) -> None:
    await execute(
        fresh_database,
        f"create schema dingbell authorization {role};"
        f"create schema dingbell_queue authorization {role}",
    )
    theirs = as_role(fresh_database, role)
    assert await migrate.upgrade(theirs)
    assert await lacks(theirs) == []


SECRET = "gehe1m"


@pytest.mark.parametrize(
    "odd_password", ["5432/gehe1m", "/gehe1m", "1#gehe1m", "1?gehe1m", "1/x:gehe1m"]
)
def test_a_password_with_marks_of_an_address_gets_a_hint(odd_password: str) -> None:
    with pytest.raises(InputError, match="in the password write / as %2F") as refused:
        Settings.load(_env_file=None, database_url=f"postgresql://u:{odd_password}@db.example/x")
    assert SECRET not in str(refused.value) + refused.value.message.zh


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:p%2Fq@db:5432/x?options=-c%20a%3Db@c",
        "postgresql:///x?host=/run/pg&user=a@b",
        "postgresql://db:5432/x",
        "postgresql://db/x",
    ],
)
def test_an_address_that_is_right_is_taken(address: str) -> None:
    assert Settings.load(_env_file=None, database_url=address).database_url is not None
