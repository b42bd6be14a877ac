"""PostgreSQL's own programs: which of those on this machine can do what is asked."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from dingbell.errors import DatabaseError, Text
from dingbell.store.server.cluster import find_binaries

__all__ = ["find", "running", "words"]

_PROBE_LIMIT = 10.0
_NO_TLS = b"SSL support is not compiled in"


async def find(program: str, *, at_least: int = 0, tls: bool = False) -> str:
    """The first able program of this name: in the embedded wheel, then on the path.

    Args:
        program: its name, such as `pg_dump`.
        at_least: the major version it must have; `pg_dump` reads no server newer than itself.
        tls: whether it has to speak TLS; the wheel's does not.

    Raises:
        DatabaseError: there is none; the message says what was found and what to install.
    """
    found: dict[str, Text] = {}
    for path in _places(program):
        lack = await _lack(path, at_least=at_least, tls=tls)
        if lack is None:
            return path
        found[path] = lack
    raise DatabaseError(_none(program, at_least, found))


def _places(program: str) -> Iterator[str]:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    with suppress(DatabaseError):
        folders.insert(0, str(find_binaries()))
    for folder in dict.fromkeys(filter(None, folders)):
        if path := shutil.which(program, path=folder):
            yield path


async def _lack(path: str, *, at_least: int, tls: bool) -> Text | None:
    """What a program cannot do; None when it will do."""
    _, said = await _ask(path, "--version")
    version = re.search(rb"\) (\d+)", said)
    if version is None:
        return Text("does not run", "无法运行")
    if int(version[1]) < at_least:
        return Text("is of version {version}", "版本为 {version}").format(version=int(version[1]))
    if tls and not await _speaks_tls(path):
        return Text("is built without TLS", "不支持 TLS")
    return None


async def _speaks_tls(path: str) -> bool:
    """Whether TLS is built in: the wish for it is looked at before anything is connected to."""
    nowhere = {"PGHOST": "/nonexistent", "PGSSLMODE": "require", "LC_ALL": "C"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    _, said = await _ask(path, "--dbname=x", environment={**clean, **nowhere})
    return _NO_TLS not in said


async def _ask(
    path: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Run to the end; the exit code and everything it said."""
    try:
        async with running(path, *arguments, environment=environment) as process:
            async with asyncio.timeout(_PROBE_LIMIT):
                out, err = await process.communicate()
            return process.returncode or 0, out + err
    except (OSError, TimeoutError):
        return 1, b""


@asynccontextmanager
async def running(
    path: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """A program while it is needed: it does not outlive what is done with it."""
    process = await asyncio.create_subprocess_exec(
        path, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def words(said: bytes) -> str:
    """The first line of what a program complained of."""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else "?"


def _none(program: str, at_least: int, found: Mapping[str, Text]) -> Text:
    if not found:
        return Text(
            "{program} is not here: pip install 'dingbell[embedded]', or install PostgreSQL's "
            "client programs (Debian: apt install postgresql-client)",
            "没有 {program}: 请执行 pip install 'dingbell[embedded]', 或安装 PostgreSQL 客户端程序 "
            "(Debian: apt install postgresql-client)",
        ).format(program=program)
    each = [Text("{p} {lack}", "{p} {lack}").format(p=p, lack=lack) for p, lack in found.items()]
    return Text(
        "no {program} here can do this ({found}): put one with TLS, of version {version} or newer, "
        "on the PATH (Debian: apt install postgresql-client)",
        "此处没有可用的 {program} ({found}): 请在 PATH 中提供支持 TLS、版本不低于 {version} 的程序"
        " (Debian: apt install postgresql-client)",
    ).format(
        program=program,
        version=at_least or "?",
        found=Text("; ".join(each), "; ".join(one.zh for one in each)),
    )
