"""The folder of PostgreSQL's socket: whoever may enter it is superuser, so nobody else may."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path

from dingbell.errors import DatabaseError, InputError, Text

__all__ = ["SOCKET", "choose", "is_private", "make"]

SOCKET = ".s.PGSQL.5432"

_PATH_LIMIT = 100  # bytes; Linux takes 107, macOS 103


def choose(home: Path, runtime_dir: Path | None) -> Path:
    """Where the socket of this data directory goes.

    Below the data directory, which is the same for everybody and outlives a login, if its path is
    short and plain enough and its file system knows sockets; else below the runtime directory.

    Raises:
        InputError: Every place has too long or too odd a path.
    """
    inside = home / "socket"
    if runtime_dir is None and _fits(inside) and _knows_sockets(home):
        return inside
    base = (runtime_dir or _system_runtime_dir()).expanduser().absolute()
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    directory = base / f"dingbell-{os.geteuid()}-{name}"
    if not _fits(directory):
        raise InputError(
            Text(
                "the socket {path} would have a path of more than {limit} bytes, or with a comma "
                "or colon: set TMPDIR to another directory",
                "套接字 {path} 的路径会超过 {limit} 字节，或含有逗号、冒号："
                "请将 TMPDIR 设为其他目录",
            ).format(path=directory / SOCKET, limit=_PATH_LIMIT)
        )
    return directory


def make(directory: Path, owner: int) -> None:
    """Make the folder, for nobody but its owner.

    Raises:
        DatabaseError: Somebody else was there first.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {owner, os.geteuid()}:
        raise DatabaseError(
            Text(
                "{path} is a link or belongs to somebody else (user id {uid}), so the database's "
                "socket is not safe there: remove it",
                "{path} 是符号链接或属于其他用户（用户 ID {uid}），数据库套接字放在那里不安全："
                "请删除它",
            ).format(path=directory, uid=found.st_uid)
        )
    directory.chmod(0o700)


def is_private(directory: Path, owner: int) -> bool:
    """Whether this is a folder that only its owner may enter."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    return found.st_uid == owner and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077


def _fits(directory: Path) -> bool:
    """Whether the path is short enough for a socket, and is one host to those who connect."""
    plain = not {",", ":"} & set(str(directory))
    return plain and len(os.fsencode(directory / SOCKET)) <= _PATH_LIMIT


def _knows_sockets(home: Path) -> bool:
    """Whether the file system has sockets; some that containers share with their host do not."""
    trial = home / ".s.trial"
    trial.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        try:
            made.bind(str(trial))
        except OSError:
            return False
    trial.unlink(missing_ok=True)
    return True


def _system_runtime_dir() -> Path:
    """The login's runtime directory if it is ours, else the one for temporary files."""
    offered = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    return offered if is_private(offered, os.geteuid()) else Path(tempfile.gettempdir())
