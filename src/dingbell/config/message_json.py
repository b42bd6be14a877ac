"""The message of `--message`: JSON on the command line, or in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from dingbell import textfile
from dingbell.errors import InputError, Text
from dingbell.written import number

__all__ = ["read"]


def read(argument: str) -> dict[str, Any]:
    """Read a JSON object, or `@FILE` with one; numbers stay as they were written.

    Raises:
        InputError: it is no JSON object, or the file cannot be read.
    """
    found = _parsed(_source(argument))
    if not isinstance(found, dict):
        raise InputError(Text("--message must be a JSON object", "--message 必须是 JSON 对象"))
    return found


def _source(argument: str) -> str:
    if not argument.startswith("@"):
        return argument
    try:
        return textfile.read(Path(argument[1:])).text
    except InputError as error:
        words = Text("--message: {said}", "--message: {said}")
        raise InputError(words.format(said=error.message)) from None


def _parsed(source: str) -> Any:
    try:
        return json.loads(
            source, parse_int=_number, parse_float=_number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise InputError(
            Text(
                "--message is not readable JSON: line {line}, column {column}: {said}",
                "--message 不是可读的 JSON: 第 {line} 行第 {column} 列有误 (引号、逗号或括号)",
            ).format(line=error.lineno, column=error.colno, said=error.msg)
        ) from None
    except RecursionError:
        raise InputError(
            Text(
                "--message is not readable JSON: it is nested too deeply",
                "--message 不是可读的 JSON: 嵌套过深",
            )
        ) from None


def _number(source: str) -> object:
    found = number(source)
    return source if found is None else found


def _no_constant(name: str) -> NoReturn:
    raise InputError(
        Text(
            "--message is not readable JSON: {name} is no value",
            "--message 不是可读的 JSON: {name} 不是有效的值",
        ).format(name=name)
    )
