"""Lengths of time as people write them: `90`, `45s`, `30m`, `2h`, `1d`, `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from dingbell.errors import InputError, Text

__all__ = ["Duration", "format_duration", "parse_duration"]

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])")
_LONGEST = 366 * 86_400.0


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
        return float(value)
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text or _PART.sub("", text).strip():
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def format_duration(value: timedelta) -> str:
    """Write a duration in the form that `parse_duration` reads, longest unit first."""
    rest = value.total_seconds()
    parts = []
    for unit, size in _UNITS.items():
        count = rest if unit == "s" else rest // size
        if count:
            parts.append(f"{count:g}{unit}")
        rest -= count * size
    return "".join(parts) or "0s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
]
