"""Lengths of time as people write them: `90`, `45s`, `30m`, `2h`, `1d`, `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from dingbell.errors import InputError, Text
from dingbell.meaning import VARIABLE

__all__ = ["Duration", "format_duration", "parse_duration"]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_PART = re.compile(rf"({_NUMBER.pattern})\s*([dhms])", re.ASCII)
_LONGEST = 366 * 86_400
# The same for editors, which know no flags.
_WRITTEN = r"^\s*[0-9]+(\.[0-9]+)?\s*([dhmsDHMS]\s*([0-9]+(\.[0-9]+)?\s*[dhmsDHMS]\s*)*)?$"
_TOO_LONG = _LONGEST + 1
_TICK = timedelta.resolution
_TICKS_PER_SECOND = 1_000_000


def parse_duration(value: object) -> timedelta:
    """Read a duration; a bare number is seconds.

    Raises:
        InputError: it is not a duration, is negative, or is longer than 366 days.
    """
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds <= _LONGEST:
        raise InputError(
            Text(
                "{value!r} is not a duration: write 90, 45s, 30m, 2h, 1d or 1h30m (at most 366d)",
                "{value!r} 不是时长: 请写 90、45s、30m、2h、1d 或 1h30m (最长 366d)",
            ).format(value=value)
        )
    return timedelta(seconds=seconds)


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(min(value, _TOO_LONG))
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not text or _PART.sub("", text).strip():
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(value: timedelta) -> str:
    """Write a duration in the form that `parse_duration` reads, longest unit first."""
    rest = value // _TICK
    parts = []
    for unit, size in _UNITS.items():
        found, rest = divmod(rest, size * _TICKS_PER_SECOND)
        if unit == "s" and rest:
            parts.append(f"{found}.{rest:06d}".rstrip("0") + unit)
        elif found:
            parts.append(f"{found}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(
        {
            "title": Text("duration (30s, 30m, 2h, 1d)", "时长 (30s、30m、2h、1d)"),
            "anyOf": [
                {"type": "string", "pattern": _WRITTEN + VARIABLE},
                {"type": "number", "minimum": 0, "maximum": _LONGEST},
            ],
        }
    ),
]
