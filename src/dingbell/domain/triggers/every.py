"""A rule by elapsed time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from dingbell.domain.duration import format_duration
from dingbell.domain.triggers.trigger import Trigger
from dingbell.errors import InputError, Text

__all__ = ["Every"]

_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Every(Trigger):
    """A fixed interval of elapsed time; the anchor is the first occurrence."""

    interval: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.interval < _SHORTEST:
            raise InputError(
                Text("the shortest interval is 1s", "最短间隔是 1s"),
            )

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The anchor and what follows it at a distance of whole intervals, whatever clocks do."""
        anchor = self.anchor.astimezone(UTC)
        first = (instant - anchor) // self.interval + 1
        return (anchor + steps * self.interval for steps in count(max(first, 0)))

    def to_dict(self) -> dict[str, Any]:
        """`{"every": "15m", "from": anchor}`."""
        return {"every": format_duration(self.interval), "from": self.anchor.isoformat()}
