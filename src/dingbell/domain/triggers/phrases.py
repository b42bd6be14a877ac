"""Pieces of the sentences in which rules read back, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dingbell.domain.calendar.calendar import Calendar
from dingbell.errors import Text

__all__ = ["WEEKDAYS", "at", "joined", "ordinal", "weekday"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_STATUTORY = "cn"


def at(days: Text, times: Sequence[str], calendar: Calendar | None = None) -> Text:
    """Days, their times, and the calendar where it is not the statutory one."""
    said = Text("{days} {times}", "{days} {times}").format(
        days=days, times=joined(Text(one, one) for one in times)
    )
    if calendar is None or calendar.name == _STATUTORY:
        return said
    return Text("{said} (calendar {name})", "{said} (日历 {name})").format(
        said=said, name=calendar.name
    )


def joined(parts: Iterable[Text]) -> Text:
    """A list: a, b; a、b."""
    found = list(parts)
    return Text(", ".join(found), "、".join(one.zh for one in found))


def weekday(number: int) -> Text:
    """A weekday, from 0 for Monday."""
    return Text(_EN[number], _ZH[number])


def ordinal(number: int) -> Text:
    """The nth: 3rd, 第 3 个."""
    special = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if 10 < number % 100 < 14 else special.get(number % 10, "th")
    return Text(f"{number}{ending}", f"第 {number} 个")
