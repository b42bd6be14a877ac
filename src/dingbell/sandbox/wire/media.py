"""`media/upload`: what may be uploaded, and the id it gets."""

import secrets
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from dingbell.sandbox.cloud import Cloud
from dingbell.sandbox.wire.refusals import RefusalError

_MB = 1_048_576
MOST_BYTES = 20 * _MB

# type: (most bytes, extensions, first letters of the id), page 0646 of 2026-06
_KINDS: dict[str, tuple[int, frozenset[str], str]] = {
    "image": (20 * _MB, frozenset({"jpg", "jpeg", "gif", "png", "bmp"}), "@lAL"),
    "voice": (2 * _MB, frozenset({"amr", "mp3", "wav"}), "@lAT"),
    "file": (
        20 * _MB,
        frozenset({"doc", "docx", "xls", "xlsx", "ppt", "pptx", "zip", "pdf", "rar"}),
        "@lAj",
    ),
    "video": (20 * _MB, frozenset({"mp4"}), "@lAV"),
}


async def upload(cloud: Cloud, request: web.BaseRequest, now: float) -> dict[str, Any]:
    """Take a multipart upload; `type` may be a form field or stand in the query."""
    if request.content_type != "multipart/form-data":
        raise RefusalError(43008)
    form = await _form(request)
    kind = form.get("type") or request.query.get("type")
    upload = form.get("media")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise RefusalError(40004)
    if not isinstance(upload, web.FileField):
        raise RefusalError(41005)
    _check(kind, upload.filename, upload.file.read())
    media_id = _KINDS[kind][2] + secrets.token_urlsafe(24)
    cloud.media[media_id] = kind
    return {"type": kind, "media_id": media_id, "created_at": int(now * 1_000)}


async def _form(request: web.BaseRequest) -> Mapping[str, str | bytes | bytearray | web.FileField]:
    try:
        return await request.post()
    except web.HTTPRequestEntityTooLarge:
        raise RefusalError(40006) from None
    except (ValueError, HttpProcessingError):
        raise RefusalError(43008) from None


def _check(kind: str, filename: str, content: bytes) -> None:
    most, extensions, _ = _KINDS[kind]
    if PurePosixPath(filename).suffix.removeprefix(".").lower() not in extensions:
        raise RefusalError(40005)
    if not content:
        raise RefusalError(44001)
    if len(content) > most:
        raise RefusalError(40006)
