"""Forms of cron expressions: which is meant, and what to write in place of another program's.

Ours is Debian's: five fields, or six with seconds first, `L` and `LW` for days, `5L` and `5#2` for
weekdays. Quartz writes `?`, a year, `15W`, and counts weekdays from 1 for Sunday.
"""

from __future__ import annotations

import re
from datetime import datetime

from cronsim import CronSim, CronSimError

from dingbell.errors import Text

__all__ = ["problem", "shortcut"]

_SHORTCUTS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# A number that is a weekday: not how many steps, not which one of the month.
_WEEKDAY = re.compile(r"(?<![#/0-9])([1-7])(?![0-9])(L?)", re.ASCII)
_NEAREST = re.compile(r"[0-9]+W", re.ASCII)
_BEFORE_LAST = re.compile(r"L-[0-9]+", re.ASCII)
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  only whether the expression can be read is asked

_FIELDS = {
    "Bad second": Text("0-59", "秒: 0-59"),
    "Bad minute": Text("0-59", "分: 0-59"),
    "Bad hour": Text("0-23", "时: 0-23"),
    "Bad day-of-month": Text(
        "1-31, L (the last) or LW (the last workday), in a month that has it",
        "日: 1-31、L (最后一天) 或 LW (最后一个工作日), 且该月须有这一天",
    ),
    "Bad month": Text("1-12 or JAN-DEC", "月: 1-12 或 JAN-DEC"),
    "Bad day-of-week": Text(
        "0-7 (Sunday is 0 and 7), SUN-SAT, 5L (the last Friday) or 5#2 (the second)",
        "周: 0-7 (0 和 7 都是周日)、SUN-SAT、5L (最后一个周五) 或 5#2 (第二个周五)",
    ),
}

_SOME_FIELD = Text("one of its fields", "有一个字段不对")


def shortcut(written: str) -> str | None:
    """The five fields of another program's `@daily` and its like; None where there are none."""
    return _SHORTCUTS.get(written.strip().lower())


def problem(expression: str) -> Text | None:
    """What is wrong with an expression, and what to write instead; None for a sound one."""
    said = _foreign(expression) or _amount(expression) or _bad_field(expression)
    if said is None:
        return None
    return Text(
        "cron expression {expression!r} {said}", "cron 表达式 {expression!r} {said}"
    ).format(expression=expression, said=said)


def _foreign(expression: str) -> Text | None:
    """What is another program's."""
    shortcut = expression.strip().lower()
    if shortcut in _SHORTCUTS:
        return _instead(_SHORTCUTS[shortcut])
    fields = expression.upper().split()
    if len(fields) not in (5, 6, 7):
        return None
    day = fields[2 if len(fields) == 5 else 3]
    if _NEAREST.search(day):
        return Text(
            "is Quartz's: the workday nearest to a day (15W) is not known here. Write the day (15),"
            " or LW for the last workday of the month",
            "是 Quartz 的写法: 此处没有“最近的工作日” (15W)。请写具体日期 (15), 或用 LW 表示当月"
            "最后一个工作日",
        )
    if _BEFORE_LAST.search(day):
        return Text(
            "is Quartz's: days before the last (L-3) are not known here. Write L for the last day "
            "of the month, or a day",
            "是 Quartz 的写法: 此处没有“倒数第几天” (L-3)。请用 L 表示当月最后一天, 或写具体日期",
        )
    return _quartz(fields) if len(fields) == 7 or "?" in fields else None


def _quartz(fields: list[str]) -> Text:
    """What stands for an expression of Quartz: without `?` and year, its weekdays by name."""
    ours = ["*" if field == "?" else field for field in fields[:6]]
    ours[-1] = _WEEKDAY.sub(_weekday, ours[-1])
    written = " ".join(ours)
    words = _instead(written) if _error(written) is None else None
    if len(fields) < 7:
        return words or _NO_QUESTION
    return Text(
        "has 7 fields, the last of them a year as in Quartz; there are no years here. {instead}",
        "有 7 个字段, 最后一个是 Quartz 的年份; 此处没有年份。{instead}",
    ).format(instead=words or _FIVE_OR_SIX)


def _weekday(found: re.Match[str]) -> str:
    """A weekday that was counted from 1 for Sunday; before `L` it has to be a number here."""
    number = int(found[1]) - 1
    return f"{number}L" if found[2] else _WEEKDAYS[number]


def _instead(written: str) -> Text:
    return Text("is written {written!r} here", "在此处写作 {written!r}").format(written=written)


_NO_QUESTION = Text("has a ?, which is Quartz's: write *", "中的 ? 是 Quartz 的写法: 请写 *")
_FIVE_OR_SIX = Text(
    "write 5 (minute hour day month weekday) or 6 with seconds first",
    "请写 5 个 (分 时 日 月 周) 或 6 个 (秒在最前)",
)


def _amount(expression: str) -> Text | None:
    fields = len(expression.split())
    if fields in (5, 6):
        return None
    return Text("has {fields} fields: {words}", "有 {fields} 个字段: {words}").format(
        fields=fields, words=_FIVE_OR_SIX
    )


def _bad_field(expression: str) -> Text | None:
    error = _error(expression)
    if error is None:
        return None
    field = _FIELDS.get(error, _SOME_FIELD)
    return Text("is not valid: {error} ({field})", "无效: {field}").format(error=error, field=field)


def _error(expression: str) -> str | None:
    try:
        CronSim(expression, _ANY_DAY)
    except CronSimError as error:
        return str(error)
    return None
