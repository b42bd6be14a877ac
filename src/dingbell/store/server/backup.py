"""Backup and restore with PostgreSQL's own tools, from the embedded wheel or the PATH."""

from __future__ import annotations

import os
from pathlib import Path

import asyncpg

from dingbell.errors import DatabaseError, InputError, Text
from dingbell.store import libpq, pgtools, replay
from dingbell.store.connection import SCHEMA, connect

__all__ = ["read", "write"]

_SCHEMAS = (SCHEMA, "dingbell_queue")
_TLS = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
# Everything of ours in a schema, so that the schema itself and the right to use it stay.
_CONTENT = """
select format('drop table if exists %s cascade', oid::regclass) from pg_class
where relkind in ('r', 'p') and relnamespace = $1::regnamespace
union all
select format('drop sequence if exists %s cascade', oid::regclass) from pg_class
where relkind = 'S' and relnamespace = $1::regnamespace
union all
select format('drop view if exists %s cascade', oid::regclass) from pg_class
where relkind = 'v' and relnamespace = $1::regnamespace
union all
select format('drop function if exists %s cascade', oid::regprocedure) from pg_proc
where pronamespace = $1::regnamespace
union all
select format('drop type if exists %s cascade', oid::regtype) from pg_type
where typtype = 'e' and typnamespace = $1::regnamespace
"""


async def write(dsn: str, file: Path) -> None:
    """Write all of DingBell's tables to a file for its owner alone, consistent at one instant.

    Raises:
        DatabaseError: no able `pg_dump` is there, or it failed; no file is left behind.
        InputError: the file cannot be written.
    """
    program = await _able_to_dump(dsn)
    draft = file.with_name(f".{file.name}.part")
    schemas = [f"--schema={schema}" for schema in _SCHEMAS]
    options = ("--format=custom", "--no-owner", "--no-privileges", "--no-password")
    try:
        draft.unlink(missing_ok=True)
        # Made before: what others could read a moment they could keep open.
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        async with pgtools.running(
            program,
            *options,
            *schemas,
            f"--file={draft}",
            environment=libpq.environment(dsn),
        ) as process:
            _, said = await process.communicate()
            if process.returncode:
                raise _failed("pg_dump", said)
        draft.replace(file)
    except OSError as error:
        raise InputError(
            Text("cannot write {file}: {reason}", "无法写入 {file}: {reason}").format(
                file=file, reason=error.strerror
            )
        ) from None
    finally:
        draft.unlink(missing_ok=True)


async def _able_to_dump(dsn: str) -> str:
    connection = await connect(dsn)
    try:
        # A connection that is encrypted is not read in the clear by the backup.
        return await pgtools.find(
            "pg_dump",
            at_least=connection.get_server_version().major,
            tls=bool(await connection.fetchval(_TLS)),
        )
    finally:
        await connection.close()


async def read(dsn: str, file: Path) -> None:
    """Replace all of DingBell's tables by those of a backup, in one transaction.

    Raises:
        DatabaseError: the file is not a backup, or cannot be restored here; nothing was changed.
    """
    program = await pgtools.find("pg_restore")
    connection = await connect(dsn)
    try:
        async with (
            pgtools.running(
                program, "--no-owner", "--no-privileges", "--file=-", str(file)
            ) as process,
            connection.transaction(),
        ):
            assert process.stdout is not None
            assert process.stderr is not None
            await _make_room(connection)
            server = connection.get_server_version().major
            await replay.carry_out(connection, process.stdout, server=server)
            said = await process.stderr.read()
            if await process.wait():
                raise _failed("pg_restore", said)
    except asyncpg.PostgresError as error:
        raise DatabaseError(
            Text(
                "the backup cannot be restored here, and nothing was changed: {reason}",
                "无法在此恢复该备份, 未做任何更改: {reason}",
            ).format(reason=error)
        ) from None
    finally:
        await connection.close()


async def _make_room(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Leave both schemas there, and empty."""
    for schema in _SCHEMAS:
        if await connection.fetchval("select to_regnamespace($1)", schema) is None:
            await connection.execute(f"create schema {schema}")
        for (statement,) in await connection.fetch(_CONTENT, schema):
            await connection.execute(statement)


def _failed(program: str, said: bytes) -> DatabaseError:
    return DatabaseError(
        Text("{program} failed: {reason}", "{program} 失败: {reason}").format(
            program=program, reason=pgtools.words(said)
        )
    )
