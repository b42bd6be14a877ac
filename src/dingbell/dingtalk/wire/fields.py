"""Reads fields liberally: DingTalk sends numbers as text, lists as CSV, and leaves things out.

Liberal, not trusting: what is read here can be stored, logged and put into an address. A database
takes no NUL and no half of a character, an index no endless id, and a column 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

__all__ = [
    "day",
    "flag",
    "identifier",
    "identifiers",
    "instant",
    "integer",
    "integers",
    "line",
    "mapping",
    "rows",
    "text",
    "texts",
    "token",
]

_BEIJING: Final = ZoneInfo("Asia/Shanghai")
_MILLISECONDS: Final = 1000
_MOST_TEXT: Final = 2_000
_MOST_LINE: Final = 500
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_REPLACED: Final = "\ufffd"
# DingTalk's own ids have up to 64 characters.
_IDENTIFIER: Final = re.compile("[^\0-\x1f\x7f\ud800-\udfff]{1,256}")
_TOKEN: Final = re.compile("[!-~]{1,4096}")
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1


def text(value: object) -> str | None:
    """Text, a number as text, or None for anything else and for emptiness.

    What no database stores is replaced by U+FFFD, and what is endless is cut.
    """
    found = _as_text(value)
    return _UNSTORABLE.sub(_REPLACED, found[:_MOST_TEXT]) if found else None


def line(value: object, most: int = _MOST_LINE) -> str | None:
    """Text for an error or a log: without line ends and escape sequences, and short."""
    found = _as_text(value)
    if not found:
        return None
    return "".join(
        one if one.isprintable() else " " if one.isspace() else _REPLACED for one in found[:most]
    )


def identifier(value: object) -> str | None:
    """The id of a person or a thing, or None where it can be none: a cut id is another's."""
    found = _as_text(value)
    return found if found and _IDENTIFIER.fullmatch(found) else None


def token(value: object) -> str | None:
    """A token, or None where it does not fit into a header or an address."""
    found = _as_text(value)
    return found if found and _TOKEN.fullmatch(found) else None


def _as_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def integer(value: object) -> int | None:
    """An integer of 64 bits, given as one or as text; never through a float, which rounds."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value := value.strip()) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if _SMALLEST <= value <= _LARGEST else None


def flag(value: object) -> bool:
    """A boolean, given as one or as "true"."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _items(value: object) -> Sequence[object]:
    """A list, a CSV text as a list, anything else as a list of one."""
    if value is None:
        return ()
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list) else [value]


def texts(value: object) -> tuple[str, ...]:
    """Texts, from a list or a CSV text."""
    return tuple(found for item in _items(value) if (found := text(item)) is not None)


def identifiers(value: object) -> tuple[str, ...]:
    """Ids, from a list or a CSV text."""
    return tuple(found for item in _items(value) if (found := identifier(item)) is not None)


def integers(value: object) -> tuple[int, ...]:
    """Integers, from a list or a CSV text."""
    return tuple(found for item in _items(value) if (found := integer(item)) is not None)


def mapping(value: object) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> tuple[Mapping[str, Any], ...]:
    """Objects, from a list of them or a single one."""
    return tuple(item for item in _items(value) if isinstance(item, dict))


def instant(value: object) -> datetime | None:
    """An instant in UTC, from epoch milliseconds."""
    milliseconds = integer(value)
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / _MILLISECONDS, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def day(value: object) -> date | None:
    """A day in Beijing, from epoch milliseconds."""
    found = instant(value)
    try:
        return found.astimezone(_BEIJING).date() if found else None
    except OverflowError:  # the last hours of the year 9999
        return None
