"""A private PostgreSQL in the data directory, shared by every process that uses it.

Three locks in the data directory replace pids, which lie after a crash and repeat in containers:
`start.lock` is held while somebody starts or stops the server, `users.lock` is shared by everybody
who uses it (the last one stops it), and `server.lock` is inherited by PostgreSQL itself, so that it
is held as long as one of its processes lives. A pid is looked at only to signal it, and verified.

Never share a data directory between machines: a network file system keeps no such promises.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import asyncpg

from dingbell.clock import SystemClock
from dingbell.errors import DatabaseError, InputError, Text
from dingbell.store.server import socketdir
from dingbell.store.server.cluster import Cluster, find_binaries
from dingbell.store.server.filelock import FileLock

if TYPE_CHECKING:
    import psutil

__all__ = ["EmbeddedServer"]

_POLL = 0.01  # seconds
_QUERY_LIMIT = 5.0
_START_LIMIT = 120.0  # crash recovery reads at most `max_wal_size`
_STOP_PATIENCE = 10.0
_STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_WHO = "select current_setting('data_directory'), pg_read_file('postmaster.pid')"


class EmbeddedServer:
    """This process's use of the PostgreSQL in a data directory."""

    def __init__(self, data_dir: Path, *, runtime_dir: Path | None = None) -> None:
        """Nothing is touched before `start`.

        Args:
            data_dir: Where the cluster, its log and its locks live.
            runtime_dir: Where to put the folder of the socket, if not below `data_dir`.
        """
        self._home = data_dir.expanduser().resolve()
        self._runtime_dir = runtime_dir
        self._cluster = Cluster(self._home)
        self._use: FileLock | None = None
        self._socket_dir: Path | None = None
        self._launched: int | None = None
        self._clock = SystemClock()

    @property
    def dsn(self) -> str:
        """Where to connect, for asyncpg and (with its driver's name) SQLAlchemy."""
        if self._socket_dir is None:
            raise DatabaseError(
                Text("the embedded PostgreSQL has not been started", "内嵌的 PostgreSQL 尚未启动")
            )
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_dir))}&port=5432"

    async def start(self) -> str:
        """Start the server, or attach to it; return where to connect.

        Raises:
            InputError: The data directory belongs to another user.
            DatabaseError: The server cannot be started, with its last words.
        """
        with _no_leaks(self._home):
            self._open_home()
            async with self._starting():
                use, self._launched = self._use or self._join(), None
                try:
                    await self._bring_up()
                except BaseException:
                    if self._use is None:
                        self._abandon(use)
                    raise
                self._use = use
        return self.dsn

    async def ensure(self) -> None:
        """See to it that the server answers; start it again if it is dead.

        Does nothing after `stop`.
        """
        with _no_leaks(self._home):
            if self._use is None or await self._answers():
                return
            async with self._starting():
                if self._use is not None:
                    await self._bring_up()

    async def stop(self) -> None:
        """Give up the use of the server; its last user stops it, within 30 seconds.

        Raises:
            DatabaseError: It does not end, or somebody else's start or stop does not.
        """
        use, self._use = self._use, None
        if use is None:
            return
        with contextlib.closing(use), _no_leaks(self._home):
            async with self._starting(_STOP_PATIENCE):
                if use.take():
                    await self._halt()

    def _open_home(self) -> None:
        """Make the data directory, or see that it is ours."""
        if sys.platform == "win32":
            raise DatabaseError(
                Text(
                    "the embedded PostgreSQL runs on Linux and macOS; set DINGBELL_DATABASE_URL",
                    "内嵌的 PostgreSQL 只支持 Linux 和 macOS；请设置 DINGBELL_DATABASE_URL",
                )
            )
        find_binaries()
        if not _can_be_told(self._home):
            raise InputError(
                Text(
                    "the data directory {home} must be named in UTF-8, without line breaks",
                    "数据目录 {home} 的名称必须是 UTF-8，且不含换行符",
                ).format(home=ascii(str(self._home)))
            )
        # Root's is open for passing: PostgreSQL runs as somebody else.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        self._home.mkdir(mode=mode, parents=True, exist_ok=True)
        try:
            owner = (self._home / "start.lock").stat().st_uid
        except FileNotFoundError:
            return
        except PermissionError:
            owner = self._home.stat().st_uid
        if owner != os.geteuid():
            raise InputError(
                Text(
                    "the data directory {home} belongs to user id {owner} and this is user id "
                    "{us}: run DingBell as that user, or choose another data directory",
                    "数据目录 {home} 属于用户 ID {owner}，而当前用户 ID 是 {us}："
                    "请以该用户运行 DingBell，或选择其他数据目录",
                ).format(home=self._home, owner=owner, us=os.geteuid())
            )

    def _join(self) -> FileLock:
        """Become a user. Only under the start lock, so nobody is stopping the server."""
        use = FileLock(self._home / "users.lock")
        use.take(shared=True)
        return use

    def _abandon(self, use: FileLock) -> None:
        """Leave after a failed start, and take along the server that may still be coming up."""
        with contextlib.closing(use):
            if self._launched is None or not use.take():
                return
            import psutil

            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self._launched)
                if str(self._cluster.path) in process.cmdline():
                    process.terminate()

    @contextlib.asynccontextmanager
    async def _starting(self, patience: float | None = None) -> AsyncIterator[None]:
        """Be the only one who starts or stops."""
        with FileLock(self._home / "start.lock") as lock:
            async with self._limit(patience or _START_LIMIT, self._stuck):
                while not lock.take():
                    await self._clock.sleep(_POLL)
            yield

    @contextlib.asynccontextmanager
    async def _limit(self, seconds: float, explain: Callable[[], Text]) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise DatabaseError(explain()) from error

    def _stuck(self) -> Text:
        return Text(
            "another process has been starting or stopping the database in {home} for too long",
            "另一个进程启动或停止 {home} 中的数据库的时间过长",
        ).format(home=self._home)

    def _silent(self) -> Text:
        return Text(
            "the database in {home} does not answer; is it in use on another machine or in another "
            "container?\n{output}",
            "{home} 中的数据库没有响应；它是否正被另一台机器或另一个容器使用？\n{output}",
        ).format(home=self._home, output=self._cluster.last_words())

    async def _bring_up(self) -> None:
        """Wait until the server answers, and start it as soon as none is alive."""
        launched = False
        async with self._limit(_START_LIMIT, self._silent):
            while not await self._answers():
                if self._use and self._is_deaf():
                    await self._halt()
                if not self._is_alive():
                    if launched:
                        raise self._died()
                    await _finish_in_thread(self._launch)
                    launched = True
                await self._clock.sleep(_POLL)

    def _launch(self) -> None:
        with FileLock(self._home / "server.lock") as lock:
            if lock.take():
                directory = self._socket_dir or socketdir.choose(self._home, self._runtime_dir)
                self._launched = self._cluster.launch(directory, lock)

    def _died(self) -> DatabaseError:
        return DatabaseError(
            Text(
                "the database in {home} does not start:\n{output}",
                "{home} 中的数据库无法启动：\n{output}",
            ).format(home=self._home, output=self._cluster.last_words())
        )

    async def _answers(self) -> bool:
        """Whether the server of this very cluster answers a query."""
        lines = self._cluster.pid_lines()
        directory = Path(lines[4])
        owner = self._cluster.owner()
        if lines[7] != "ready" or owner is None or not socketdir.is_private(directory, owner):
            return False
        try:
            ours = await _ask(directory) == (str(self._cluster.path), lines[0])
        except asyncpg.TooManyConnectionsError:
            ours = True
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            ours = False
        if ours:
            self._socket_dir = directory
        return ours

    def _is_alive(self) -> bool:
        """Whether any process of the server lives."""
        with FileLock(self._home / "server.lock") as lock:
            return not lock.take() or self._postmaster() is not None

    def _is_deaf(self) -> bool:
        """Whether the server is up but somebody has removed its socket."""
        lines = self._cluster.pid_lines()
        unheard = lines[7] == "ready" and not (Path(lines[4]) / socketdir.SOCKET).exists()
        return unheard and self._postmaster() is not None

    def _postmaster(self) -> psutil.Process | None:
        """The living process of the pid file, if it really is PostgreSQL in our cluster."""
        import psutil  # comes with the wheel

        try:
            process = psutil.Process(int(self._cluster.pid_lines()[0]))
            ours = process.status() != psutil.STATUS_ZOMBIE and process.name() == "postgres"
            return process if ours and _works_in(process, self._cluster.path) else None
        except (ValueError, psutil.Error):
            return None

    def _signal(self, step: signal.Signals) -> None:
        """Signal the server if it is still there and we may."""
        import psutil

        with contextlib.suppress(psutil.Error):
            if process := self._postmaster():
                process.send_signal(step)

    async def _halt(self) -> None:
        """Stop the server, ever more firmly."""
        for step, seconds in _STOP_STEPS:
            self._signal(step)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while self._is_alive():
                        await self._clock.sleep(_POLL)
                    return
        raise DatabaseError(
            Text("the database in {home} cannot be stopped", "无法停止 {home} 中的数据库").format(
                home=self._home
            )
        )


async def _ask(directory: Path) -> tuple[str, str]:
    """The data directory and pid of the server that listens there."""
    async with asyncio.timeout(_QUERY_LIMIT):
        connection = await asyncpg.connect(
            host=str(directory), port=5432, user="postgres", database="postgres", ssl=False
        )
        try:
            [(where, pid_file)] = await connection.fetch(_WHO)
        finally:
            await connection.close()
    return where, pid_file.partition("\n")[0]


async def _finish_in_thread(work: Callable[[], None]) -> None:
    """Run to the end even when cancelled: what runs must stay under the start lock."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()
        raise


@contextlib.contextmanager
def _no_leaks(home: Path) -> Iterator[None]:
    """Tell refused files and failed commands in words."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        raise DatabaseError(
            Text(
                "the database in {home} cannot be used: {reason}",
                "无法使用 {home} 中的数据库：{reason}",
            ).format(home=home, reason=error)
        ) from error


def _can_be_told(path: Path) -> bool:
    """Whether PostgreSQL can write this path down, and we find it there again."""
    odd = (character == "\n" or "\ud800" <= character <= "\udfff" for character in str(path))
    return not any(odd)


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    """Whether a process runs in this cluster; where its directory is secret, its command tells."""
    import psutil

    try:
        return Path(process.cwd()).samefile(cluster)
    except (psutil.AccessDenied, OSError):
        return str(cluster) in process.cmdline()
