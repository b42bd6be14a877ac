"""A YAML document that knows where each of its values stands, and how each was written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from dingbell import intake, textfile
from dingbell.config.tree import FaultError, Listing, Mapped, Node, Place, Scalar, grown
from dingbell.errors import InputError, Text
from dingbell.written import number

__all__ = ["Document", "Problem", "ProblemsError", "placed", "read"]

Path_: TypeAlias = tuple[str | int, ...]

_REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE))
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Aliases let a small file stand for a huge one.
_MOST_VALUES = 250_000


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
    """The content of a file, as plain values, and the place of each.

    Attributes:
        note: what its author should know about how it was read.
    """

    file: str
    content: dict[str, Any]
    note: Text | None = None
    _places: dict[Path_, Place] = field(default_factory=dict)
    _blocks: frozenset[Path_] = frozenset()

    def place(self, path: Sequence[str | int]) -> Place:
        """Line and column of a value, or of the nearest thing around it that exists."""
        return self._places.get(self._nearest(path), (1, 1))

    def _nearest(self, path: Sequence[str | int]) -> Path_:
        """The longest beginning of a path that has a place of its own."""
        steps = tuple(path)
        lengths = range(len(steps), 0, -1)
        return next((steps[:n] for n in lengths if steps[:n] in self._places), ())

    def place_in_text(self, path: Sequence[str | int], line: int) -> Place:
        """Where a line of a text stands, from 1; only a block (`|`) shows that, else its start."""
        row, column = self.place(path)
        return (row + line, 1) if self._nearest(path) in self._blocks else (row, column)

    def problem(self, where: str, message: Text) -> Problem:
        """A problem of what a dotted path names, at its place."""
        return Problem(*self.place(self._steps(where)), where, message)

    def _steps(self, where: str) -> Path_:
        """The path that was written with dots: names may have some of their own."""
        steps: Path_ = ()
        part: Any = self.content
        rest = where
        while rest and isinstance(part, dict | list):
            if isinstance(part, list):
                item, _, rest = rest.partition(".")
                if not (item.isdecimal() and int(item) < len(part)):
                    break
                steps, part = (*steps, int(item)), part[int(item)]
                continue
            fitting = [key for key in part if rest == key or rest.startswith(f"{key}.")]
            if not fitting:
                break
            key = max(fitting, key=len)
            steps, part, rest = (*steps, key), part[key], rest[len(key) + 1 :]
        return steps


def read(path: Path, environment: Mapping[str, str] | None = None) -> Document:
    """Read a file and fill in `${NAME}` from the environment (`$${` stays `${`).

    Raises:
        InputError: the file cannot be read.
        ProblemsError: it is not YAML, or names variables that are not set.
    """
    try:
        source = textfile.read(path)
    except InputError as error:
        hint = Text(
            "{said}. `dingbell init` writes a commented example",
            "{said}。`dingbell init` 会生成带注释的示例",
        )
        raise InputError(hint.format(said=error.message)) from error
    signs = _Signs(source.text)
    reader = _Reader(signs, environment if environment is not None else os.environ)
    try:
        content = reader.whole(grown(signs.hidden(source.text)))
    except FaultError as fault:
        raise ProblemsError(str(path), [Problem(*fault.place, "", fault.message)]) from None
    document = Document(str(path), content, source.note, reader.places, frozenset(reader.blocks))
    if reader.problems:
        raise ProblemsError(
            str(path), [Problem(*at, _dotted(where), said) for at, where, said in reader.problems]
        )
    return document


@contextmanager
def placed(document: Document) -> Iterator[None]:
    """Give what is refused within its line and column, where it says what of the file it means.

    Raises:
        ProblemsError: in place of an `InputError` that has a `where`.
    """
    try:
        yield
    except InputError as error:
        if error.where is None or isinstance(error, ProblemsError):
            raise
        raise ProblemsError(
            document.file, [document.problem(error.where, error.message)]
        ) from error


class _Signs:
    """Hides `${NAME}`, which is not YAML inside `{…}`, while YAML is read.

    Characters for private use that the file does not have stand for its signs, one for one.
    """

    def __init__(self, text: str) -> None:
        used = set(text)
        free = (chr(code) for code in chain(*_PRIVATE) if chr(code) not in used)
        self._open, self._close, self._keep = islice(free, 3)
        self._found = re.compile(
            f"({self._keep}?){self._open}{self._open}([A-Za-z0-9_]+){self._close}|\\$\\${{"
        )

    def hidden(self, text: str) -> str:
        return _REFERENCE.sub(
            lambda found: (
                f"{self._keep if found[1] else ''}{self._open * 2}{found[2]}{self._close}"
            ),
            text,
        )

    def shown(self, text: str) -> str:
        """The signs that stood in the file."""
        return self._found.sub(
            lambda found: found[0] if found[2] is None else f"{found[1] and '$'}${{{found[2]}}}",
            text,
        )

    def filled(self, text: str, environment: Mapping[str, str]) -> tuple[str, list[str]]:
        """The text with its variables, and the names of those that are missing."""
        missing: list[str] = []

        def fill(found: re.Match[str]) -> str:
            if found[2] is None:
                return "${"
            if found[1]:
                return f"${{{found[2]}}}"
            value = environment.get(found[2])
            if value is None:
                missing.append(found[2])
            return value or ""

        return self._found.sub(fill, text), missing


class _Reader:
    """Turns a tree into plain values, and keeps the place of each."""

    def __init__(self, signs: _Signs, environment: Mapping[str, str]) -> None:
        self._signs = signs
        self._environment = environment
        self._around: list[Node] = []
        self._values = 0
        self.places: dict[Path_, Place] = {}
        self.blocks: set[Path_] = set()
        self.problems: list[tuple[Place, Path_, Text]] = []

    def whole(self, root: Node | None) -> dict[str, Any]:
        """The content of a file: a mapping, or nothing.

        Raises:
            FaultError: it is something else, or unfolds to too much.
        """
        if root is None or (isinstance(root, Scalar) and root.plain and root.text in _NOTHING):
            return {}
        if not isinstance(root, Mapped):
            raise FaultError((1, 1), _NO_MAPPING)
        return self._mapping(root, ())

    def _plain(self, node: Node, path: Path_) -> Any:
        self._count(node)
        if isinstance(node, Scalar):
            return self._value(node, path)
        if any(node is around for around in self._around):
            raise FaultError(node.place, _CONTAINS_ITSELF)
        self._around.append(node)
        try:
            if isinstance(node, Mapped):
                return self._mapping(node, path)
            return self._listing(node, path)
        finally:
            self._around.pop()

    def _count(self, node: Node) -> None:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise FaultError(node.place, _UNFOLDS)

    def _listing(self, node: Listing, path: Path_) -> list[Any]:
        for place, item in enumerate(node.items):
            self.places[*path, place] = item.place
        return [self._plain(item, (*path, place)) for place, item in enumerate(node.items)]

    def _mapping(self, node: Mapped, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value in node.pairs:
            if _is_merge(key_node):
                continue
            key = self._key(key_node)
            if key in own:
                said = Text('found duplicate key "{key}"', "键 “{key}” 重复").format(key=key)
                raise FaultError(key_node.place, said)
            own.add(key)
            self.places[*path, key] = key_node.place
            found[key] = self._plain(value, (*path, key))
        for merged in self._merged(node):
            for key_node, value in merged.pairs:
                if not _is_merge(key_node) and (key := self._key(key_node)) not in found:
                    found[key] = self._plain(value, (*path, key))
        return found

    def _merged(self, node: Mapped, depth: int = 0) -> Iterator[Mapped]:
        """What `<<` brings in: the nearer first, and what those bring in themselves after them."""
        for key, value in node.pairs:
            if not _is_merge(key):
                continue
            for source in value.items if isinstance(value, Listing) else [value]:
                if not isinstance(source, Mapped):
                    raise FaultError(value.place, _NO_MERGE)
                self._count(key)
                if source is node or depth > _MOST_MERGES:
                    raise FaultError(key.place, _CONTAINS_ITSELF)
                yield source
                yield from self._merged(source, depth + 1)

    def _key(self, node: Node) -> str:
        if not isinstance(node, Scalar):
            raise FaultError(node.place, _NO_KEY)
        return self._text(self._signs.shown(node.text), node.place)

    def _value(self, node: Scalar, path: Path_) -> Any:
        if node.plain and node.text in _NOTHING:
            return None
        if node.plain and node.text in _TRUTHS:
            return _TRUTHS[node.text]
        found = number(node.text) if node.plain else None
        if found is not None:
            return found
        if node.block:
            self.blocks.add(path)
        text, missing = self._signs.filled(node.text, self._environment)
        for name in missing:
            said = Text("the environment variable {name} is not set", "环境变量 {name} 未设置")
            where = self.places.get(path, node.place)
            self.problems.append((where, path, said.format(name=name)))
        return self._text(text, node.place)

    @staticmethod
    def _text(text: str, place: Place) -> str:
        try:
            return intake.text(text)
        except InputError as error:
            raise FaultError(place, error.message) from None


_MOST_MERGES = 64


def _is_merge(key: Node) -> bool:
    return isinstance(key, Scalar) and key.plain and key.text == "<<"


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


_NO_MAPPING = Text(
    "the file must be a mapping with apps, audiences, schedules",
    "文件必须是含有 apps、audiences、schedules 的映射",
)
_UNFOLDS = Text(
    "the aliases (*) of this file unfold to more than {n} values",
    "文件中的别名 (*) 展开后超过 {n} 个值",
).format(n=_MOST_VALUES)
_CONTAINS_ITSELF = Text("an alias (*) stands inside what it names", "别名 (*) 处在它所指的内容之中")
_NO_MERGE = Text("<< takes a mapping, or a list of them", "<< 之后必须是映射或映射的列表")
_NO_KEY = Text("a key must be text", "键必须是文本")
