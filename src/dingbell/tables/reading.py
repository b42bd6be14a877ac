"""Reading a file with a table, whatever program wrote it."""

from __future__ import annotations

from pathlib import Path

from dingbell import textfile
from dingbell.errors import InputError, Text
from dingbell.tables import separated, workbook
from dingbell.tables.table import Table, TableError, shaped

__all__ = ["LARGEST_FILE", "read", "read_file"]

LARGEST_FILE = 32 * 2**20

_TOO_LARGE = Text("it has more than {most} MB", "文件超过 {most} MB").format(
    most=LARGEST_FILE // 2**20
)
_UNREADABLE = Text("cannot read {path}: {why}", "无法读取 {path}: {why}")


def read(content: bytes, name: str, *, encoding: str | None = None) -> Table:
    """Read a table; a workbook by what it is, anything else as text with separators.

    It may take seconds: never call it in an event loop.

    Args:
        content: the bytes of the file.
        name: what errors call it.
        encoding: of a text, where its author knows better.

    Raises:
        TableError: it cannot be read; the text says where, and what to do.
    """
    if len(content) > LARGEST_FILE:
        raise TableError(name, _TOO_LARGE)
    if workbook.is_workbook(content):
        return shaped(name, workbook.lines(content, name))
    text, note = separated.decoded(content, name, encoding)
    return shaped(name, separated.lines(text, name), note)


def read_file(path: Path, *, name: str | None = None, encoding: str | None = None) -> Table:
    """Read the table of a file; see `read`.

    Raises:
        InputError: the file cannot be read.
        TableError: its table cannot.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = textfile.reason(error)
        raise InputError(_UNREADABLE.format(path=name or path, why=why)) from None
    return read(content, name or str(path), encoding=encoding)
