"""The files that the messages of `dingbell.yaml` name: read, and references put in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dingbell.config.document import Document, Problem
from dingbell.domain.media import MediaFile
from dingbell.planning.attachments import AttachmentError, attach

__all__ = ["Read", "attached"]

_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """The content of a file without paths, the files they stand for, and what is wrong."""

    content: dict[str, Any]
    files: tuple[MediaFile, ...]
    problems: tuple[Problem, ...]


def attached(document: Document, content: Mapping[str, Any]) -> Read:
    """Read all files that messages name; paths begin in the folder of the configuration."""
    folder = Path(document.file).parent
    files: dict[str, MediaFile] = {}
    problems: list[Problem] = []
    found: Any = dict(content)
    for path, message in _messages(content):
        try:
            done = attach(message, folder)
        except AttachmentError as error:
            place = document.place((*path, *error.field))
            problems.append(Problem(*place, ".".join(path), error.message))
            continue
        if done.files:
            files |= {file.reference: file for file in done.files}
            found = _put(found, path, done.content)
    return Read(found, tuple(files.values()), tuple(problems))


def _messages(content: Mapping[str, Any]) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    """Every message of a file, and the way to it; what has another form is told elsewhere."""
    for name in _mapping(content.get("templates")):
        yield from _message(content, ("templates", name))
    for name in _mapping(content.get("schedules")):
        around = ("schedules", name)
        yield from _message(content, (*around, "message"))
        yield from _message(content, (*around, "follow_up", "message"))
        yield from _message(content, (*around, "follow_up", "escalate", "message"))


def _message(content: Any, path: _Path) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    for step in path:
        content = _mapping(content).get(step)
    if isinstance(content, Mapping):
        yield path, content


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _put(tree: Any, path: _Path, value: Any) -> Any:
    """A copy of a tree with something else at a place."""
    if not path:
        return value
    return {**tree, path[0]: _put(tree[path[0]], path[1:], value)}
