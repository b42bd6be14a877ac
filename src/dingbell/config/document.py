"""A YAML document that knows where each of its values stands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarint import ScalarInt
from ruamel.yaml.scalarstring import LiteralScalarString

from dingbell.errors import InputError, Text

__all__ = ["Document", "Problem", "ProblemsError", "read"]

# `${NAME}` is not YAML inside `{…}`; while YAML is read, these stand for its signs, one for one.
_OPEN, _CLOSE, _KEEP = "\ue000", "\ue001", "\ue002"
_REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HIDDEN = re.compile(f"({_KEEP}?){_OPEN}{_OPEN}([A-Za-z0-9_]+){_CLOSE}|\\$\\${{")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a document, with its place; lines and columns count from 1."""

    line: int
    column: int
    path: str
    message: Text


class ProblemsError(InputError):
    """The configuration has problems."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column))

        def listed(language: str) -> str:
            return "\n".join(
                f"{file}:{problem.line}:{problem.column}: "
                + (f"{problem.path}: " if problem.path else "")
                + (problem.message.zh if language == "zh" else str(problem.message))
                for problem in self.problems
            )

        super().__init__(Text(listed("en"), listed("zh")))


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a file, as plain values, and the place of each."""

    file: str
    content: dict[str, Any]
    _tree: CommentedMap

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of a value, or of the nearest thing around it that exists."""
        node: Any = self._tree
        line, column = 1, 1
        for part in path:
            key = _key(node, part)
            if key is None:
                break
            # What a merge (`<<`) brought in stands elsewhere; its place is where it was merged.
            if key in (node.lc.data or ()):
                row, col = node.lc.data[key][:2]
                line, column = row + 1, col + 1
            node = node[key]
        return line, column

    def place_in_text(self, path: Sequence[str | int], line: int) -> tuple[int, int]:
        """Where a line of a text stands, from 1; only a block (`|`) shows that, else its start."""
        node: Any = self._tree
        for part in path:
            key = _key(node, part)
            if key is None:
                break
            node = node[key]
        row, column = self.place(path)
        return (row + line, 1) if isinstance(node, LiteralScalarString) else (row, column)


def _key(node: Any, part: str | int) -> Any:
    """What YAML calls a part of a path, None where there is none: its keys need not be text."""
    if isinstance(node, CommentedMap):
        return next((key for key in node if str(key) == str(part)), None)
    if isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
        return part
    return None


def read(path: Path, environment: Mapping[str, str] | None = None) -> Document:
    """Read a file and fill in `${NAME}` from the environment (`$${` stays `${`).

    Raises:
        InputError: the file cannot be read.
        ProblemsError: it is not YAML, or names variables that are not set.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(_unreadable(path, error)) from error
    hidden = _REFERENCE.sub(
        lambda found: f"{_KEEP if found[1] else ''}{_OPEN}{_OPEN}{found[2]}{_CLOSE}", text
    )
    tree = _parse(str(path), hidden)
    filler = _Filler(environment if environment is not None else os.environ)
    content = filler.plain(tree, ())
    document = Document(str(path), content, tree)
    if filler.missing:
        raise ProblemsError(
            str(path),
            [Problem(*document.place(where), _dotted(where), m) for where, m in filler.missing],
        )
    return document


def _parse(file: str, text: str) -> CommentedMap:
    yaml = YAML(typ="rt")
    yaml.allow_duplicate_keys = False
    try:
        tree = yaml.load(text)
    except (MarkedYAMLError, ReaderError) as error:
        raise ProblemsError(file, [_syntax_problem(error, text)]) from None
    if tree is None:
        return CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise ProblemsError(
            file,
            [
                Problem(
                    1,
                    1,
                    "",
                    Text(
                        "the file must be a mapping with apps, audiences, schedules",
                        "文件必须是含有 apps、audiences、schedules 的映射",
                    ),
                )
            ],
        )
    return tree


def _syntax_problem(error: MarkedYAMLError | ReaderError, text: str) -> Problem:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        said = f"the character #x{error.character:04x} is not allowed"
    else:
        mark = error.problem_mark
        line, column = mark.line + 1, mark.column + 1
        said = str(error.problem).partition("\n")[0]
    # It would quote both values, and they may be secrets.
    if isinstance(error, DuplicateKeyError):
        said = said.partition(" with value")[0]
    return Problem(line, column, "", Text(said, f"YAML 语法错误: {said}"))


class _Filler:
    """Turns a tree into plain values, filling in variables."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.missing: list[tuple[tuple[str | int, ...], Text]] = []

    def plain(self, node: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(node, CommentedMap):
            return {
                _HIDDEN.sub(_as_written, str(key)): self.plain(value, (*path, str(key)))
                for key, value in node.items()
            }
        if isinstance(node, CommentedSeq):
            return [self.plain(value, (*path, place)) for place, value in enumerate(node)]
        if isinstance(node, str):
            return _HIDDEN.sub(lambda found: self._value(found, path), str(node))
        if isinstance(node, bool | ScalarBoolean):
            return bool(node)
        if isinstance(node, int):
            width = getattr(node, "_width", None) if type(node) is ScalarInt else None
            return f"{node:0{width}d}" if width else int(node)  # 007 is an id
        return float(node) if isinstance(node, float) else node

    def _value(self, found: re.Match[str], path: tuple[str | int, ...]) -> str:
        if found[1] != "":
            return _as_written(found).replace("$${", "${")
        name = found[2]
        value = self._environment.get(name)
        if value is None:
            self.missing.append(
                (
                    path,
                    Text(
                        "the environment variable {name} is not set",
                        "环境变量 {name} 未设置",
                    ).format(name=name),
                )
            )
            return ""
        return value


def _as_written(found: re.Match[str]) -> str:
    """Bring back the signs that stood in the file."""
    if found[2] is None:
        return found[0]
    return f"{'$' if found[1] else ''}${{{found[2]}}}"


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


def _unreadable(path: Path, error: Exception) -> Text:
    reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
    return Text(
        "cannot read {path}: {reason}. `dingbell init` writes a commented example",
        "无法读取 {path}: {reason}。`dingbell init` 会生成带注释的示例",
    ).format(path=path, reason=reason)
