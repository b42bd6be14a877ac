"""What a program hands to the library, read into values; what cannot be is refused in words."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from reprlib import repr as short
from types import CodeType, FrameType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dingbell.domain.audience import Audience
from dingbell.domain.schedule import NAME_PATTERN
from dingbell.domain.variables import Vars
from dingbell.engine.node.authors import takes_due
from dingbell.errors import InputError, Text
from dingbell.planning.attachments import Attached, attach
from dingbell.tables import Table, read_file, shaped
from dingbell.validation import refusal

__all__ = [
    "audience",
    "check_options",
    "checked_function",
    "instant",
    "message",
    "optional_text",
    "program_of_caller",
    "rows",
    "run_id",
    "schedule_name",
    "target",
    "times_of_day",
    "values",
]

_VALUES: TypeAdapter[dict[str, Any]] = TypeAdapter(Vars)
_MOST_ID = 2**63 - 1
_LONGEST_TEXT = 200


def audience(**parts: Any) -> Audience:
    """An audience of parts as they were given."""
    try:
        return Audience(**parts)
    except ValidationError as error:
        raise refusal(error) from None


def target(to: object) -> Audience:
    """An audience, and nothing that only looks like one."""
    if isinstance(to, Audience):
        return to
    raise InputError(
        Text(
            "{to} is no audience: write users('a', 'b'), departments(1), roles('…'), "
            "mobiles('…') or everyone()",
            "{to} 不是受众: 请写 users('a', 'b')、departments(1)、roles('…')、mobiles('…') 或 "
            "everyone()",
        ).format(to=short(to))
    )


def rows(given: object) -> Table | str | None:
    """The rows of a send: a file, the name of a dataset, or a list of mappings; may read a file."""
    if given is None or isinstance(given, Table):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and Path(given).is_file()):
        return read_file(Path(given), name=str(given))
    if isinstance(given, str):
        return given
    if isinstance(given, Sequence) and given and all(isinstance(one, Mapping) for one in given):
        return _written_table(given)
    raise InputError(
        Text(
            "{given} are no rows: give the path of a CSV or XLSX file, the name of a dataset, or "
            "a list of mappings such as {{'userid': 'u1', 'net': Decimal('8000.10')}}",
            "{given} 不是数据行: 请给出 CSV 或 XLSX 文件的路径、数据集名称, 或映射的列表, 例如 "
            "{{'userid': 'u1', 'net': Decimal('8000.10')}}",
        ).format(given=short(given))
    )


def _written_table(given: Sequence[Mapping[Any, Any]]) -> Table:
    """Mappings as a table; the lines are counted as in a file with one of names."""
    names = list(dict.fromkeys(name for one in given for name in one))
    lines = [(1, [str(name) for name in names])]
    for line, one in enumerate(given, 2):
        lines.append((line, [_cell(line, name, one.get(name)) for name in names]))
    return shaped("rows", lines)


def _cell(line: int, name: object, value: object) -> str:
    """A value as the exact text of a cell; a float is not exact."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise InputError(
        Text(
            "rows, line {line}, {name} is {value}: give text, a whole number, a Decimal or a date",
            "rows 第 {line} 行的 {name} 是 {value}: 请给出文本、整数、Decimal 或日期",
        ).format(line=line, name=short(name), value=short(value))
    )


def message(given: object) -> Attached:
    """A message, a mapping or a string, with the files it names; reading those blocks."""
    if isinstance(given, str):
        return Attached({"text": given}, ())
    if isinstance(given, Mapping):
        return attach(given, Path())
    if hasattr(given, "to_wire"):
        return attach(given.to_wire(), Path())
    raise InputError(
        Text(
            "{given} is no message: give text('…'), markdown('…', '…'), a mapping or a string",
            "{given} 不是消息: 请给出 text('…')、markdown('…', '…')、映射或字符串",
        ).format(given=short(given))
    )


def values(given: object) -> dict[str, Any]:
    """Values for templates."""
    try:
        return _VALUES.validate_python({} if given is None else given)
    except ValidationError as error:
        raise refusal(error) from None


def times_of_day(times: tuple[object, ...]) -> list[str]:
    """Times of day as they are written in a rule."""
    return [_time_of_day(one) for one in times]


def _time_of_day(given: object) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, time) and given.tzinfo is None and not given.microsecond:
        return given.isoformat()
    raise InputError(
        Text(
            "{given} is no time of day: write '16:00', '09:30:15' or time(16, 0), each by "
            "itself; timezone= says where",
            "{given} 不是一天中的时间: 请写 '16:00'、'09:30:15' 或 time(16, 0), 一个一个地写; "
            "时区用 timezone=",
        ).format(given=short(given))
    )


def instant(at: object) -> str:
    """One instant as it is written in a rule."""
    if isinstance(at, datetime):
        return at.isoformat()
    if isinstance(at, str):
        return at
    raise InputError(
        Text(
            "{at} is no instant: write '2026-11-23 16:00' or give a datetime",
            "{at} 不是时刻: 请写 '2026-11-23 16:00' 或给出 datetime",
        ).format(at=short(at))
    )


def optional_text(name: str, value: object) -> str | None:
    """A short text that may be left out."""
    if value is None or (isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_TEXT):
        return value
    raise InputError(
        Text(
            "{name} is {value}: give a text of at most {most} characters, or leave it out",
            "{name} 是 {value}: 请给出至多 {most} 个字符的文本, 或省略",
        ).format(name=name, value=short(value), most=_LONGEST_TEXT)
    )


def run_id(value: object) -> int:
    """The id of a run."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_ID:
        return value
    raise InputError(
        Text(
            "{value} is no id of a run: give what `send` has returned",
            "{value} 不是发送的 id: 请给出 `send` 返回的值",
        ).format(value=short(value))
    )


def check_options(options: Mapping[str, Any]) -> None:
    """See that no option says what the decorator itself says."""
    if taken := sorted({"when", "function", "message"} & options.keys()):
        raise InputError(
            Text(
                "{names}: the decorator says when, and the function makes the message",
                "{names}: 规则由装饰器给出, 消息由函数生成",
            ).format(names=", ".join(taken))
        )


def checked_function(function: Any) -> Callable[..., Any]:
    """Something that can be called with nothing, or with `due`."""
    if not callable(function):
        raise InputError(
            Text(
                "{function} cannot be called: schedule a function",
                "{function} 不能调用: 请安排一个函数",
            ).format(function=short(function))
        )
    try:
        inspect.signature(function).bind(**({"due": None} if takes_due(function) else {}))
    except ValueError:  # some builtins have no signature
        pass
    except TypeError as error:
        raise InputError(
            Text(
                "{function} cannot be called with nothing or with due= alone ({error}): give it "
                "its arguments with functools.partial, and a method its object",
                "{function} 不能在没有参数或只有 due= 时调用 ({error}): 请用 functools.partial "
                "给出其参数; 方法请先绑定对象",
            ).format(function=getattr(function, "__qualname__", short(function)), error=error)
        ) from None
    return function  # type: ignore[no-any-return]  # it is callable


def schedule_name(given: object, function: Callable[..., Any]) -> str:
    """The name of a schedule: as it was given, or the function's own."""
    name = getattr(function, "__name__", None) if given is None else given
    if name is None:
        raise InputError(
            Text(
                "{function} has no name of its own: give the schedule one with name=",
                "{function} 没有自己的名称: 请用 name= 给日程命名",
            ).format(function=short(function))
        )
    if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
        raise InputError(
            Text(
                "{name!r} is no name for a schedule: give one of letters, digits, . _ - with name=",
                "{name!r} 不能作日程名称: 请用 name= 给出由文字、数字、. _ - 组成的名称",
            ).format(name=name)
        )
    return name


def program_of_caller() -> str:
    """By what a program is known again that gives itself no name: the file that makes its bell.

    One that is typed in or handed over with `-c` has no file; it is known by folder and words.
    """
    frame = _caller()
    file = frame.f_globals.get("__file__", "<none>")
    if not file.startswith("<"):
        return str(Path.cwd() / file)  # links are left alone: releases change behind them
    words = sha256(b"".join(_words(frame.f_code))).hexdigest()[:12]
    return f"{Path.cwd()}/{frame.f_code.co_filename}#{words}"


def _caller() -> FrameType:
    """The innermost frame that is not of this package."""
    frame = sys._getframe()  # noqa: SLF001  the documented way to the frame of a caller
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "dingbell":
        frame = frame.f_back
    return frame


def _words(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _words(constant)
        elif not isinstance(constant, frozenset):  # those have no order
            yield repr(constant).encode(errors="replace")
