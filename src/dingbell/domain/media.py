"""Media: pictures, recordings and files that a message names by their path.

A path is the author's; what is kept of it is a reference, `media:` and the hash of its content and
its name, so that a schedule says the same on every node. DingTalk's own id takes its place when the
message is made for one app.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Literal

from dingbell.dingtalk import limits
from dingbell.domain.recordings import seconds_of
from dingbell.errors import InputError, Text

__all__ = [
    "Kind",
    "MediaFile",
    "Upload",
    "paths",
    "replaced",
    "stand_in",
    "uploads",
]

Kind = Literal["image", "voice", "file"]
_Place = tuple[str, ...]

# Where a message of DingTalk's takes something that was uploaded.
_FIELDS: Mapping[_Place, Kind] = {
    ("image",): "image",
    ("image", "media_id"): "image",
    ("voice",): "voice",
    ("voice", "media_id"): "voice",
    ("file",): "file",
    ("file", "media_id"): "file",
    ("link", "pic_url"): "image",
    ("link", "picUrl"): "image",
    ("oa", "body", "image"): "image",
}
# The endings that DingTalk takes [D0646, read 2026-11-23].
_ENDINGS: Mapping[Kind, frozenset[str]] = {
    "image": frozenset({"jpg", "jpeg", "gif", "png", "bmp"}),
    "voice": frozenset({"amr", "mp3", "wav"}),
    "file": frozenset({"doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar"}),
}
_MOST: Mapping[Kind, int] = {
    "image": limits.UPLOAD_BYTES["image"],
    "voice": limits.UPLOAD_BYTES["voice"],
    "file": limits.MESSAGE_FILE_BYTES,
}
_REFERENCE = re.compile(r"media:([0-9a-f]{64})/(.{1,200})", re.DOTALL)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_BAD_IN_NAME = re.compile(r'[\r\n\0"]')

_BAD_ENDING = Text(
    "{name}: DingTalk takes no {kind} of this kind: there are {known}",
    "{name}: 钉钉不支持这种{kind}文件: 可用 {known}",
)
_EMPTY = Text("{name} is empty", "{name} 是空文件")
_TOO_LARGE = Text(
    "{name} has {found} bytes, a {kind} may have {most}",
    "{name} 有 {found} 字节, {kind}的上限为 {most}",
)
_BAD_NAME = Text("{name!r}: the file needs a plain name", "{name!r}: 文件需要一个普通的名称")
_NO_DURATION = Text(
    "{name}: it cannot be told how long it is: write {{media_id: {name}, duration: SECONDS}}",
    "{name}: 无法得知时长: 请写成 {{media_id: {name}, duration: 秒数}}",
)
_KINDS: Mapping[Kind, Text] = {
    "image": Text("image", "图片"),
    "voice": Text("voice", "语音"),
    "file": Text("file", "文件"),
}


@dataclass(frozen=True, slots=True)
class Upload:
    """Something that DingTalk is to have before a message can be sent.

    Attributes:
        reference: how the message names it.
    """

    kind: Kind
    reference: str

    @property
    def digest(self) -> str:
        """The hash of its content."""
        return self.reference[6:70]

    @property
    def name(self) -> str:
        """The name of the file, as people see it."""
        return self.reference[71:]


@dataclass(frozen=True, slots=True)
class MediaFile:
    """The content of a file that a message names.

    Attributes:
        name: without its folder.
    """

    kind: Kind
    name: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        ending = PurePath(self.name).suffix.removeprefix(".").lower()
        if ending not in _ENDINGS[self.kind]:
            known = ", ".join(sorted(_ENDINGS[self.kind]))
            raise InputError(
                _BAD_ENDING.format(name=self.name, kind=_KINDS[self.kind], known=known)
            )
        if not self.content:
            raise InputError(_EMPTY.format(name=self.name))
        if len(self.content) > _MOST[self.kind]:
            raise InputError(
                _TOO_LARGE.format(
                    name=self.name,
                    found=len(self.content),
                    kind=_KINDS[self.kind],
                    most=_MOST[self.kind],
                )
            )
        if _BAD_IN_NAME.search(self.name) or len(self.name) > 200:
            raise InputError(_BAD_NAME.format(name=self.name[:200]))

    @property
    def digest(self) -> str:
        """The hash of its content."""
        return sha256(self.content).hexdigest()

    @property
    def reference(self) -> str:
        """How a message that is kept names it."""
        return f"media:{self.digest}/{self.name}"

    @staticmethod
    def most(kind: Kind) -> int:
        """How many bytes a file of a kind may have."""
        return _MOST[kind]

    def written(self, given: Any) -> Any:
        """What takes the place of the path where a message says nothing but the path.

        Raises:
            InputError: a recording whose length cannot be told.
        """
        if self.kind != "voice" or isinstance(given, Mapping):
            return self.reference
        duration = seconds_of(self.content)
        if duration is None:
            raise InputError(_NO_DURATION.format(name=self.name))
        return {"media_id": self.reference, "duration": duration}


def _fields(content: Mapping[str, Any]) -> Iterator[tuple[_Place, Kind, str]]:
    """Every text that stands where something uploaded is meant."""
    for place, kind in _FIELDS.items():
        found: Any = content
        for step in place:
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, str):
            yield place, kind, found


def paths(content: Mapping[str, Any]) -> Iterator[tuple[_Place, Kind, str]]:
    """The paths of files in a message: neither ids, nor addresses, nor templates."""
    for place, kind, text in _fields(content):
        if "{{" in text or "{%" in text or text.startswith(("@", "$", "media:")):
            continue
        if ("." in text or "/" in text or "\\" in text) and not _ADDRESS.match(text):
            yield place, kind, text


def uploads(content: Mapping[str, Any]) -> tuple[Upload, ...]:
    """What DingTalk is to have before a message can be sent."""
    found = (Upload(kind, text) for _, kind, text in _fields(content) if _REFERENCE.fullmatch(text))
    return tuple(dict.fromkeys(found))


def replaced(content: Mapping[str, Any], values: Mapping[_Place, Any]) -> dict[str, Any]:
    """A copy of a message with something else at some places."""
    return {key: _replaced(item, values, (key,)) for key, item in content.items()}


def _replaced(item: Any, values: Mapping[_Place, Any], place: _Place) -> Any:
    if place in values:
        return values[place]
    if isinstance(item, Mapping):
        return {key: _replaced(one, values, (*place, str(key))) for key, one in item.items()}
    return item


def stand_in(content: Mapping[str, Any], ids: Mapping[Upload, str]) -> dict[str, Any]:
    """A copy of a message with DingTalk's ids in it; of what has none yet, one of their length."""
    values = {
        place: ids.get(Upload(kind, text), f"@{text[6:46]}")
        for place, kind, text in _fields(content)
        if _REFERENCE.fullmatch(text)
    }
    return replaced(content, values) if values else dict(content)
