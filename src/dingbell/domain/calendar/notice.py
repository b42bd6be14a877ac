"""A notice: the days off and the make-up workdays that somebody has published for a year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

__all__ = ["Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What was published for one year; it may name days of the December before.

    Attributes:
        off: days off, and the holiday of each.
        work: workdays on a weekend, and the holiday they are worked for.
    """

    year: int
    off: Mapping[date, str]
    work: Mapping[date, str]

    def to_dict(self) -> dict[str, Any]:
        """The form it is stored in."""
        return {
            "off": {day.isoformat(): name for day, name in sorted(self.off.items())},
            "work": {day.isoformat(): name for day, name in sorted(self.work.items())},
        }

    @classmethod
    def stored(cls, year: int, content: Mapping[str, Mapping[str, str]]) -> Notice:
        """Read the form it is stored in."""
        return cls(year, *(_days(content.get(part, {})) for part in ("off", "work")))


def _days(written: Mapping[str, str]) -> dict[date, str]:
    return {date.fromisoformat(day): name for day, name in written.items()}
