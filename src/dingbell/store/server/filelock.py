"""Locks on files that the kernel forgets with their holder, however the holder died."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

__all__ = ["FileLock"]


class FileLock:
    """An open lock file.

    The lock belongs to the open file: the same process may open the same path twice, a child
    that inherits the descriptor keeps the lock, and nobody has to unlock after `kill -9`.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor, for a child that is to hold the lock as well."""
        return self._descriptor

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock, or change the one held, without waiting; whether that worked."""
        import fcntl  # Windows has none, and must be able to import this module.

        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go; the lock lives on in children that inherited it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
