"""Days of a month: the nth, the last, the nearest workday."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import Literal

from dingbell.domain.calendar.calendar import Calendar
from dingbell.errors import Text

__all__ = ["LAST", "SHIFTS", "Last", "Shift", "clamped", "months_from", "shifted"]

Last = Literal["last"]
LAST: Last = "last"
Shift = Literal["next_workday", "previous_workday"]
SHIFTS: dict[Shift | None, Text] = {
    None: Text("", ""),
    "next_workday": Text(", or the next workday", ", 遇休息日顺延至下一个工作日"),
    "previous_workday": Text(", or the previous workday", ", 遇休息日提前至上一个工作日"),
}


def months_from(start: date, *, before: int = 1) -> Iterator[date]:
    """The first days of the months, from some months before a day on, for 50 years."""
    index = max(start.year * 12 + start.month - 1 - before, 12)
    last = min(index + 600, date.max.year * 12)
    return (date(one // 12, one % 12 + 1, 1) for one in range(index, last))


def clamped(year: int, month: int, day: int | Last) -> date:
    """A day of a month, or the month's last where it has no such day."""
    length = monthrange(year, month)[1]
    return date(year, month, length if day == "last" else min(day, length))


def shifted(day: date, shift: Shift | None, calendar: Calendar) -> date:
    """A day, or the workday beside it where it is a day off."""
    if shift is None or calendar.is_workday(day):
        return day
    return calendar.next_workday(day, 1 if shift == "next_workday" else -1) or day
