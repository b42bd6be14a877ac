"""Attachments: the files that a message names by their path, read and put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dingbell import textfile
from dingbell.domain import media
from dingbell.domain.media import Kind, MediaFile
from dingbell.errors import InputError, Text

__all__ = ["Attached", "AttachmentError", "attach"]

_UNREADABLE = Text("{field}: cannot read {path}: {why}", "{field}: 无法读取 {path}: {why}")
_NO_FILE = Text("it is no file", "不是文件")
_WRONG = Text("{field}: {said}", "{field}: {said}")


class AttachmentError(InputError):
    """A file that a message names does not work.

    Attributes:
        field: the way to it inside the message, such as `("image",)`.
    """

    def __init__(self, field: tuple[str, ...], message: Text) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Attached:
    """A message whose paths have given way to references, and the files they stand for."""

    content: dict[str, Any]
    files: tuple[MediaFile, ...]


def attach(content: Mapping[str, Any], folder: Path) -> Attached:
    """Read the files that a message names; it blocks for as long as reading them takes.

    Args:
        content: the message as it was written.
        folder: where paths begin that do not begin at the root.

    Raises:
        AttachmentError: a file cannot be read, is too large or of a kind that DingTalk does not
            take, or it cannot be told how long a recording is.
    """
    files, values = [], {}
    for place, kind, written in media.paths(content):
        try:
            file = MediaFile(kind, Path(written).name, _read(folder / written, kind))
            # A recording that is described in a mapping stands one step further down.
            values[place] = file.written(content if len(place) > 1 else written)
        except _Unreadable as error:
            words = _UNREADABLE.format(field=_dotted(place), path=written, why=error.why)
            raise AttachmentError(place, words) from None
        except InputError as error:
            words = _WRONG.format(field=_dotted(place), said=error.message)
            raise AttachmentError(place, words) from None
        files.append(file)
    return Attached(media.replaced(content, values), tuple(files))


def _dotted(place: tuple[str, ...]) -> str:
    return ".".join(place)


class _Unreadable(Exception):  # noqa: N818  it is caught at once
    def __init__(self, why: Text) -> None:
        super().__init__(why)
        self.why = why


def _read(path: Path, kind: Kind) -> bytes:
    """The content of a file, one byte more than is allowed at the most."""
    try:
        # A pipe or a device would never end, or never begin.
        if path.exists() and not path.is_file():
            raise _Unreadable(_NO_FILE)
        with path.expanduser().open("rb") as file:
            return file.read(MediaFile.most(kind) + 1)
    except (OSError, ValueError) as error:
        raise _Unreadable(textfile.reason(error)) from None
