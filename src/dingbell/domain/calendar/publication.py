"""What is published as a calendar: holiday-cn's JSON, or ICS; read into notices."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from dingbell.domain.calendar import festivals
from dingbell.domain.calendar.notice import Notice
from dingbell.errors import InputError, Text

__all__ = ["LARGEST", "read"]

# Bytes; a year of the statutory calendar has five thousand.
LARGEST = 2**20
_MOST_DAYS = 2_000
_LONGEST = 62
_YEARS = range(1949, 2201)
_DAY = timedelta(days=1)
_MAKE_UP = re.compile(
    r"上班|补班|调班|值班|班[)）\]】]|[(（\[【]班|work(ing)?\s?day|make-?up", re.IGNORECASE
)
_DECORATION = re.compile(
    r"[(（\[【].*?[)）\]】]|第\s*\d+\s*天.*|放假|假期|休息日?|调休|补班|上班|\s+"
)


def read(content: bytes, *, whole_years: bool = True) -> list[Notice]:
    """Read a publication.

    Args:
        content: JSON as holiday-cn writes it, one year or a list of them, or an ICS calendar.
        whole_years: refuse a year that lacks the spring festival or the national day, as the
            statutory calendar has both; a file for 2026 may name days of the January after.

    Raises:
        InputError: it is neither, is broken, or names no year that has been published.
    """
    if len(content) > LARGEST:
        raise InputError(
            Text("is larger than {n} bytes", "超过 {n} 字节").format(n=LARGEST),
        )
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    ics = head not in (b"{", b"[")
    notices = list(_of_ics(content)) if ics else list(_of_json(content))
    # ICS names days, not years: a year of which it has a few days only has not been published.
    found = [one for one in notices if not (ics and whole_years) or _is_whole(one)]
    if not found:
        raise InputError(_NOTHING)
    if len(found) != len({one.year for one in found}):
        raise InputError(Text("names a year twice", "同一年份出现两次"))
    return sorted(found, key=lambda one: one.year)


_NOTHING = Text(
    "names no year that has been published: a whole year has 春节 and 国庆节",
    "没有已公布的年份: 完整的一年应包含春节和国庆节",
)


def _is_whole(notice: Notice) -> bool:
    names = {name for days in notice.off.values() for name in days.split("、")}
    return {"春节", "国庆节"} <= names


def _of_json(content: bytes) -> Iterator[Notice]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        place = (
            f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else "1:1"
        )
        raise InputError(
            Text("is no JSON: line and column {place}", "不是 JSON: 行列 {place}").format(
                place=place
            )
        ) from None
    for one in found if isinstance(found, list) else [found]:
        if not isinstance(one, Mapping) or not isinstance(one.get("days"), list):
            raise InputError(_NO_YEAR.format())
        # Without a paper the State Council has not decided.
        if one["days"] and one.get("papers") != []:
            yield _year(one)


_NO_YEAR = Text(
    'is not the JSON of holiday-cn: {{"year": 2027, "papers": [...], "days": [{{"name": "元旦", '
    '"date": "2027-01-01", "isOffDay": true}}]}}',
    '不是 holiday-cn 的 JSON: {{"year": 2027, "papers": [...], "days": [{{"name": "元旦", '
    '"date": "2027-01-01", "isOffDay": true}}]}}',
)


def _year(one: Mapping[str, Any]) -> Notice:
    year = one.get("year")
    if not isinstance(year, int) or isinstance(year, bool) or year not in _YEARS:
        raise InputError(_NO_YEAR.format())
    off: dict[date, str] = {}
    work: dict[date, str] = {}
    for place, day in enumerate(one["days"][: _MOST_DAYS + 1]):
        _put(day, place, year, off, work)
    if len(off) + len(work) > _MOST_DAYS:
        raise InputError(_TOO_MANY)
    return Notice(year, off, work)


_TOO_MANY = Text("names too many days", "日期过多")


def _put(day: Any, place: int, year: int, off: dict[date, str], work: dict[date, str]) -> None:
    """Put one day of a JSON year where it belongs."""
    try:
        at, name, is_off = date.fromisoformat(day["date"]), day["name"], day["isOffDay"]
    except (KeyError, TypeError, ValueError):
        at, name, is_off = None, "", None
    if at is None or not isinstance(name, str) or not isinstance(is_off, bool):
        raise InputError(_BAD_DAY.format(place=place + 1, year=year))
    if not year - 1 <= at.year <= year + 1:
        raise InputError(_STRANGE_DAY.format(day=at.isoformat(), year=year))
    (off if is_off else work)[at] = _known_name(name)


_BAD_DAY = Text(
    "day {place} of {year} has no name, date (2027-01-01) and isOffDay (true or false)",
    "{year} 年的第 {place} 天缺少 name、date (2027-01-01) 或 isOffDay (true 或 false)",
)
_STRANGE_DAY = Text("{day} is no day of {year}", "{day} 不属于 {year} 年")


# The names that are also said without their last character.
_STEMS = {name: name[:-1] for name in ("清明节", "端午节", "中秋节", "国庆节")}


def _known_name(title: str) -> str:
    """The names of the festivals that a title has, or the title without its decoration."""
    found = [name for name in festivals.NAMES if _STEMS.get(name, name) in title]
    return "、".join(found) or _DECORATION.sub("", title)[:40]


def _of_ics(content: bytes) -> Iterator[Notice]:
    """The notices of an ICS calendar: a year for each in which one of its events lies."""
    years: dict[int, tuple[dict[date, str], dict[date, str]]] = {}
    days = 0
    for number, title, first, last in _events(content):
        name, make_up = _known_name(title), bool(_MAKE_UP.search(title))
        day = first
        while day <= last:
            # A holiday that begins at the end of a December belongs to the year after.
            year = day.year + (day.month == 12 and "元旦" in name)
            off, work = years.setdefault(year, ({}, {}))
            (work if make_up else off)[day] = name
            day += _DAY
            days += 1
        if days > _MOST_DAYS or number > _MOST_DAYS:
            raise InputError(_TOO_MANY)
    for year, (off, work) in sorted(years.items()):
        yield Notice(year, off, work)


def _events(content: bytes) -> Iterator[tuple[int, str, date, date]]:
    """The events of an ICS calendar: number, title, first and last day."""
    from icalendar import Calendar as Ics  # it takes a third of a second to load

    try:
        found = Ics.from_ical(content)
    except (ValueError, IndexError, KeyError, TypeError, RecursionError):
        raise InputError(
            Text(
                "is neither the JSON of holiday-cn nor an ICS calendar",
                "既不是 holiday-cn 的 JSON, 也不是 ICS 日历",
            )
        ) from None
    for number, event in enumerate(found.walk("VEVENT"), start=1):
        title = str(event.get("SUMMARY", "")).strip()
        where = Text("event {number} ({title})", "第 {number} 个事件 ({title})").format(
            number=number, title=title[:40]
        )
        if event.errors:
            raise InputError(
                Text("{where}: {field} cannot be read", "{where}: {field} 无法读取").format(
                    where=where, field=event.errors[0][0] or "a property"
                )
            )
        for name in ("RRULE", "RDATE", "EXDATE"):
            if name in event:
                raise InputError(
                    Text("{where}: {name} is not supported", "{where}: 不支持 {name}").format(
                        where=where, name=name
                    )
                )
        yield number, title, *_length(event, where)


def _length(event: Any, where: Text) -> tuple[date, date]:
    """The first and the last day of an event; its end is the day after, as ICS has it."""
    begin, end = event.get("DTSTART"), event.get("DTEND")
    if begin is None:
        raise InputError(
            Text("{where}: DTSTART is missing", "{where}: 缺少 DTSTART").format(where=where)
        )
    first = _as_day(begin.dt)
    last = first if end is None else _as_day(end.dt)
    if end is not None and not isinstance(end.dt, datetime):
        last -= _DAY
    if not first <= last <= first + _DAY * _LONGEST or first.year not in _YEARS:
        raise InputError(
            Text(
                "{where}: must end after it begins, within {most} days",
                "{where}: 结束须晚于开始, 且不超过 {most} 天",
            ).format(where=where, most=_LONGEST)
        )
    return first, last


def _as_day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value
