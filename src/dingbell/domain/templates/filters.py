"""The filters and tests of templates: what stands after `|` and after `is`.

Each takes the value first. They are small and quick: what they make is bounded, and what they go
through is paid for by whoever calls them (see `scope`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from dingbell.domain.templates import values
from dingbell.domain.templates.cells import counted
from dingbell.domain.templates.faults import MissingError, TemplateError
from dingbell.domain.templates.scope import MOST_TEXT, check_length
from dingbell.errors import Text

__all__ = ["FILTERS", "TESTS", "as_number", "read_date", "whole", "worded", "wrong"]

# What strftime knows everywhere; widths (`%9999d`) would let a date fill the memory.
_FORM = re.compile(r"(?:[^%]|%-?[A-Za-z%])*")
_LONGEST_FORM = 100
_LONGEST_NUMBER = 40
_MOST_PLACES = 12
_METHODS = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}

_TAKES = Text("{name} takes {wanted}, not {kind}", "{name} 需要{wanted}, 而不是{kind}")
_TEXT = Text("text", "文本")
_LIST = Text("a list", "列表")
_DATE = Text("a date", "日期")
_TIME = Text("a date with a time", "带时间的日期")
_NUMBER = Text("a number", "数字")
_WHOLE = Text("a small whole number", "较小的整数")
_BAD_FORM = Text(
    "{form!r} is not a form of dates such as '%Y-%m-%d'", "{form!r} 不是日期格式, 例如 '%Y-%m-%d'"
)
_EMPTY_LIST = Text("the list is empty", "列表为空")
_NO_METHOD = Text("round knows common, ceil and floor", "round 可用 common、ceil、floor")
_NO_TEST = Text("there is no test {name!r}: there are {known}", "没有测试 {name!r}: 可用 {known}")


def wrong(name: str, wanted: Text, value: object) -> TemplateError:
    """The error for a filter that is given something it does not take."""
    return TemplateError(_TAKES.format(name=name, wanted=wanted, kind=values.kind(value)))


def _listed(name: str, value: object) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    raise wrong(name, _LIST, value)


def worded(name: str, value: object) -> str:
    """A text, or a number as it is written."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return values.text(value)
    raise wrong(name, _TEXT, value)


def whole(name: str, value: object, most: int) -> int:
    """A whole number of at most so much, either way.

    Raises:
        TemplateError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and -most <= value <= most:
        return value
    raise wrong(name, _WHOLE, value)


# Dates: what the directory keeps as a text of the form 2026-11-23 is taken for the date it is.


def _formed(value: date, form: object) -> str:
    if not isinstance(form, str) or len(form) > _LONGEST_FORM or not _FORM.fullmatch(form):
        raise TemplateError(_BAD_FORM.format(form=str(form)[:_LONGEST_FORM]))
    return value.strftime(form)


def read_date(value: object) -> object:
    """The date that a text of the form 2026-11-23 is; anything else unchanged."""
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return value
    try:
        return datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    except ValueError:
        return value


def _date(value: object, form: object = "%Y-%m-%d") -> str:
    if value is None:
        return ""
    found = read_date(value)
    if not isinstance(found, date):
        raise wrong("date", _DATE, value)
    return _formed(found, form)


def _time(value: object, form: object = "%H:%M") -> str:
    if value is None:
        return ""
    found = read_date(value)
    if not isinstance(found, datetime):
        raise wrong("time", _TIME, value)
    return _formed(found, form)


# Numbers.


def as_number(name: str, value: object) -> values.Number:
    """A number, or a text that is one.

    Raises:
        TemplateError: it is neither.
    """
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            return values.number(Decimal(value.strip().replace(",", "")), name)
        except InvalidOperation:
            raise wrong(name, _NUMBER, value) from None
    return values.number(value, name)


def _int(value: object) -> int:
    return int(as_number("int", value))


def _float(value: object) -> values.Number:
    return as_number("float", value)


def _abs(value: object) -> values.Number:
    found = values.number(value, "abs")
    return -found if found < 0 else found


def _round(value: object, precision: object = 0, method: object = "common") -> values.Number:
    found = Decimal(values.number(value, "round"))
    places = whole("round", precision, _MOST_PLACES)
    if not isinstance(method, str) or method not in _METHODS:
        raise TemplateError(_NO_METHOD)
    rounded = found.quantize(Decimal(1).scaleb(-places), _METHODS[method])
    return int(rounded) if places <= 0 else rounded


# Text.


def _upper(value: object) -> str:
    return worded("upper", value).upper()


def _lower(value: object) -> str:
    return worded("lower", value).lower()


def _capitalize(value: object) -> str:
    return worded("capitalize", value).capitalize()


def _title(value: object) -> str:
    return worded("title", value).title()


def _trim(value: object) -> str:
    return worded("trim", value).strip()


def _replace(value: object, old: object, new: object) -> str:
    text, before, after = (worded("replace", one) for one in (value, old, new))
    check_length(text.count(before) * max(len(after) - len(before), 0) + len(text))
    return text.replace(before, after)


def _truncate(value: object, length: object = 255, end: object = "…") -> str:
    text, most = worded("truncate", value), whole("truncate", length, MOST_TEXT)
    ending = worded("truncate", end)
    return text if len(text) <= most else text[: max(most - len(ending), 0)].rstrip() + ending


# Lists.


def _of(one: object, name: object) -> Any:
    """What an element is sorted, summed or picked by: itself, or a field of it."""
    return one if name is None else values.item(one, name)


def _first(value: object) -> Any:
    return _at_end("first", value, 0)


def _last(value: object) -> Any:
    return _at_end("last", value, -1)


def _at_end(name: str, value: object, place: int) -> Any:
    found = value if isinstance(value, str) else _listed(name, value)
    if not found:
        raise MissingError(_EMPTY_LIST)
    return found[place]


def _length(value: object) -> int:
    if isinstance(value, str | Mapping):
        return len(value)
    return len(_listed("length", value))


def _join(value: object, separator: object = "", attribute: object = None) -> str:
    between, words, length = worded("join", separator), [], 0
    for one in _listed("join", value):
        words.append(values.text(_of(one, attribute)))
        length += len(words[-1])
        check_length(length + len(between) * (len(words) - 1))
    return between.join(words)


def _map(value: object, *, attribute: object, default: object = None) -> list[Any]:
    found = []
    for one in _listed("map", value):
        try:
            found.append(_of(one, attribute))
        except MissingError:
            if default is None:
                raise
            found.append(default)
    return found


def _reverse(value: object) -> Any:
    return value[::-1] if isinstance(value, str) else _listed("reverse", value)[::-1]


def _sort(value: object, reverse: object = False, attribute: object = None) -> list[Any]:
    found: list[tuple[Any, Any]] = [
        (counted(_of(one, attribute)), one) for one in _listed("sort", value)
    ]
    for (one, _), (other, _) in pairwise(found):
        values.compared("<", one, other)
    found.sort(key=lambda pair: pair[0], reverse=bool(reverse))
    return [one for _, one in found]


def _sum(value: object, attribute: object = None, start: object = 0) -> values.Number:
    add = values.arithmetic("+")
    total = values.number(start, "sum")
    for one in _listed("sum", value):
        total = add(total, values.number(_of(one, attribute), "sum"))
    return total


def _largest(value: object, attribute: object = None) -> Any:
    return _last(_sort(value, attribute=attribute))


def _smallest(value: object, attribute: object = None) -> Any:
    return _first(_sort(value, attribute=attribute))


def _unique(value: object, attribute: object = None) -> list[Any]:
    found: dict[Any, Any] = {}
    for one in _listed("unique", value):
        found.setdefault(_of(one, attribute), one)
    return list(found.values())


def _select(
    name: str, value: object, attribute: object, test: object, wanted: Sequence[Any]
) -> Any:
    if test is not None and test not in TESTS:
        raise TemplateError(_NO_TEST.format(name=str(test)[:40], known=", ".join(sorted(TESTS))))
    for one in _listed(name, value):
        try:
            found = _of(one, attribute)
        except MissingError:
            yield one, test == "undefined"
        else:
            yield one, bool(TESTS[test](found, *wanted) if test is not None else found)


def _selectattr(value: object, attribute: object, test: object = None, *wanted: Any) -> list[Any]:
    return [one for one, yes in _select("selectattr", value, attribute, test, wanted) if yes]


def _rejectattr(value: object, attribute: object, test: object = None, *wanted: Any) -> list[Any]:
    return [one for one, yes in _select("rejectattr", value, attribute, test, wanted) if not yes]


# `default` is not among them: it is asked before the value is there (see `compiler`).
FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": _abs,
    "capitalize": _capitalize,
    "count": _length,
    "date": _date,
    "first": _first,
    "float": _float,
    "int": _int,
    "join": _join,
    "last": _last,
    "length": _length,
    "lower": _lower,
    "map": _map,
    "max": _largest,
    "min": _smallest,
    "rejectattr": _rejectattr,
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "selectattr": _selectattr,
    "sort": _sort,
    "string": values.text,
    "sum": _sum,
    "time": _time,
    "title": _title,
    "trim": _trim,
    "truncate": _truncate,
    "unique": _unique,
    "upper": _upper,
}

TESTS: Mapping[Any, Callable[..., bool]] = {
    "defined": lambda value: True,
    "divisibleby": lambda value, by: values.arithmetic("%")(value, by) == 0,
    "eq": lambda value, other: values.compared("==", value, other),
    "equalto": lambda value, other: values.compared("==", value, other),
    "even": lambda value: values.arithmetic("%")(value, 2) == 0,
    "ge": lambda value, other: values.compared(">=", value, other),
    "gt": lambda value, other: values.compared(">", value, other),
    "in": values.within,
    "le": lambda value, other: values.compared("<=", value, other),
    "lt": lambda value, other: values.compared("<", value, other),
    "ne": lambda value, other: values.compared("!=", value, other),
    "none": lambda value: value is None,
    "number": lambda value: values.kind(counted(value)) == "a number",
    "odd": lambda value: values.arithmetic("%")(value, 2) == 1,
    "string": lambda value: isinstance(value, str),
    "undefined": lambda value: False,
}
