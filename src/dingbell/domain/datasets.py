"""Datasets: the rows of a table, each about one person, who is found by one of its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated

from pydantic import AfterValidator

from dingbell.errors import InputError, Text
from dingbell.intake import name as visible_name
from dingbell.tables import Table, TableError

__all__ = [
    "Assigned",
    "AssignedRow",
    "DatasetName",
    "Fault",
    "Key",
    "KeyKind",
    "Owners",
    "assigned",
    "checked_name",
    "content_digest",
    "is_of_send",
    "key_of",
    "key_values",
    "name_of_send",
]

_LONGEST_NAME = 200
# What a send brings along is named after its request, and is nobody else's.
_OF_SENDS = "send:"


class KeyKind(StrEnum):
    """By what a row says whose it is; the value is what the tables keep."""

    USERID = "userid"
    JOB_NUMBER = "job_number"
    MOBILE = "mobile"
    NAME = "name"


class Fault(StrEnum):
    """Why a row is nobody's; the value is what the tables keep."""

    UNKNOWN = "unknown"
    LEFT = "left"
    AMBIGUOUS = "ambiguous"
    EMPTY = "empty"

    def words(self, value: str) -> Text:
        """The fault of a row, in words."""
        return _FAULTS[self].format(value=value)


_FAULTS = {
    Fault.UNKNOWN: Text("{value} is not in the directory", "通讯录中没有 {value}"),
    Fault.LEFT: Text("{value} has left the company", "{value} 已离职"),
    Fault.AMBIGUOUS: Text("several people are called {value}", "有多人对应 {value}"),
    Fault.EMPTY: Text("it does not say whose it is", "没有写明是谁"),
}

# The headers that are understood, the surest first; blanks, case and brackets do not matter.
_HEADERS: Mapping[KeyKind, frozenset[str]] = {
    KeyKind.USERID: frozenset(
        {"userid", "用户id", "员工userid", "员工id", "钉钉id", "钉钉userid", "钉钉用户id"}
    ),
    KeyKind.JOB_NUMBER: frozenset(
        {"jobnumber", "jobno", "employeeid", "employeeno", "employeenumber", "staffid", "工号",
         "员工工号", "员工编号", "职工号", "员工号"}
    ),
    KeyKind.MOBILE: frozenset(
        {"mobile", "mobilenumber", "mobilephone", "phone", "phonenumber", "手机", "手机号",
         "手机号码", "联系电话", "电话"}
    ),
    KeyKind.NAME: frozenset({"name", "fullname", "姓名", "员工姓名", "名字"}),
}  # fmt: skip
_SIGNS = re.compile(r"[\s_\-.()()[\]【】]+")
_MOBILE_SIGNS = re.compile(r"[\s\-]+")
_CHINESE_MOBILE = re.compile(r"(?:\+?86|0086)(1[0-9]{10})", re.ASCII)

_NO_KEY = Text(
    "no column says whose a row is: name one userid, 工号 (job number), 手机号 (mobile) or 姓名 "
    "(name). There are {columns}",
    "没有一列说明每行是谁的: 请把一列命名为 userid、工号、手机号或姓名。现有列: {columns}",
)
_NO_SUCH_KEY = Text(
    "no column holds the {kind}: name one {header}. There are {columns}",
    "没有 {kind} 列: 请把一列命名为 {header}。现有列: {columns}",
)
_TWO_KEYS = Text(
    "two columns may hold the {kind}: {columns}. Rename one",
    "有两列都可能是 {kind}: {columns}。请改其中一列的列名",
)
_TWO_ROWS = Text(
    "line {first} is about the same person, {value}, and says something else: keep one of them",
    "与第 {first} 行是同一个人 ({value}), 但内容不同: 请只保留一行",
)
_NO_NAME = Text(
    "{name!r} is no name of a dataset: at most {most} characters, not empty, not beginning with "
    "send:",
    "{name!r} 不能作数据集名称: 不能为空, 至多 {most} 个字符, 不能以 send: 开头",
)
_NO_ADDRESS = Text(
    "{name!r} is an address: save the file, or import it with `dingbell datasets import`",
    "{name!r} 是网址: 请保存为文件, 或用 `dingbell datasets import` 导入",
)


def checked_name(value: str) -> str:
    """The name of a dataset, which may be that of a file.

    Raises:
        InputError: it is none.
    """
    found = visible_name(value)
    if "://" in found:
        raise InputError(_NO_ADDRESS.format(name=found[:_LONGEST_NAME]))
    if not 0 < len(found) <= _LONGEST_NAME or found.startswith(_OF_SENDS):
        raise InputError(_NO_NAME.format(name=found[:_LONGEST_NAME], most=_LONGEST_NAME))
    return found


DatasetName = Annotated[str, AfterValidator(checked_name)]


def name_of_send(request_id: str) -> str:
    """The name of the rows that a send brings along."""
    return _OF_SENDS + request_id


def is_of_send(name: str) -> bool:
    """Whether a dataset is what a send has brought along."""
    return name.startswith(_OF_SENDS)


@dataclass(frozen=True, slots=True)
class Key:
    """The column that says whose a row is.

    Attributes:
        place: of the column, from 0.
        column: its name.
    """

    kind: KeyKind
    place: int
    column: str

    def value(self, cells: Sequence[str]) -> str:
        """Whose a row says it is, in the form that is looked up."""
        written = cells[self.place]
        if self.kind is not KeyKind.MOBILE:
            return written
        plain = _MOBILE_SIGNS.sub("", written)
        chinese = _CHINESE_MOBILE.fullmatch(plain)
        return chinese[1] if chinese else plain


def key_of(table: Table, kind: KeyKind | None = None) -> Key:
    """The column of a table that says whose its rows are, found by its header.

    Args:
        table: whose.
        kind: what it has to hold; the surest that is there if left out.

    Raises:
        TableError: there is none, or there are two.
    """
    for wanted in [kind] if kind else list(KeyKind):
        headers = _HEADERS[wanted]
        places = [n for n, name in enumerate(table.columns) if _plain(name) in headers]
        if len(places) > 1:
            listed = ", ".join(table.columns[place] for place in places)
            raise TableError(table.name, _TWO_KEYS.format(kind=wanted.value, columns=listed))
        if places:
            return Key(wanted, places[0], table.columns[places[0]])
    columns = ", ".join(table.columns[:30])
    if kind is None:
        raise TableError(table.name, _NO_KEY.format(columns=columns))
    header = max(_HEADERS[kind])
    words = _NO_SUCH_KEY.format(kind=kind.value, header=header, columns=columns)
    raise TableError(table.name, words)


def _plain(header: str) -> str:
    return _SIGNS.sub("", header).casefold()


def key_values(table: Table, key: Key) -> list[str]:
    """Whom the rows of a table name, each once."""
    return [value for value in {key.value(row.cells): None for row in table.rows} if value]


# Whom a value means: those who are there, and whether somebody who has left was called so.
Owners = Mapping[str, tuple[Sequence[str], bool]]


@dataclass(frozen=True, slots=True)
class AssignedRow:
    """A row and whose it is; nobody's has a fault."""

    line: int
    key: str
    userid: str | None
    fault: Fault | None
    cells: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Assigned:
    """The rows of a table with their people.

    Attributes:
        rows: one a person, and those that are nobody's.
        faulty: those that are nobody's.
        repeated: the lines of rows that say what an earlier one says of the same person.
        content: identifies what the rows say.
        matching: identifies whose they are.
    """

    name: str
    key: Key
    columns: tuple[str, ...]
    rows: tuple[AssignedRow, ...] = field(repr=False)
    faulty: tuple[AssignedRow, ...] = field(repr=False)
    repeated: tuple[int, ...]
    content: str
    matching: str


def assigned(table: Table, key: Key, owners: Owners) -> Assigned:
    """Give every row of a table to its person.

    Raises:
        TableError: two rows of one person say different things.
    """
    kept: dict[str, AssignedRow] = {}
    rows: list[AssignedRow] = []
    repeated: list[int] = []
    for row in table.rows:
        value = key.value(row.cells)
        userid, fault = _owner(value, owners)
        one = AssignedRow(row.line, value, userid, fault, row.cells)
        before = kept.setdefault(userid, one) if userid is not None else one
        if before is one:
            rows.append(one)
        elif before.cells == one.cells:
            repeated.append(row.line)
        else:
            words = _TWO_ROWS.format(first=before.line, value=value)
            raise TableError(table.name, words, line=row.line)
    return Assigned(
        table.name,
        key,
        table.columns,
        tuple(rows),
        tuple(row for row in rows if row.fault is not None),
        tuple(repeated),
        content_digest(table),
        _digest(f"{row.line}\0{row.userid}\0{row.fault}" for row in rows),
    )


def _owner(value: str, owners: Owners) -> tuple[str | None, Fault | None]:
    if not value:
        return None, Fault.EMPTY
    userids, left = owners.get(value, ((), False))
    if len(userids) == 1:
        return userids[0], None
    if userids:
        return None, Fault.AMBIGUOUS
    return None, Fault.LEFT if left else Fault.UNKNOWN


def content_digest(table: Table) -> str:
    """Identify what a table says, wherever it stands."""
    return _digest(_contents(table))


def _contents(table: Table) -> Iterator[str]:
    yield "\0".join(table.columns)
    for row in table.rows:
        yield "\0".join(row.cells)


def _digest(parts: Iterable[str]) -> str:
    found = blake2b(digest_size=16)
    for part in parts:
        found.update(part.encode())
        found.update(b"\1")
    return found.hexdigest()
