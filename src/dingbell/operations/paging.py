"""Pages: a list is told so many at a time; a cursor says where the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from dingbell.errors import InputError, Text

__all__ = ["after_id", "after_key", "after_name", "cursor"]

_NO_CURSOR = Text(
    "{cursor!r} is no cursor: use the one that the page before ended with",
    "{cursor!r} 不是游标: 请使用上一页末尾给出的游标",
)
_MOST = 2**63 - 1


def after_id(given: str | None) -> int | None:
    """Read a cursor that is an id.

    Raises:
        InputError: it is none.
    """
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and 0 < int(given[:20]) <= _MOST):
        raise InputError(_NO_CURSOR.format(cursor=given[:100]))
    return int(given)


def after_name(given: str | None) -> str:
    """Read a cursor that is a name; before the first of them stands nothing.

    Raises:
        InputError: it is none.
    """
    if given is not None and not given.isprintable():
        raise InputError(_NO_CURSOR.format(cursor=given[:100]))
    return given or ""


def cursor(ordinal: int, userid: str) -> str:
    """The cursor behind one person of a run."""
    key = json.dumps([ordinal, userid], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def after_key(given: str | None) -> tuple[int, str] | None:
    """Read a cursor behind one person of a run.

    Raises:
        InputError: it is none.
    """
    if given is None:
        return None
    try:
        padded = given + "=" * (-len(given) % 4)
        found = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not _is_key(found):
        raise InputError(_NO_CURSOR.format(cursor=given[:100]))
    return found[0], found[1]


def _is_key(found: Any) -> bool:
    return (
        isinstance(found, list)
        and [type(part) for part in found] == [int, str]
        and 0 <= found[0] < 2**31
        and "\0" not in found[1]
        and found[1].isprintable()
    )
