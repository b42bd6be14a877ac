"""Times of day as an author writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import time
from typing import Any

from dingbell.errors import InputError, Text

__all__ = ["TIME", "canonical", "listed", "read", "time_of_day"]

TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_NO_TIME = Text(
    "{time!r} is not a time of day: write HH:MM or HH:MM:SS",
    "{time!r} 不是一天中的时间: 请写 HH:MM 或 HH:MM:SS",
)


def time_of_day(written: str) -> time:
    """The time that `HH:MM` or `HH:MM:SS` names."""
    hour, minute, *second = map(int, written.split(":"))
    return time(hour, minute, second[0] if second else 0)


def canonical(times: Iterable[str]) -> tuple[str, ...]:
    """Times in order, each once, with two digits for the hour and no seconds where they are 0."""
    return tuple(
        one.isoformat("minutes" if one.second == 0 else "seconds")
        for one in sorted({time_of_day(written) for written in times})
    )


def read(value: Any) -> tuple[str, ...]:
    """One time or a list of them.

    Raises:
        InputError: there is none, or one is no time of day.
    """
    written = list(value) if isinstance(value, list | tuple) else [value]
    if not written:
        raise InputError(Text("write at least one time", "至少要写一个时间"))
    for one in written:
        if not isinstance(one, str):
            raise InputError(
                Text("{time!r} must be written in quotes", "{time!r} 要写在引号里").format(time=one)
            )
        if not TIME.fullmatch(one.strip()):
            raise InputError(_NO_TIME.format(time=one))
    return canonical(one.strip() for one in written)


def listed(times: tuple[str, ...]) -> str | list[str]:
    """Times as they are written: a single one alone."""
    return times[0] if len(times) == 1 else list(times)
