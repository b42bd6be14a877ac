"""A table as it was read: named columns, rows of exact text, and the line of each row."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dingbell.errors import InputError, Text

__all__ = ["MOST_COLUMNS", "MOST_ROWS", "Line", "Row", "Table", "TableError", "letters", "shaped"]

MOST_ROWS = 200_000
MOST_COLUMNS = 200
_LONGEST_CELL = 2_000
_LONGEST_NAME = 100

# A line of a file, from 1, and what stands in it.
Line = tuple[int, Sequence[str]]

_PLACED = Text("{file}, line {line}: {what}", "{file} 第 {line} 行: {what}")
_IN_COLUMN = Text(
    "{file}, line {line}, column {column}: {what}", "{file} 第 {line} 行, {column} 列: {what}"
)
_UNPLACED = Text("{file}: {what}", "{file}: {what}")

_EMPTY = Text(
    "it is empty: the first line names the columns, a row for each person follows",
    "没有内容: 第一行写列名, 之后每人一行",
)
_NO_ROWS = Text(
    "below the line with the names of the columns there is no row", "列名之下没有任何数据行"
)
_UNNAMED = Text(
    "this column has no name: write one in line {header}, or empty the column",
    "此列没有列名: 请在第 {header} 行写上列名, 或清空该列",
)
_TWICE = Text("there are two columns of this name: rename one", "有两列同名: 请改其中一个")
_LONG_NAME = Text(
    "the name of a column has at most {most} characters; does line {line} hold the names?",
    "列名至多 {most} 个字符; 第 {line} 行是列名吗?",
)
_TOO_WIDE = Text("there are more than {most} columns", "超过 {most} 列")
_TOO_LONG = Text("there are more than {most} rows: divide the file", "超过 {most} 行: 请拆分文件")
_LONG_CELL = Text("the cell has more than {most} characters", "单元格超过 {most} 个字符")
_NO_TEXT = Text(
    "the cell has the character {point}, which is not text: take it out",
    "单元格含有非文本字符 {point}: 请删除",
)
_FAULT = Text(
    "the cell is the error {cell}: mend the formula, or write the value",
    "单元格是错误值 {cell}: 请修正公式或直接填写",
)
_FAULTS = frozenset({"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"})
# Some programs write a number that has to stay text as ="0012".
_QUOTED = re.compile(r'="([^"]*)"')
_NO_CHARACTER = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class TableError(InputError):
    """The table cannot be read."""

    def __init__(
        self, file: str, what: Text, *, line: int | None = None, column: str | None = None
    ) -> None:
        self.line = line
        form = _UNPLACED if line is None else _PLACED if column is None else _IN_COLUMN
        super().__init__(form.format(file=file, line=line, column=column, what=what))


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the line of the file it begins on, and its cells in the order of the columns."""

    line: int
    cells: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """What stands in a file.

    Attributes:
        name: of the file, for errors.
        columns: their names.
        rows: those that are not empty.
        note: what its author should know about how it was read.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...] = field(repr=False)
    note: Text | None = None


def shaped(name: str, lines: Iterable[Line], note: Text | None = None) -> Table:
    """A table of the lines of a file; the first that is not empty names the columns.

    Raises:
        TableError: a column has no name or one that another has, a cell has no column, or
            something is larger than allowed.
    """
    ahead = _filled(name, lines)
    header, names = next(ahead, (0, ()))
    if not names:
        raise TableError(name, _EMPTY)
    shape = _Shape(name, header, names)
    rows = tuple(shape.row(line, cells) for line, cells in ahead)
    if not rows:
        raise TableError(name, _NO_ROWS, line=header)
    return Table(name, shape.names, rows, note)


def _filled(name: str, lines: Iterable[Line]) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold something, each cell without the blanks around it."""
    count = 0
    for line, cells in lines:
        kept = [_kept(cell) for cell in cells]
        while kept and not kept[-1]:
            kept.pop()
        if not kept:
            continue
        count += 1
        if count > MOST_ROWS + 1:
            raise TableError(name, _TOO_LONG.format(most=MOST_ROWS), line=line)
        yield line, kept


def _kept(cell: str) -> str:
    found = cell.strip()
    if found.startswith("=") and (quoted := _QUOTED.fullmatch(found)):
        return quoted[1].strip()
    return found


class _Shape:
    """The columns of a table, to which each row is fitted."""

    def __init__(self, file: str, header: int, names: Sequence[str]) -> None:
        self._file, self._header = file, header
        if len(names) > MOST_COLUMNS:
            raise TableError(file, _TOO_WIDE.format(most=MOST_COLUMNS), line=header)
        self._names = [self._name(name) for name in names]
        self._places = [place for place, name in enumerate(self._names) if name]
        self.names = tuple(self._names[place] for place in self._places)
        for name in self.names:
            if self.names.count(name) > 1:
                raise TableError(file, _TWICE, line=header, column=name)
        self._whole = len(self._places) == len(self._names)

    def _name(self, written: str) -> str:
        name = unicodedata.normalize("NFC", " ".join(written.split()))
        if len(name) > _LONGEST_NAME:
            words = _LONG_NAME.format(most=_LONGEST_NAME, line=self._header)
            raise TableError(self._file, words, line=self._header)
        self._check(self._header, name[:20], name)
        return name

    def row(self, line: int, cells: list[str]) -> Row:
        width = len(self._names)
        if len(cells) > width or not self._whole:
            self._check_named(line, cells)
        if not _is_plain(cells):
            for name, cell in zip(self._names, cells, strict=False):
                self._check(line, name, cell)
        cells += [""] * (width - len(cells))
        if self._whole:
            return Row(line, tuple(cells))
        return Row(line, tuple(cells[place] for place in self._places))

    def _check_named(self, line: int, cells: list[str]) -> None:
        for place, cell in enumerate(cells):
            if cell and (place >= len(self._names) or not self._names[place]):
                words = _UNNAMED.format(header=self._header)
                raise TableError(self._file, words, line=line, column=letters(place))

    def _check(self, line: int, column: str, cell: str) -> None:
        words = None
        if len(cell) > _LONGEST_CELL:
            words = _LONG_CELL.format(most=_LONGEST_CELL)
        elif cell in _FAULTS:
            words = _FAULT.format(cell=cell)
        elif not cell.isprintable() and (found := _NO_CHARACTER.search(cell)):
            words = _NO_TEXT.format(point=f"U+{ord(found[0]):04X}")
        if words is not None:
            raise TableError(self._file, words, line=line, column=column)


def _is_plain(cells: Sequence[str]) -> bool:
    """Whether nothing in a row has to be looked at more closely: nearly always."""
    joined = "".join(cells)
    return len(joined) <= _LONGEST_CELL and "#" not in joined and joined.isprintable()


def letters(place: int) -> str:
    """How a spreadsheet calls a column, counted from 0: A, B, …, Z, AA."""
    name = ""
    while place >= 0:
        place, letter = divmod(place, 26)
        name, place = chr(65 + letter) + name, place - 1
    return name
