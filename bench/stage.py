"""The stage of a measurement: a company, an empty database, and nodes on it, all thrown away."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from company import Company, open_company
from processes import Child, child, clean_environment, cpu_seconds, dingbell

from dingbell.bootstrap import open_database, open_desk
from dingbell.operations.context import Operations
from dingbell.settings import Settings

__all__ = ["Stage", "folder", "open_stage", "reached", "until"]

_POLL = 0.05
# What differs between two events of one kind: counts, ids, request ids.
_NUMBERS = re.compile(r"\b[0-9a-f]*\d[0-9a-f]*\b")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards; when something fails, the ends of its logs are shown."""
    path = Path(tempfile.mkdtemp(prefix="dingbell-bench-"))
    try:
        yield path
    except BaseException:
        for log in sorted(path.glob("*.log")):
            print(f"--- end of {log.name}\n{log.read_text()[-2_000:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scenario works with."""

    folder: Path
    company: Company
    desk: Operations
    dsn: str

    @asynccontextmanager
    async def node(self, **settings: str) -> AsyncIterator[Child]:
        """Run `dingbell serve`; settings are given by name without their prefix."""
        given = {f"DINGBELL_{name.upper()}": value for name, value in settings.items()}
        env = clean_environment({"DINGBELL_DATA_DIR": str(self.folder), **given})
        command = dingbell("serve", "--port", "0")
        async with child(*command, env=env, folder=self.folder, log="node.log") as node:
            await node.line("ready")
            yield node

    async def value(self, query: str, *arguments: object) -> Any:
        """One value from the database."""
        async with self.desk.pool.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def commits(self) -> int:
        """Transactions committed so far; exact once the node that made them has ended."""
        return int(
            await self.value(
                "select xact_commit from pg_stat_database where datname = current_database()"
            )
        )

    def database_cpu(self) -> float:
        """Seconds of CPU used so far by the processes of PostgreSQL that live now."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        head = psutil.Process(pid)
        return sum(cpu_seconds(process) for process in (head, *head.children()))

    def complaints(self) -> list[str]:
        """What the node's log says at level warning and above, each kind once with its count."""
        kinds: dict[str, int] = {}
        for line in (self.folder / "node.log").read_text().splitlines():
            kind = _complaint(line)
            if kind:
                kinds[kind] = kinds.get(kind, 0) + 1
        return [f"node log: {kind} ×{count}" for kind, count in kinds.items()]


def _complaint(line: str) -> str | None:
    """The kind of a line worth showing."""
    try:
        event = json.loads(line)
    except ValueError:
        return line[:200] or None
    if event.get("level") in ("debug", "info"):
        return None
    known = ("event", "job", "error", "code", "reason")
    said = " ".join(str(event[name])[:120] for name in known if name in event)
    return _NUMBERS.sub("…", said)


@asynccontextmanager
async def open_stage(*, apps: int = 1, people: int = 300) -> AsyncIterator[Stage]:
    """Start a company and an empty database."""
    with folder() as path:
        async with open_company(path, apps=apps, people=people) as company:
            settings = Settings.load(
                _env_file=None, data_dir=path, oapi_url=company.url, api_url=company.url
            )
            async with (
                open_database(settings) as database,
                open_desk(settings, database=database) as desk,
            ):
                yield Stage(path, company, desk, database.dsn)


async def until(instant: float, *, patience: float = 0.0) -> None:
    """Wait until an instant of the wall clock, and a little longer if asked to."""
    await asyncio.sleep(max(0.0, instant + patience - time.time()))


async def reached(
    question: Callable[[], Awaitable[bool]], *, within: float, every: float = _POLL
) -> bool:
    """Ask until the answer is yes; False when it never was."""
    deadline = time.monotonic() + within
    while not await question():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(every)
    return True
