"""Checks of a message's fields: an error names the field, the limit and the size found."""

from __future__ import annotations

import re
from typing import Final

from dingbell.dingtalk.errors import UsageError

__all__ = [
    "MessageError",
    "at_most",
    "colour",
    "needs_text",
    "status_colour",
]

_COLOUR: Final = re.compile(r"[0-9A-Fa-f]{8}")
_STATUS_COLOUR: Final = re.compile(r"0x[0-9A-Fa-f]{8}")


class MessageError(UsageError):
    """A message breaks one of DingTalk's limits, or cannot be read."""


def needs_text(field: str, value: object) -> None:
    """Demand a string that is not empty.

    Raises:
        MessageError: it is missing, empty or not a string.
    """
    if not isinstance(value, str):
        raise MessageError(
            field, f"{field} must be text", f"{field} 必须是文本", found=type(value).__name__
        )
    if not value.strip():
        raise MessageError(field, f"{field} is empty", f"{field} 不能为空", limit=1, found=0)


def at_most(field: str, value: str, limit: int) -> None:
    """Demand no more than `limit` characters.

    Raises:
        MessageError: it is longer.
    """
    if len(value) > limit:
        raise MessageError(
            field,
            f"{field} has {len(value)} characters, the limit is {limit}",
            f"{field} 有 {len(value)} 个字符, 上限为 {limit}",
            limit=limit,
            found=len(value),
        )


def colour(field: str, value: str) -> None:
    """Demand eight hexadecimal digits, AARRGGBB.

    Raises:
        MessageError: it is something else.
    """
    if not _COLOUR.fullmatch(value):
        raise MessageError(
            field,
            f"{field} must be 8 hexadecimal digits AARRGGBB without 0x, not {value!r}",
            f"{field} 必须是不带 0x 的 8 位十六进制 AARRGGBB, 而不是 {value!r}",
            limit=8,
            found=value,
        )


def status_colour(field: str, value: str) -> None:
    """Demand 0xAARRGGBB.

    Raises:
        MessageError: it is something else.
    """
    if not _STATUS_COLOUR.fullmatch(value):
        raise MessageError(
            field,
            f"{field} must be 0xAARRGGBB such as 0xFF78C06E, not {value!r}",
            f"{field} 必须形如 0xFF78C06E (0xAARRGGBB), 而不是 {value!r}",
            limit=10,
            found=value,
        )
