"""Dates in templates as they are said in China: 2026年11月23日, 星期一, 十月十五."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from dingbell.domain.calendar.lunar import LunarDate, from_solar
from dingbell.domain.templates.faults import TemplateError
from dingbell.domain.templates.filters import read_date, wrong
from dingbell.errors import Text

__all__ = ["FILTERS"]

_T = TypeVar("_T")

_DATE = Text("a date", "日期")
_NO_FORM = Text("{name} knows {known}, not {form!r}", "{name} 可用 {known}, 没有 {form!r}")
_OUTSIDE = Text("the lunar calendar is known from 1900 to 2100", "农历只支持 1900 年至 2100 年")

_DIGITS = "〇一二三四五六七八九"
_COUNTED: tuple[str, ...] = ("", *"一二三四五六七八九", "十")
_WEEKDAYS: Mapping[str, tuple[str, ...]] = {
    "zh": tuple(f"星期{day}" for day in "一二三四五六日"),
    "short": tuple(f"周{day}" for day in "一二三四五六日"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_WEEKDAY_FORMS: Mapping[str, Callable[[date], str]] = {
    "zh": lambda day: _WEEKDAYS["zh"][day.weekday()],
    "short": lambda day: _WEEKDAYS["short"][day.weekday()],
    "en": lambda day: _WEEKDAYS["en"][day.weekday()],
}
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
_ANIMALS = "鼠牛虎兔龙蛇马羊猴鸡狗猪"
_MONTHS: tuple[str, ...] = (*"正二三四五六七八九十", "冬", "腊")


def _day(name: str, value: object) -> date:
    found = read_date(value)
    if isinstance(found, datetime):
        return found.date()
    if isinstance(found, date):
        return found
    raise wrong(name, _DATE, value)


def _form(name: str, forms: Mapping[str, Callable[[_T], str]], form: object) -> Callable[[_T], str]:
    found = forms.get(form) if isinstance(form, str) else None
    if found is not None:
        return found
    known = ", ".join(forms)
    raise TemplateError(_NO_FORM.format(name=name, known=known, form=str(form)[:40]))


def _counted(number: int) -> str:
    """A number below 100: 十, 十一, 二十, 三十一."""
    tens, ones = divmod(number, 10)
    return (_COUNTED[tens] if tens > 1 else "") + ("十" if tens else "") + _COUNTED[ones]


def _said(day: date) -> str:
    year = "".join(_DIGITS[int(digit)] for digit in str(day.year))
    return f"{year}年{_counted(day.month)}月{_counted(day.day)}日"


_DATES: Mapping[str, Callable[[date], str]] = {
    "long": lambda day: f"{day.year}年{day.month}月{day.day}日",
    "short": lambda day: f"{day.month}月{day.day}日",
    "words": _said,
}


def _cn_date(value: object, form: object = "long") -> str:
    """2026年11月23日; `short` without the year, `words` in characters."""
    return _form("cn_date", _DATES, form)(_day("cn_date", value))


def _weekday(value: object, form: object = "zh") -> str:
    """星期一; `short` 周一, `en` Monday."""
    return _form("weekday", _WEEKDAY_FORMS, form)(_day("weekday", value))


def _lunar_day(found: LunarDate) -> str:
    tens, ones = divmod(found.day, 10)
    day = "初十廿"[tens] + _COUNTED[ones] if ones else ("初十", "二十", "三十")[tens - 1]
    return f"{'闰' if found.leap else ''}{_MONTHS[found.month - 1]}月{day}"


def _lunar_year(year: int) -> str:
    return _STEMS[(year - 4) % 10] + _BRANCHES[(year - 4) % 12] + "年"


_LUNAR: Mapping[str, Callable[[LunarDate], str]] = {
    "day": _lunar_day,
    "long": lambda found: _lunar_year(found.year) + _lunar_day(found),
    "year": lambda found: _lunar_year(found.year),
    "animal": lambda found: _ANIMALS[(found.year - 4) % 12],
}


def _lunar(value: object, form: object = "day") -> str:
    """十月十五; `long` with the year, `year` 丙午年, `animal` 马."""
    made = _form("lunar", _LUNAR, form)
    day = _day("lunar", value)
    try:
        found = from_solar(day)
    except (ValueError, LookupError):
        raise TemplateError(_OUTSIDE) from None
    return made(found)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "cn_date": _cn_date,
    "lunar": _lunar,
    "weekday": _weekday,
}
