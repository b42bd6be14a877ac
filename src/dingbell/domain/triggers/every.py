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

__all__ = ["EPOCH", "Every"]

# It counts from here unless it says so itself, so that a repeated apply changes nothing.
EPOCH = datetime.fromisoformat("2020-01-01T00:00:00+08:00")

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

    def words(self) -> Text:
        """Every 15m, counted from where it is not the usual beginning."""
        said = Text("every {length}", "每隔 {length}").format(length=format_duration(self.interval))
        if self.anchor == EPOCH:
            return said
        anchor = self.anchor.isoformat(" ")
        return Text("{said}, counted from {anchor}", "{said}, 从 {anchor} 起算").format(
            said=said, anchor=anchor
        )

    def to_dict(self) -> dict[str, Any]:
        """`{"every": "15m", "from": anchor}`."""
        return {"every": format_duration(self.interval), "from": self.anchor.isoformat()}
