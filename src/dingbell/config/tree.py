"""The tree of a YAML file: its parts with their places, and no deeper or larger than is sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from dingbell.config import yaml_syntax
from dingbell.errors import Text

__all__ = ["FaultError", "Listing", "Mapped", "Node", "Place", "Scalar", "grown"]

# Reading a tag or a directive takes the square of its length; a message has 2,048 bytes.
_ENDLESS = re.compile(r"!\S{5000}|^%.{5000}", re.MULTILINE)

Place: TypeAlias = tuple[int, int]

_DEEPEST = 64
# A file of 5,000 schedules has fewer; so many take seconds to read.
_MOST_EVENTS = 150_000


class FaultError(Exception):
    """Something in a file cannot be read; where and what."""

    def __init__(self, place: Place, message: Text) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@dataclass(slots=True, eq=False)
class Scalar:
    """A value without parts, as it was written.

    Attributes:
        plain: without quotes, so that it may be a number, true, false or nothing.
        block: written line by line after `|`.
    """

    place: Place
    text: str
    plain: bool
    block: bool = False


@dataclass(slots=True, eq=False)
class Listing:
    """A list."""

    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapped:
    """A mapping; keys and values in the order of the file."""

    place: Place
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    key: Node | None = None


Node: TypeAlias = "Scalar | Listing | Mapped"


def grown(text: str, *, most: int = _MOST_EVENTS) -> Node | None:
    """The tree of a text; None when nothing stands in it.

    An alias is the node it names, so that the tree may meet itself.

    Args:
        text: YAML.
        most: how many parts it may have; reading takes about 50 µs for each.

    Raises:
        FaultError: it is not YAML, is too deep or too large, or has more than one document.
    """
    endless = _ENDLESS.search(text)
    if endless:
        line = text.count("\n", 0, endless.start()) + 1
        raise FaultError((line, 1), _TOO_LONG)
    tree = _Tree(most)
    try:
        for event in _events(text):
            tree.take(event)
    except (YAMLError, ValueError, OverflowError) as error:
        line, column, message = yaml_syntax.told(error, text)
        raise FaultError((line, column), message) from None
    return tree.root


def _events(text: str) -> Iterator[Event]:
    # The safe kind leaves comments out.
    events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
    return events


class _Tree:
    """Grows by one event after the other."""

    def __init__(self, most: int) -> None:
        self.root: Node | None = None
        self._most = most
        self._open: list[Listing | Mapped] = []
        self._anchors: dict[str, Node] = {}
        self._events = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        self._events += 1
        if self._events > self._most:
            raise FaultError(_place(event), _TOO_LARGE.format(n=self._most))
        if isinstance(event, CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, AliasEvent):
            self._hang(self._named(event))
        elif isinstance(event, DocumentStartEvent):
            self._begin(event)
        elif isinstance(event, NodeEvent):
            self._grow(event)

    def _begin(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise FaultError(_place(event), _TWO_DOCUMENTS)

    def _grow(self, event: NodeEvent) -> None:
        node = _node(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._hang(node)
        if not isinstance(node, Scalar):
            self._open.append(node)
            if len(self._open) > _DEEPEST:
                raise FaultError(node.place, _TOO_DEEP)

    def _named(self, event: AliasEvent) -> Node:
        found = self._anchors.get(event.anchor)
        if found is None:
            said = Text("found undefined alias {name!r}", "别名 {name!r} 没有定义")
            raise FaultError(_place(event), said.format(name=event.anchor))
        return found

    def _hang(self, node: Node) -> None:
        """Put a node where it belongs: a mapping takes a key and a value in turns."""
        parent = self._open[-1] if self._open else None
        if parent is None:
            self.root = node
        elif isinstance(parent, Listing):
            parent.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            parent.pairs.append((parent.key, node))
            parent.key = None


def _node(event: NodeEvent) -> Node:
    if isinstance(event, ScalarEvent):
        return Scalar(_place(event), event.value, _is_plain(event), event.style == "|")
    return (
        Listing(_place(event)) if isinstance(event, SequenceStartEvent) else Mapped(_place(event))
    )


def _is_plain(event: ScalarEvent) -> bool:
    said_text = str(event.tag or "").endswith(":str")
    return event.style is None and not said_text


def _place(event: Event) -> Place:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


_TOO_LARGE = Text("the file has more than {n} parts: divide it", "文件超过 {n} 个部分: 请拆分")
_TOO_LONG = Text("a tag (!) or directive (%) without end", "标签 (!) 或指令 (%) 过长")
_TOO_DEEP = Text("deeper than {n} levels", "嵌套超过 {n} 层").format(n=_DEEPEST)
_TWO_DOCUMENTS = Text(
    "a second document begins here: a file has one",
    "此处开始了第二个文档: 一个文件只能有一个",
)
