"""XLSX: the first sheet of a workbook, read by a process that may die of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dingbell.errors import Text
from dingbell.tables.table import MOST_COLUMNS, Line, TableError, letters

__all__ = ["is_workbook", "lines"]

_ZIP = b"PK\x03\x04"
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROCESS = Path(__file__).with_name("sheet_process.py")
# 100,000 rows of six cells take 130 MB and two seconds of CPU.
_MEMORY = 512 * 2**20
_CPU_SECONDS = 20
_SECONDS = 60
_MOST_PARTS = 1_000
_MOST_UNPACKED = 200 * 2**20
_MOST_TIMES = 400
_SMALL = 2**20

_OLD_FORM = Text(
    "it is an old or a locked workbook: save it as .xlsx, without a password",
    "这是旧格式或加密的工作簿: 请另存为不带密码的 .xlsx",
)
_BROKEN = Text(
    "it is no sound workbook: open it and save it again as .xlsx",
    "工作簿已损坏或不是 .xlsx: 请打开后另存为 .xlsx",
)
_TOO_MUCH = Text(
    "unpacked it has more than {most} MB: it is no ordinary workbook",
    "解压后超过 {most} MB: 不是正常的工作簿",
).format(most=_MOST_UNPACKED // 2**20)
_TOO_LARGE = Text(
    "the sheet is too large to be read: does a cell far to the right or far below hold "
    "something? Delete the empty rows and columns, or save the sheet as CSV",
    "工作表过大, 无法读取: 最右或最下方是否有多余的单元格? 请删除多余的空行空列, 或另存为 CSV",
)
_TOO_WIDE = Text("there are more than {most} columns", "超过 {most} 列").format(most=MOST_COLUMNS)
_LOST_DIGITS = Text(
    "a number has more than 15 digits, of which Excel keeps 15: format the column as text and "
    "type it again",
    "数字超过 15 位, Excel 只保留 15 位: 请将该列设为文本格式后重新填写",
)
_NO_CELL = Text("the cell holds something that is no text", "单元格内容不是文本")


def is_workbook(content: bytes) -> bool:
    """Whether a file is a workbook, of whatever form, rather than text."""
    return content.startswith((_ZIP, _OLD))


def lines(content: bytes, name: str) -> Iterator[Line]:
    """The rows of the first sheet, each with the number that Excel shows beside it.

    Raises:
        TableError: it is no workbook, is not sound, or takes more memory or time than allowed.
    """
    if content.startswith(_OLD):
        raise TableError(name, _OLD_FORM)
    _check_parts(content, name)
    found = _read(content, name)
    head = json.loads(next(found, b"null"))
    if not isinstance(head, dict) or "broken" in head:
        raise TableError(name, _TOO_LARGE if head is None else _BROKEN)
    before = [""] * head["column"]
    for line, written in enumerate(found, head["line"]):
        cells = json.loads(written)
        if cells is True:
            return
        if len(cells) > MOST_COLUMNS:
            raise TableError(name, _TOO_WIDE, line=line)
        yield (
            line,
            [
                *before,
                *(_cell(name, line, place, cell) for place, cell in enumerate(cells, len(before))),
            ],
        )
    raise TableError(name, _TOO_LARGE)


def _cell(name: str, line: int, place: int, cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    words = _LOST_DIGITS if cell[0] == "digits" else _NO_CELL
    raise TableError(name, words, line=line, column=letters(place))


def _check_parts(content: bytes, name: str) -> None:
    """Look at the table of contents: what unpacks to too much is not unpacked."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError):
        raise TableError(name, _BROKEN) from None
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > _MOST_PARTS or unpacked > _MOST_UNPACKED:
        raise TableError(name, _TOO_MUCH)
    if any(part.file_size > max(_SMALL, part.compress_size * _MOST_TIMES) for part in parts):
        raise TableError(name, _TOO_MUCH)
    if "xl/workbook.xml" not in {part.filename for part in parts}:
        raise TableError(name, _BROKEN)


def _read(content: bytes, name: str) -> Iterator[bytes]:
    """What the process says, line by line; nothing where it died of the workbook."""
    command = [sys.executable, "-I", str(_PROCESS), str(_MEMORY), str(_CPU_SECONDS)]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise TableError(name, _TOO_LARGE) from None
    return iter(done.stdout.split(b"\n")[:-1])
