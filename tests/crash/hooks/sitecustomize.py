"""What a node of the crash tests finds in its Python: a clock that can be set, failpoints, poison.

Nothing of it is in the product. Python imports a module of this name when it starts.

    CRASH_CLOCK   a file that says by how many seconds the wall clock of this host is wrong
    CRASH_AT      `before` or `after`, and a commit by the beginning of its first write
    CRASH_ARMED   a file without which nobody dies
    CRASH_SEEN    a file to which every commit is written, by the beginning of its first write
    CRASH_POISON  words; the loop hangs for ever when a notice that holds them is planned
    CRASH_HUNG    a file to which a node that hangs writes a line
"""

from __future__ import annotations

import datetime
import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

_WRITE = re.compile(
    r"^\s*(with\b.*\b)?(insert|update|delete|select pg_notify)\b", re.IGNORECASE | re.DOTALL
)


def _set_the_clock(file: Path) -> None:
    import dingbell.clock

    class Wall(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            wrong = 0.0
            with suppress(OSError, ValueError):
                wrong = float(file.read_text())
            return datetime.datetime.now(tz) + datetime.timedelta(seconds=wrong)

    dingbell.clock.datetime = Wall  # type: ignore[misc]


class _Failpoints:
    """Every commit of this process: counted by its first write, and perhaps the last."""

    def __init__(self, at: str, armed: Path, seen: Path) -> None:
        self._moment, _, self._write = at.partition(" ")
        self._armed = armed
        self._seen = seen

    def pass_(self, moment: str, write: str) -> None:
        if not self._armed.exists():
            return
        if moment == "before":
            with self._seen.open("a") as file:
                file.write(write + "\n")
        if (moment, write) == (self._moment, self._write):
            self._armed.unlink(missing_ok=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        from asyncpg.connection import Connection
        from asyncpg.transaction import Transaction

        first: dict[Any, str] = {}
        leave = Transaction.__aexit__

        def wrapped(name: str) -> None:
            call = getattr(Connection, name)

            async def do(connection: Any, query: str, *args: Any, **kwargs: Any) -> Any:
                if not _WRITE.search(query):
                    return await call(connection, query, *args, **kwargs)
                write = " ".join(query.split())[:60]
                if connection.is_in_transaction():
                    first.setdefault(connection, write)
                    return await call(connection, query, *args, **kwargs)
                self.pass_("before", write)
                found = await call(connection, query, *args, **kwargs)
                self.pass_("after", write)
                return found

            setattr(Connection, name, do)

        async def commit(transaction: Any, kind: Any, error: Any, trace: Any) -> Any:
            nested = transaction._nested
            write = None if nested else first.pop(transaction._connection, None)
            if write and kind is None:
                self.pass_("before", write)
            left = await leave(transaction, kind, error, trace)
            if write and kind is None:
                self.pass_("after", write)
            return left

        for name in ("execute", "fetch", "fetchrow", "fetchval"):
            wrapped(name)
        Transaction.__aexit__ = commit


def _poison(words: str, hung: Path) -> None:
    from dingbell.engine.path.planner import planner

    draft = planner.draft

    async def drafted(context: Any, run: Any, **options: Any) -> Any:
        if words in str(run.stored):
            with hung.open("a") as file:
                file.write(f"{os.getpid()}\n")
            while True:
                pass
        return await draft(context, run, **options)

    planner.draft = drafted


if "CRASH_CLOCK" in os.environ:
    _set_the_clock(Path(os.environ["CRASH_CLOCK"]))
if "CRASH_SEEN" in os.environ:
    _Failpoints(
        os.environ.get("CRASH_AT", ""),
        Path(os.environ["CRASH_ARMED"]),
        Path(os.environ["CRASH_SEEN"]),
    ).install()
if "CRASH_POISON" in os.environ:
    _poison(os.environ["CRASH_POISON"], Path(os.environ["CRASH_HUNG"]))
