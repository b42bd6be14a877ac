"""Reads fields liberally: DingTalk sends numbers as text, lists as CSV, and leaves things out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

__all__ = ["day", "flag", "instant", "integer", "integers", "mapping", "rows", "text", "texts"]

_BEIJING: Final = ZoneInfo("Asia/Shanghai")
_MILLISECONDS: Final = 1000


def text(value: object) -> str | None:
    """Text, a number as text, or None for anything else and for emptiness."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def integer(value: object) -> int | None:
    """An integer, given as one or as text; never through a float, which rounds above 2^53."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    return None


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
    return found.astimezone(_BEIJING).date() if found else None
