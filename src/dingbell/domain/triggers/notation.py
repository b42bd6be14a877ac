"""How rules are written: their JSON Schema and what they mean, beside what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dingbell.errors import Text
from dingbell.meaning import VARIABLE, Meaning

__all__ = ["RULES", "Rule", "schema"]

_TIME = {
    "type": "string",
    "pattern": r"^\s*([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?\s*$" + VARIABLE,
}
_TIMES = {
    "title": Text("time of day, or a list of them", "时间, 或时间的列表"),
    "anyOf": [_TIME, {"type": "array", "items": _TIME, "minItems": 1}],
}
_DURATION = {
    "title": Text("duration (15m, 2h, 1d)", "时长 (15m、2h、1d)"),
    "anyOf": [
        {"type": "string", "pattern": r"^\s*[0-9][0-9.dhmsDHMS\s]*$" + VARIABLE},
        {"type": "number", "minimum": 1},
    ],
}
_INSTANT = {
    "title": Text("date and time", "日期和时间"),
    "type": ["string", "integer"],
    "pattern": r"^\s*[0-9]{4}-?(W?[0-9]{2}|[0-9]{2}-?[0-9]{2})" + VARIABLE,
}
_CRON = {
    "title": Text("cron expression", "cron 表达式"),
    "type": "string",
    "pattern": r"^\s*\S+(\s+\S+){4,5}\s*$" + VARIABLE,
}
_WEEKDAY = {
    "anyOf": [
        {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        {"enum": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]},
        {"type": "string", "pattern": r"^(周|星期)[一二三四五六日天]$" + VARIABLE},
    ]
}
_NUMBER = {"type": "integer", "minimum": 1}
_ONE_COUNTED = {"anyOf": [_NUMBER, {"const": "last"}]}
_COUNTED = {"anyOf": [_ONE_COUNTED, {"type": "array", "items": _ONE_COUNTED, "minItems": 1}]}
_MONTH_DAY = {"type": "string", "pattern": r"^[0-9]{1,2}-[0-9]{1,2}$" + VARIABLE}


# What the parts of a rule mean, whichever rule it is.
_PARTS = {
    "at": Text("time of day, or a list of them", "时间, 或时间的列表"),
    "on": Text("which days: weekdays, or month-day", "哪些天: 星期几, 或 月-日"),
    "day": Text("day of the month, or `last`", "几号, 或 `last` 为最后一天"),
    "workday": Text(
        "the nth workday of the month, or `last`", "当月第几个工作日, 或 `last` 为最后一个"
    ),
    "weekday": Text("day of the week, with `nth`", "星期几, 与 `nth` 一起用"),
    "nth": Text("which of them, or `last`", "第几个, 或 `last` 为最后一个"),
    "shift": Text(
        "where it is no workday: to the next or the previous one", "遇非工作日时顺延或提前"
    ),
    "month": Text("month of the lunar year, 1 to 12", "农历月份, 1 至 12"),
    "leap": Text("whether leap months count as well: `both`, or `skip`", "闰月是否也算"),
    "holiday": Text("name of the holiday", "节日名称"),
    "days": Text("how many days", "多少天"),
    "workdays": Text("how many workdays", "多少个工作日"),
}


def _parts(required: list[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: {**form, "description": _PARTS[name]} for name, form in properties.items()
        },
        "required": required,
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        meaning: what it means, and how it is written.
        form: the JSON Schema of its value.
        sample: the value of the example.
    """

    meaning: Meaning
    form: Mapping[str, Any]
    sample: Any = field(hash=False)


def _rule(en: str, zh: str, example: str, sample: Any, form: Mapping[str, Any]) -> Rule:
    return Rule(Meaning(Text(en, zh), example), form, sample)


_ON_LISTS = {"anyOf": [_MONTH_DAY, {"type": "array", "items": _MONTH_DAY, "minItems": 1}]}
_DAYS_OFF = _parts(
    ["holiday", "at"], holiday={"type": "string"}, workdays=_NUMBER, days=_NUMBER, at=_TIMES
)

RULES: Mapping[str, Rule] = {
    "daily": _rule("every day at this time", "每天的这个时间", '"16:00"', "16:00", _TIMES),
    "workday": _rule(
        "every workday by the calendar, make-up workdays included",
        "每个工作日 (按日历, 含调休上班日)",
        '"16:00"',
        "16:00",
        _TIMES,
    ),
    "holiday": _rule(
        "every day off by the calendar", "每个休息日 (按日历)", '"09:00"', "09:00", _TIMES
    ),
    "weekly": _rule(
        "on some days of the week",
        "每周的某几天",
        '{on: [mon, thu], at: "09:00"}',
        {"on": ["mon", "thu"], "at": "09:00"},
        _parts(
            ["on", "at"],
            on={"anyOf": [_WEEKDAY, {"type": "array", "items": _WEEKDAY, "minItems": 1}]},
            at=_TIMES,
        ),
    ),
    "monthly": _rule(
        "every month: a `day` or `last`, the nth `workday`, or the `nth` `weekday`; `shift` moves "
        "it to a workday",
        "每月: 某日 `day` 或 `last`, 第几个工作日 `workday`, 或第几个 (`nth`) 星期几 (`weekday`); "
        "`shift` 顺延或提前到工作日",
        '{day: 5, at: "10:00", shift: next_workday}',
        {"day": 5, "at": "10:00", "shift": "next_workday"},
        _parts(
            ["at"],
            day=_COUNTED,
            workday=_COUNTED,
            weekday=_WEEKDAY,
            nth=_COUNTED,
            shift={"enum": ["next_workday", "previous_workday"]},
            at=_TIMES,
        ),
    ),
    "yearly": _rule(
        "every year on a day, as month-day",
        "每年的某一天, 写作 月-日",
        '{on: "03-08", at: "09:00"}',
        {"on": "03-08", "at": "09:00"},
        _parts(["on", "at"], on=_ON_LISTS, at=_TIMES),
    ),
    "lunar": _rule(
        "every lunar year on a day; `leap` says whether leap months count",
        "农历每年的某一天; `leap` 说明闰月是否也算",
        '{month: 12, day: last, at: "09:00", leap: skip}',
        {"month": 12, "day": "last", "at": "09:00", "leap": "skip"},
        _parts(
            ["month", "day", "at"],
            month=_NUMBER,
            day=_COUNTED,
            leap={"enum": ["skip", "both"]},
            at=_TIMES,
        ),
    ),
    "before": _rule(
        "some `days` or `workdays` before a holiday",
        "节日前若干天 (`days`) 或工作日 (`workdays`)",
        '{holiday: 国庆节, workdays: 1, at: "16:00"}',
        {"holiday": "国庆节", "workdays": 1, "at": "16:00"},
        _DAYS_OFF,
    ),
    "after": _rule(
        "some `days` or `workdays` after a holiday",
        "节日后若干天 (`days`) 或工作日 (`workdays`)",
        '{holiday: 国庆节, workdays: 1, at: "09:00"}',
        {"holiday": "国庆节", "workdays": 1, "at": "09:00"},
        _DAYS_OFF,
    ),
    "cron": _rule(
        "a cron expression of five fields, or six with seconds first",
        "cron 表达式, 5 个字段, 或 6 个 (秒在最前)",
        '"0 9 * * 1-5"',
        "0 9 * * 1-5",
        _CRON,
    ),
    "every": _rule(
        "a fixed interval of elapsed time, counted from `from`",
        "固定间隔, 自 `from` 起算",
        "30m",
        "30m",
        _DURATION,
    ),
    "rrule": _rule(
        "a rule of iCalendar's, as far as one of ours says the same",
        "iCalendar 的 RRULE, 限于可以对应到此处规则的部分",
        '"DTSTART:20261201T090000 RRULE:FREQ=WEEKLY;BYDAY=MO"',
        "DTSTART:20261201T090000 RRULE:FREQ=WEEKLY;BYDAY=MO",
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "object"}]},
    ),
    "any": _rule(
        "several rules, each written as here; an instant that two of them give comes once",
        "多条规则, 每条写法相同; 同一时刻只算一次",
        '[{daily: "09:00"}, {daily: "18:00"}]',
        [{"daily": "09:00"}, {"daily": "18:00"}],
        {"type": "array", "items": {"type": "object"}, "minItems": 1},
    ),
    "once": _rule(
        "one single instant; in the schedule's zone unless it says its offset",
        "仅一次; 未写偏移时按日程的时区",
        '"2036-12-31 18:00"',
        "2036-12-31 18:00",
        _INSTANT,
    ),
}

_DAYS = {
    "title": Text("dates, ranges, calendars", "日期、区间、日历"),
    "anyOf": [{"type": ["string", "object"]}, {"type": "array", "items": {}}],
}
# What may stand beside a rule.
_LIMITS: Mapping[str, Rule] = {
    "from": _rule(
        "nothing comes before it, and `every` counts from it",
        "在此之前不触发; `every` 自此起算",
        '"2026-01-01 08:00"',
        "2026-01-01 08:00",
        _INSTANT,
    ),
    "until": _rule(
        "nothing comes after it", "在此之后不触发", '"2036-06-30"', "2036-06-30", _INSTANT
    ),
    "except": _rule(
        "days on which nothing comes", "不触发的日期", '["2036-02-14"]', ["2036-02-14"], _DAYS
    ),
}


def _told(rule: Rule) -> dict[str, Any]:
    meaning = rule.meaning
    return {**rule.form, "description": meaning.text, "examples": [meaning.example]}


def schema() -> dict[str, Any]:
    """The JSON Schema of `when`."""
    rules = {name: _told(RULES[name]) for name in RULES}
    limits = {name: _told(_LIMITS[name]) for name in _LIMITS}
    return {
        "type": "object",
        "properties": {**rules, **limits},
        "oneOf": [{"required": [name]} for name in rules],
        "additionalProperties": False,
    }
