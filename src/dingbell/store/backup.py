"""Backup and restore with PostgreSQL's own tools, from the embedded wheel or the PATH."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from dingbell.errors import DatabaseError, InputError, Text
from dingbell.store.cluster import find_binaries
from dingbell.store.connection import SCHEMA

__all__ = ["read", "write"]

_SCHEMAS = (SCHEMA, "dingbell_queue")


async def write(dsn: str, file: Path) -> None:
    """Write all of DingBell's tables to a file, consistent at one instant.

    Raises:
        DatabaseError: `pg_dump` is not there or failed; no file is left behind.
    """
    draft = file.with_name(f".{file.name}.part")
    schemas = [f"--schema={schema}" for schema in _SCHEMAS]
    try:
        await _run(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            *schemas,
            f"--file={draft}",
            f"--dbname={dsn}",
        )
        draft.replace(file)
    except OSError as error:
        raise InputError(
            Text("cannot write {file}: {reason}", "无法写入 {file}: {reason}").format(
                file=file, reason=error.strerror
            )
        ) from None
    finally:
        draft.unlink(missing_ok=True)


async def read(dsn: str, file: Path) -> None:
    """Replace all of DingBell's tables by those of a backup, in one transaction.

    Raises:
        DatabaseError: the file is not a backup, or `pg_restore` failed; nothing was changed.
    """
    await _run(
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--single-transaction",
        f"--dbname={dsn}",
        str(file),
    )


async def _run(program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        _find(program),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        words = said.decode(errors="replace").strip().splitlines()
        raise DatabaseError(
            Text("{program} failed: {reason}", "{program} 失败: {reason}").format(
                program=program, reason=words[0] if words else process.returncode
            )
        )


def _find(program: str) -> str:
    try:
        return str(find_binaries() / program)
    except DatabaseError:
        found = shutil.which(program)
        if found is None:
            raise
        return found
