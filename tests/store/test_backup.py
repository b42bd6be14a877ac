"""Backups: for their owner alone, without a password in sight, restored whole or not at all."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest

from dingbell.errors import DatabaseError, InputError
from dingbell.store import libpq, migrate, pgtools
from dingbell.store.jobs import Job, enqueue
from dingbell.store.server import backup
from dingbell.store.server.cluster import find_binaries

PASSWORD = "g/h@eim%20 ü"
QUOTED = "g%2Fh%40eim%2520%20%C3%BC"


def with_password(dsn: str) -> str:
    """The same database; the server trusts whoever comes, with any password."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"postgres:{QUOTED}@"))


@asynccontextmanager
async def at(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "dingbell"})
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def filled(fresh_database: str) -> str:
    """A database with something odd in each kind of column."""
    await migrate.upgrade(fresh_database)
    async with at(fresh_database) as connection, connection.transaction():
        await connection.execute("insert into orgs (name) values ($1)", "a\tb\n\\.\nCOPY c\\d 叮铃")
        await enqueue(connection, [Job("plan", {"x": "\\.\n" * 70_000})])
    return fresh_database


async def contents(dsn: str) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    async with at(dsn) as connection:
        tables = await connection.fetch(
            "select oid::regclass::text as name from pg_class where relkind = 'r' and "
            "relnamespace in ('dingbell'::regnamespace, 'dingbell_queue'::regnamespace)"
        )
        return {
            table: [row[0] for row in await connection.fetch(f"select t::text from {table} t")]
            for (table,) in tables
        }


async def test_what_is_restored_is_what_was_backed_up(filled: str, tmp_path: Path) -> None:
    before = await contents(filled)
    await backup.write(filled, tmp_path / "a.dump")
    async with at(filled) as connection:
        await connection.execute("delete from orgs")
        await connection.execute("create table later (x integer)")
        await connection.execute("drop table dingbell_queue.jobs cascade")
    await backup.read(filled, tmp_path / "a.dump")
    assert await contents(filled) == before
    assert await migrate.current_revision(filled) == migrate.HEAD
    async with at(filled) as connection, connection.transaction():
        await enqueue(connection, [Job("plan", 1)])


async def test_a_backup_is_restored_into_a_database_without_anything(
    filled: str, server_dsn: str, tmp_path: Path
) -> None:
    before = await contents(filled)
    await backup.write(filled, tmp_path / "a.dump")
    async with at(filled) as connection:
        await connection.execute("drop schema dingbell, dingbell_queue cascade")
    await backup.read(filled, tmp_path / "a.dump")
    assert await contents(filled) == before


async def test_a_backup_that_breaks_off_changes_nothing(filled: str, tmp_path: Path) -> None:
    await backup.write(filled, tmp_path / "a.dump")
    whole = (tmp_path / "a.dump").read_bytes()
    (tmp_path / "half.dump").write_bytes(whole[: len(whole) * 3 // 4])
    before = await contents(filled)
    with pytest.raises(DatabaseError, match=r"pg_restore|cannot be restored"):
        await backup.read(filled, tmp_path / "half.dump")
    assert await contents(filled) == before


async def test_what_only_newer_servers_know_is_left_out_for_older_ones(
    filled: str, tmp_path: Path
) -> None:
    await backup.write(filled, tmp_path / "a.dump")
    from dingbell.store import replay

    for server, sets in ((16, "3s"), (17, "0")):
        async with (
            at(filled) as connection,
            pgtools.running(
                await pgtools.find("pg_restore"), "--file=-", str(tmp_path / "a.dump")
            ) as process,
        ):
            transaction = connection.transaction()
            await transaction.start()
            await backup._make_room(connection)
            await connection.execute("set transaction_timeout = '3s'")
            assert process.stdout is not None
            await replay.carry_out(connection, process.stdout, server=server)
            assert await connection.fetchval("show transaction_timeout") == sets
            await transaction.rollback()


async def test_a_backup_is_for_its_owner_alone(filled: str, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        stale = tmp_path / ".a.dump.part"
        stale.touch(mode=0o666)
        await backup.write(filled, tmp_path / "a.dump")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.dump").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a.dump"]  # noqa: PTH208


def shown_below_us() -> list[str]:
    """The command lines of our children, as every user of the machine sees them."""
    return [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]


@pytest.mark.parametrize("work", ["write", "read"])
async def test_no_command_line_shows_the_password(filled: str, tmp_path: Path, work: str) -> None:
    await backup.write(filled, tmp_path / "read.dump")
    file = tmp_path / f"{work}.dump"
    async with at(filled) as connection:
        async with connection.transaction():
            await connection.execute("lock table orgs in access exclusive mode")
            task = asyncio.create_task(getattr(backup, work)(with_password(filled), file))
            async with asyncio.timeout(30):
                while not await connection.fetchval(
                    "select 1 from pg_locks where not granted and relation = 'orgs'::regclass"
                ):
                    assert not task.done(), await task
            shown = shown_below_us()
        await task
    assert shown
    for secret in (PASSWORD, QUOTED, "geim", "eim"):
        assert not any(secret in line for line in shown)


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        (
            f"postgresql://u%40x:{QUOTED}@db.example:5433/no%20tices?sslmode=verify-full",
            {
                "PGUSER": "u@x",
                "PGPASSWORD": PASSWORD,
                "PGHOST": "db.example",
                "PGPORT": "5433",
                "PGDATABASE": "no tices",
                "PGSSLMODE": "verify-full",
            },
        ),
        ("postgres://%2Fvar%2FRun/d", {"PGHOST": "/var/Run", "PGDATABASE": "d"}),
        ("postgresql://u@[::1]:5/d", {"PGUSER": "u", "PGHOST": "::1", "PGPORT": "5"}),
        (
            f"postgresql:///d?host=a,b&port=1,2&user=u&password={QUOTED}&search_path=x",
            {"PGHOST": "a,b", "PGPORT": "1,2", "PGUSER": "u", "PGPASSWORD": PASSWORD},
        ),
        ("postgresql://db", {"PGHOST": "db"}),
    ],
)
def test_an_address_is_told_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, dsn: str, expected: dict[str, str]
) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    told = {k: v for k, v in libpq.environment(dsn).items() if k.startswith("PG")}
    assert expected.items() <= told.items()
    assert told.keys() - expected.keys() <= {"PGDATABASE"}


def test_a_password_that_has_no_variable_is_not_shown_but_refused() -> None:
    with pytest.raises(InputError, match="sslpassword") as refused:
        libpq.environment("postgresql://u@db/d?sslkey=k&sslpassword=geheim")
    assert "geheim" not in str(refused.value) + refused.value.message.zh


def tool(folder: Path, version: str, *, tls: bool) -> Path:
    """Somebody else's `pg_dump` that says what its version and its TLS are."""
    folder.mkdir()
    made = folder / "pg_dump"
    refusal = 'sslmode value "require" invalid when SSL support is not compiled in'
    said = "connection failed" if tls else refusal
    made.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) {version}" && exit\n'
        f"echo 'pg_dump: error: {said}' >&2; exit 1\n"
    )
    made.chmod(0o755)
    return made


async def test_a_program_is_one_that_can_do_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = str(find_binaries() / "pg_dump")
    plain = tool(tmp_path / "plain", "99.1", tls=False)
    old = tool(tmp_path / "old", "9.6", tls=True)
    good = tool(tmp_path / "good", "99.3 (Debian 99.3-1)", tls=True)
    monkeypatch.setenv("PATH", f"{plain.parent}:{old.parent}:{good.parent}:/bin")
    assert await pgtools.find("pg_dump", at_least=18) == wheel
    assert await pgtools.find("pg_dump", at_least=99) == str(plain)
    assert await pgtools.find("pg_dump", at_least=18, tls=True) == str(good)
    assert await pgtools.find("pg_dump", tls=True) == str(old)
    monkeypatch.setenv("PATH", f"{plain.parent}:{old.parent}")
    with pytest.raises(DatabaseError) as none:
        await pgtools.find("pg_dump", at_least=18, tls=True)
    for said in (str(none.value), none.value.message.zh):
        assert wheel in said
        assert str(old) in said
        assert "postgresql-client" in said
    with pytest.raises(DatabaseError, match="pg_nothing is not here"):
        await pgtools.find("pg_nothing")


def test_the_wheel_was_asked_rightly_whether_it_speaks_tls() -> None:
    configured = subprocess.run(
        [find_binaries() / "pg_config", "--configure"], capture_output=True, text=True, check=True
    )
    speaks = asyncio.run(pgtools._speaks_tls(str(find_binaries() / "pg_dump")))
    assert speaks == ("--with-ssl" in configured.stdout or "openssl" in configured.stdout)
