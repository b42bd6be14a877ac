"""What five fields of cron mean, in words of both languages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dingbell.errors import Text

__all__ = ["expanded", "said"]

_MOST_TIMES = 6
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WEEKDAYS_ZH = ("周日", "周一", "周二", "周三", "周四", "周五", "周六")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_DAY_NAMES = {name[:3].upper(): place for place, name in enumerate(_WEEKDAYS)}
_MONTH_NAMES = {name[:3].upper(): place for place, name in enumerate(_MONTHS, 1)}


def said(expression: str) -> Text:
    """An expression of five fields in words; one that is unusual is repeated."""
    minutes, hours, days, months, weekdays = expression.split()
    try:
        parts = (
            _month(expanded(months, 1, 12, _MONTH_NAMES)),
            _day(days, weekdays),
            _time(expanded(minutes, 0, 59), expanded(hours, 0, 23)),
        )
    except ValueError:
        return Text("whenever {rule} says", "按 {rule} 的时刻").format(rule=expression)
    known = [part for part in parts if part]
    return Text(", ".join(known), " ".join(part.zh for part in known))


def expanded(
    field: str, low: int, high: int, names: dict[str, int] | None = None
) -> tuple[int, ...]:
    """The numbers that a field stands for, in order.

    Raises:
        ValueError: it is more than numbers, names, ranges and steps.
    """
    found: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        if span in ("*", ""):
            first, last = low, high
        else:
            start, _, end = span.partition("-")
            first = _number(start, names)
            last = _number(end, names) if end else high if step else first
        found.update(range(first, last + 1, int(step or 1)))
    return tuple(sorted(found))


def _number(written: str, names: dict[str, int] | None) -> int:
    return (names or {})[written] if names and written in names else int(written)


def _time(minutes: Sequence[int], hours: Sequence[int]) -> Text:
    if len(minutes) * len(hours) <= _MOST_TIMES:
        times = [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes]
        return Text(f"at {', '.join(times)}", "、".join(times))
    within = _minutes(minutes)
    if len(hours) == 24:
        return within
    return Text("{within}, in the hours {hours}", "{hours} 时, {within}").format(
        within=within, hours=_runs(hours, str, str)
    )


def _minutes(minutes: Sequence[int]) -> Text:
    step = _step(minutes)
    if step == 1:
        return Text("every minute", "每分钟")
    if step:
        return Text(f"every {step} minutes", f"每 {step} 分钟")
    listed = [str(minute) for minute in minutes]
    word = "minute" if len(listed) == 1 else "minutes"
    return Text(f"every hour at {word} {', '.join(listed)}", f"每小时的第 {'、'.join(listed)} 分钟")


def _step(minutes: Sequence[int]) -> int:
    """The distance of what comes evenly around the hour; 0 where it does not."""
    steps = {after - before for before, after in pairwise((*minutes, minutes[0] + 60))}
    return steps.pop() if len(steps) == 1 and minutes[0] == 0 and len(minutes) > 1 else 0


def _day(days: str, weekdays: str) -> Text:
    of_month = expanded(days, 1, 31)
    of_week = tuple(sorted({day % 7 for day in expanded(weekdays, 0, 7, _DAY_NAMES)}))
    any_day, any_weekday = len(of_month) == 31, len(of_week) == 7
    # As cron does: where both are restricted either will do, and a star restricts nothing.
    either = not (days.startswith("*") or weekdays.startswith("*"))
    if (any_day and any_weekday) or (either and (any_day or any_weekday)):
        return Text("every day", "每天")
    numbers, names = _runs(of_month, str, str), _runs(of_week, _WEEKDAYS, _WEEKDAYS_ZH)
    by_month = Text("on day {days} of the month", "每月 {days} 日").format(days=numbers)
    if any_weekday:
        return by_month
    if any_day:
        return Text("on {days}", "每{days}").format(days=names)
    both = Text("{one} or on {days}", "{one}或每{days}")
    return (both if either else Text("{one} if it is {days}", "{one}且为{days}")).format(
        one=by_month, days=names
    )


def _month(months: Sequence[int]) -> Text:
    if len(months) == 12:
        return Text("", "")
    names = _runs(months, ("", *_MONTHS), [f"{month} 月" for month in range(13)])
    return Text("in {months}", "{months}").format(months=names)


_Names = Sequence[str] | type[str]


def _runs(numbers: Sequence[int], english: _Names, chinese: _Names) -> Text:
    """Numbers by name; three and more that follow one another as from and to."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])

    def listed(names: _Names, between: str, comma: str) -> str:
        def name(number: int) -> str:
            return str(number) if isinstance(names, type) else names[number]

        parts = [
            [f"{name(run[0])}{between}{name(run[-1])}"] if len(run) > 2 else list(map(name, run))
            for run in runs
        ]
        return comma.join(one for part in parts for one in part)

    return Text(listed(english, " to ", ", "), listed(chinese, "至", "、"))
