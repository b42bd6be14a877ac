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
from ruamel.yaml.error import MarkedYAMLError

from dingbell.errors import InputError, Text

__all__ = ["Document", "Problem", "ProblemsError", "read"]

# `${NAME}` is not YAML inside `{…}`; while YAML is read, these stand for its brackets, one for one.
_OPEN, _CLOSE = "\ue000", "\ue001"
_REFERENCE = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HIDDEN = re.compile(f"{_OPEN}{_OPEN}([A-Za-z0-9_]+){_CLOSE}")


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
            if isinstance(node, CommentedMap) and part in node:
                row, col = node.lc.key(part)
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                row, col = node.lc.item(part)
            else:
                break
            line, column = row + 1, col + 1
            node = node[part]
        return line, column


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
    hidden = _REFERENCE.sub(lambda found: f"{_OPEN}{_OPEN}{found[1]}{_CLOSE}", text)
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
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = (error.problem or "not YAML").partition("\n")[0]
        raise ProblemsError(
            file, [Problem(line, column, "", Text(said, f"YAML 语法错误: {said}"))]
        ) from None
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


class _Filler:
    """Turns a tree into plain values, filling in variables."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.missing: list[tuple[tuple[str | int, ...], Text]] = []

    def plain(self, node: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(node, CommentedMap):
            return {str(key): self.plain(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, CommentedSeq):
            return [self.plain(value, (*path, place)) for place, value in enumerate(node)]
        if isinstance(node, str):
            return _HIDDEN.sub(lambda found: self._value(found[1], path), str(node)).replace(
                "$${", "${"
            )
        if isinstance(node, bool) or node is None:
            return node
        if isinstance(node, int):
            return int(node)
        return float(node) if isinstance(node, float) else node

    def _value(self, name: str, path: tuple[str | int, ...]) -> str:
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


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


def _unreadable(path: Path, error: Exception) -> Text:
    reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
    return Text(
        "cannot read {path}: {reason}. `dingbell init` writes a commented example",
        "无法读取 {path}: {reason}。`dingbell init` 会生成带注释的示例",
    ).format(path=path, reason=reason)
