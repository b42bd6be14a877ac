"""Files that a command writes for whoever runs it, and for nobody else: people and secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["create"]


def create(path: Path, **options: Any) -> IO[Any]:
    """Open a file to be written, readable by its owner alone, whatever it was before.

    Args:
        path: the file.
        options: as for `open`.
    """
    file = open(path, opener=_owned, **options)  # noqa: SIM115  `Path.open` has no opener
    return cast("IO[Any]", file)


def _owned(name: str, flags: int) -> int:
    descriptor = os.open(name, flags, 0o600)
    if hasattr(os, "fchmod"):  # Windows has none before Python 3.13.
        os.fchmod(descriptor, 0o600)
    return descriptor
