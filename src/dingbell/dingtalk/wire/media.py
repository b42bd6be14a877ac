"""Uploading a file that messages refer to. No I/O. [D0646], read 2026-11-23."""

from __future__ import annotations

import mimetypes
from typing import Literal

from dingbell.dingtalk import limits
from dingbell.dingtalk.errors import CallError
from dingbell.dingtalk.results import Media
from dingbell.dingtalk.wire import fields
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.request import Call, Part

__all__ = ["MediaKind", "upload"]

MediaKind = Literal["image", "voice", "file", "video"]


def upload(
    kind: MediaKind, filename: str, data: bytes, content_type: str | None = None
) -> Call[Media]:
    """Upload a file; the kind goes in the query as well, which the docs advise when 40004 comes.

    Raises:
        CallError: the kind is unknown, the file is empty or too large, or has no name.
    """
    _check(kind, filename, data)
    guessed = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    parts = (Part("type", kind.encode()), Part("media", data, filename, guessed))

    def read(answer: Answer) -> Media:
        content = answer.content()
        media_id = fields.identifier(content.get("media_id"))
        if media_id is None:
            answer.unreadable("there is no media_id")
        return Media(
            media_id,
            fields.text(content.get("type")) or kind,
            fields.instant(content.get("created_at")),
        )

    return Call("POST", "/media/upload", read, query={"type": kind}, parts=parts)


def _check(kind: str, filename: str, data: bytes) -> None:
    limit = limits.UPLOAD_BYTES.get(kind)
    if limit is None:
        kinds = ", ".join(limits.UPLOAD_BYTES)
        raise CallError("kind", f"kind must be one of {kinds}", f"kind 必须是 {kinds} 之一")
    if not filename.strip() or any(character in filename for character in '\r\n\0"'):
        raise CallError(
            "filename", "the file needs a plain name", "文件需要一个普通的文件名", found=filename
        )
    if not 0 < len(data) <= limit:
        raise CallError(
            "data",
            f"the {kind} has {len(data)} bytes, it must be 1 to {limit}",
            f"{kind} 有 {len(data)} 字节, 必须在 1 到 {limit} 之间",
            limit=limit,
            found=len(data),
        )
