"""Conditions as SQL: what is asked of an attribute of a person `p`.

The value of an attribute is JSON, marked where it is a date, an instant or an exact number. Texts
that look like numbers or dates are compared as such; what cannot be compared fits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from dingbell.domain.anniversaries import lunar_dates, month_days
from dingbell.domain.conditions import Condition, is_date, is_number

__all__ = ["Bind", "demand"]

# Makes a parameter of a value, of a type; returns how it is written.
Bind = Callable[[Any, str], str]

# What a person is known by beside attributes.
_COLUMNS = {
    "userid": "to_jsonb(p.userid)",
    "name": "to_jsonb(p.name)",
    "mobile": "to_jsonb(p.mobile)",
    "active": "to_jsonb(p.active)",
}
_NUMBER = "'^[-+]?[0-9]{1,40}(\\.[0-9]{1,40})?$'"
# 1990/5/1, 1990年5月1日; and without a year: 05-01, 5月1日. Looking them up costs far more than
# seeing that a value is a date, or looks like one of ISO's.
_DATE = "'^([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})'"
_MONTH_DAY = "'^([0-9]{1,2})[-/.月]([0-9]{1,2})(?:[^0-9]|$)'"
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def demand(name: str, condition: Condition, day: date | None, bind: Bind) -> str:
    """What has to be true of one attribute.

    Args:
        name: of the attribute.
        condition: what has to be true of it.
        day: the due day; without one nothing has its anniversary.
        bind: makes a parameter.
    """
    column = _COLUMNS.get(name)
    value = f"({column or 'p.attributes -> ' + bind(name, 'text')})"
    text = _text(value)
    demands = [
        *_equalities(value, text, condition, bind),
        *_comparisons(value, text, condition, bind),
        *_anniversaries(value, text, condition, day, bind),
    ]
    return " and ".join(f"({one})" for one in demands)


def _equalities(value: str, text: str, condition: Condition, bind: Bind) -> list[str]:
    demands = []
    if condition.any_of:
        demands.append(_is_one_of(value, text, condition.any_of, bind))
    if condition.not_:
        same = _is_one_of(value, text, condition.not_, bind)
        demands.append(f"not coalesce({same}, false)")
    if condition.contains is not None:
        demands.append(f"strpos(lower({text}), lower({bind(condition.contains, 'text')})) > 0")
    if condition.known is not None:
        demands.append(f"(coalesce({text}, '') <> '') = {bind(condition.known, 'bool')}")
    return demands


def _is_one_of(value: str, text: str, wanted: Sequence[str], bind: Bind) -> str:
    """It, or something in the list it is, equals a text; a number may be written differently."""
    same = _equals(value, text, wanted, bind)
    item = _equals("e.value", _text("e.value"), wanted, bind)
    return f"""case jsonb_typeof({value}) when 'array'
        then exists (select from jsonb_array_elements({value}) e where {item})
        else {same} end"""


def _equals(value: str, text: str, wanted: Sequence[str], bind: Bind) -> str:
    same = f"{text} = any({bind(list(wanted), 'text[]')})"
    numbers = [one for one in wanted if is_number(one)]
    if not numbers:
        return same
    bound = f"{bind(numbers, 'text[]')}::numeric[]"
    return f"""({same} or case
        when jsonb_typeof({value}) = 'number' or {value} ? '$decimal'
        then case when {text} ~ {_NUMBER} then {text}::numeric = any({bound}) end end)"""


def _comparisons(value: str, text: str, condition: Condition, bind: Bind) -> list[str]:
    return [
        _compares(value, text, sign, bound, bind)
        for key, sign in _SIGNS.items()
        if (bound := getattr(condition, key)) is not None
    ]


def _compares(value: str, text: str, sign: str, bound: str, bind: Bind) -> str:
    given = bind(bound, "text")
    if is_date(bound):
        return f'{_day(value, text)} {sign} {given} collate "C"'
    return f"case when {text} ~ {_NUMBER} then {text}::numeric {sign} {given}::numeric end"


def _anniversaries(
    value: str, text: str, condition: Condition, day: date | None, bind: Bind
) -> list[str]:
    if not condition.depends_on_day:
        return []
    if day is None:
        return ["false"]
    demands = []
    if condition.anniversary:
        days, year = bind(month_days(day), "text[]"), bind(f"{day.year:04}", "text")
        dated = _day(value, text)
        demands.append(
            f"right({dated}, 5) = any({days}) and left({dated}, 4) < {year} "
            f"or {_month_day(text)} = any({days})"
        )
    if condition.lunar_anniversary:
        dates = [one.isoformat() for one in lunar_dates(day)]
        demands.append(f"{_day(value, text)} = any({bind(dates, 'text[]')})")
    return demands


def _text(value: str) -> str:
    """A value as its author wrote it."""
    return (
        f"coalesce({value} ->> '$date', {value} ->> '$instant', {value} ->> '$decimal', "
        f"{value} #>> '{{}}')"
    )


def _day(value: str, text: str) -> str:
    """A date with a year, as 1990-05-01; null where it is none."""
    return f"""case when {value} ? '$date' then {value} ->> '$date'
        when {text} like '____-__-__%' then left({text}, 10)
        when {text} ~ '^[0-9]{{4}}[-/.年]' then (
            select m[1] || '-' || lpad(m[2], 2, '0') || '-' || lpad(m[3], 2, '0')
            from regexp_match({text}, {_DATE}) as m) end"""


def _month_day(text: str) -> str:
    """A day of the year, as 05-01; null where it is none."""
    return f"""case when {text} ~ '^[0-9]{{1,2}}[-/.月]' then (
        select lpad(m[1], 2, '0') || '-' || lpad(m[2], 2, '0')
        from regexp_match({text}, {_MONTH_DAY}) as m) end"""
