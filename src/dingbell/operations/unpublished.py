"""Years that no calendar knows yet: what schedules and their authors have to be told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dingbell.clock import SHANGHAI
from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, Text
from dingbell.store.schedules import Schedule

__all__ = ["missing", "warning", "warnings"]

# The State Council publishes a year in November of the one before; until October nobody can know.
_FIRST_MONTH = 10
_TINY = timedelta(microseconds=1)
_SAID = {
    "weekdays": Text(
        "{year} has not been published in calendar {calendar}: occurrences of that year follow the "
        "weekdays until `dingbell calendar import` has it",
        "日历 {calendar} 中 {year} 年尚未公布: 在 `dingbell calendar import` 导入之前, 该年按周一至"
        "周五计算",
    ),
    "hold": Text(
        "{year} has not been published in calendar {calendar}: occurrences of that year are held "
        "until `dingbell calendar import` has it",
        "日历 {calendar} 中 {year} 年尚未公布: 在 `dingbell calendar import` 导入之前, 该年的发送"
        "会挂起",
    ),
}


def _years(now: datetime) -> tuple[int, ...]:
    """The years that should be known by now."""
    local = now.astimezone(SHANGHAI)
    return (local.year, local.year + 1) if local.month >= _FIRST_MONTH else (local.year,)


def missing(calendar: Calendar, now: datetime) -> list[int]:
    """The years that a calendar should know by now and does not."""
    return [year for year in _years(now) if not calendar.knows(year)]


def warning(spec: ScheduleSpec, now: datetime) -> Text | None:
    """What the author of a schedule has to know of a year that is not published; None for none."""
    try:
        trigger = spec.trigger()
    except InputError:
        return None  # it is refused where it is stored
    for calendar in trigger.calendars:
        for year in missing(calendar, now):
            begin = max(now, datetime(year, 1, 1, tzinfo=SHANGHAI) - _TINY)
            found = trigger.next_after(begin)
            if found is not None and trigger.unknown_year(found) == year:
                return _SAID[spec.unknown_year].format(year=year, calendar=calendar.name)
    return None


def warnings(found: Sequence[Schedule], now: datetime) -> dict[str, Text]:
    """The same of active schedules, by name."""
    told = {}
    for one in found:
        if one.state != "active" or one.problem:
            continue
        said = warning(one.parsed(), now)
        if said is not None:
            told[one.name] = said
    return told
