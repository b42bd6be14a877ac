"""Values in templates: text, numbers, dates, lists and people; what can be done with them.

Numbers are whole or exact decimals, so that 8000.10 stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Self

from dingbell.domain.templates.cells import Cell, counted
from dingbell.domain.templates.faults import MissingError, TemplateError
from dingbell.domain.templates.scope import bounded
from dingbell.errors import Text

__all__ = [
    "Named",
    "Number",
    "arithmetic",
    "attribute",
    "compared",
    "equal",
    "item",
    "kind",
    "number",
    "size",
    "text",
    "within",
]

Number = int | Decimal


class Named(str):
    """A name that is written as it is, and has fields beside: `schedule`, `schedule.name`."""

    __slots__ = ("fields",)

    fields: Mapping[str, Any]

    def __new__(cls, name: str, fields: Mapping[str, Any]) -> Self:
        """A name and what it has."""
        found = super().__new__(cls, name)
        found.fields = fields
        return found


_MANY = (list, tuple, Mapping)
# Beyond these nothing is a sum of money, a count or an id.
_LARGEST = 10**18
_MOST_PLACES = 40
_DATE_PARTS = frozenset({"year", "month", "day"})
_TIME_PARTS = frozenset({"hour", "minute", "second"})

_KINDS: tuple[tuple[type | tuple[type, ...], Text], ...] = (
    (type(None), Text("nothing", "空值")),
    (bool, Text("true or false", "真假值")),
    (str, Text("text", "文本")),
    ((int, float, Decimal), Text("a number", "数字")),
    (date, Text("a date", "日期")),
    (Mapping, Text("a record with fields", "含有字段的记录")),
    ((list, tuple), Text("a list", "列表")),
)
_SOMETHING = Text("something else", "其他内容")

_NOT_THERE = Text(
    "there is no {name}: write |default('…') where it may be missing",
    "没有 {name}: 可能缺失时请写 |default('…')",
)
_EMPTY = Text(
    "there is nothing to write: add |default('…') where it may be missing",
    "没有可写的内容: 可能缺失时请加 |default('…')",
)
_NOT_WRITTEN = Text("{kind} cannot be written out", "无法直接写出{kind}")
_NO_FIELDS = Text("{kind} has no {name}", "{kind}没有 {name}")
_NOT_NUMBERS = Text("{sign} takes numbers, not {kind}", "{sign} 只用于数字, 不能用于{kind}")
_TOO_LARGE = Text("the number is too large", "数字过大")
_NO_ZERO = Text("a number is divided by zero", "除数为零")
_NOT_ALIKE = Text(
    "{one} and {other} cannot be compared with {sign}", "{one}与{other}不能用 {sign} 比较"
)


def kind(value: object) -> Text:
    """What a value is, in words."""
    return next((words for types, words in _KINDS if isinstance(value, types)), _SOMETHING)


def size(value: object) -> int:
    """About how many steps it takes to go through a value once."""
    if isinstance(value, str):
        return 1 + (len(value) >> 6)
    return 1 + 2 * len(value) if isinstance(value, _MANY) else 1


def text(value: object) -> str:
    """How a value is written into a message.

    Raises:
        TemplateError: it is a list or a record, which have no words of their own.
        MissingError: it is nothing.
    """
    if isinstance(value, str):
        return bounded(value)
    if value is None:
        raise MissingError(_EMPTY)
    if isinstance(value, Decimal):
        return f"{_sane(value):f}"
    if isinstance(value, bool | float | date):
        return str(value)
    if isinstance(value, int):
        return str(_sane(value))
    raise TemplateError(_NOT_WRITTEN.format(kind=kind(value)))


def attribute(value: object, name: str) -> Any:
    """A field of a record, or a part of a date.

    Raises:
        MissingError: there is no such thing.
    """
    if isinstance(value, Mapping):
        try:
            return value[name]
        except KeyError:
            raise MissingError(_NOT_THERE.format(name=name)) from None
    if isinstance(value, Named) and name in value.fields:
        return value.fields[name]
    parts = _TIME_PARTS | _DATE_PARTS if isinstance(value, datetime) else _DATE_PARTS
    if isinstance(value, date) and name in parts:
        return getattr(value, name)
    raise MissingError(_NO_FIELDS.format(kind=kind(value), name=name))


def item(value: object, key: object) -> Any:
    """What stands in a list or a text at a place, or in a record under a name.

    Raises:
        MissingError: there is no such thing.
    """
    if isinstance(key, str):
        return attribute(value, key)
    if isinstance(value, str | list | tuple) and isinstance(key, int | slice):
        try:
            return value[key]
        except IndexError:
            raise MissingError(_NOT_THERE.format(name=f"[{key}]")) from None
    raise MissingError(_NO_FIELDS.format(kind=kind(value), name=f"[{kind(key)}]"))


def number(value: object, sign: str) -> Number:
    """A value as a number.

    Args:
        value: what it is.
        sign: what wants one, for the error.

    Raises:
        TemplateError: it is none.
    """
    value = counted(value)
    if isinstance(value, float):
        return _sane(Decimal(repr(value)))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _sane(value)
    raise TemplateError(_NOT_NUMBERS.format(sign=sign, kind=kind(value)))


def _sane(value: Number) -> Number:
    """A number that can be written out, and reckoned with at once."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -_MOST_PLACES or value.adjusted() >= 18:
            raise TemplateError(_TOO_LARGE)
    elif not -_LARGEST < value < _LARGEST:
        raise TemplateError(_TOO_LARGE)
    return value


def _floor(one: Number, other: Number) -> Number:
    if isinstance(one, int) and isinstance(other, int):
        return one // other
    return (Decimal(one) / Decimal(other)).to_integral_value(ROUND_FLOOR)


_SIGNS: Mapping[str, Callable[[Any, Any], Number]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: Decimal(one) / other,
    "//": _floor,
    "%": lambda one, other: one - other * _floor(one, other),
}


def arithmetic(sign: str) -> Callable[[object, object], Any]:
    """What a sign does with two numbers; `+` also joins two texts."""
    reckon = _SIGNS[sign]

    def done(one: object, other: object) -> Any:
        if sign == "+" and isinstance(one, str) and _are_words(one, other):
            return bounded(f"{one}{other}")
        first, second = number(one, sign), number(other, sign)
        if second == 0 and sign in ("/", "//", "%"):
            raise TemplateError(_NO_ZERO)
        return _sane(reckon(first, second))

    return done


def _are_words(one: str, other: object) -> bool:
    """Whether two values are joined by `+`: a cell that is a number is added to, never joined."""
    return isinstance(counted(one), str) and isinstance(counted(other), str)


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def compared(sign: str, one: Any, other: Any) -> bool:
    """Whether two values stand to one another as a sign says.

    Raises:
        TemplateError: they have no order.
    """
    if sign == "==":
        return equal(one, other)
    if sign == "!=":
        return not equal(one, other)
    one, other = _on_one_day(*_alike(one, other))
    if not _have_order(one, other):
        raise TemplateError(_NOT_ALIKE.format(one=kind(one), other=kind(other), sign=sign))
    return _ORDERS[sign](one, other)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same; a date is the same as an instant of its day."""
    if type(one) is Cell or type(other) is Cell:
        one, other = _alike(one, other)
    if type(one) is not type(other):
        one, other = _on_one_day(one, other)
    return bool(one == other)


def _alike(one: Any, other: Any) -> tuple[Any, Any]:
    """A cell is compared as a number with numbers and with other cells, else as text."""
    first, second = counted(one), counted(other)
    if isinstance(first, str) or isinstance(second, str):
        return one, other
    return first, second


def _on_one_day(one: Any, other: Any) -> tuple[Any, Any]:
    """A date and an instant are compared by their days."""
    if isinstance(one, datetime) and isinstance(other, date) and not isinstance(other, datetime):
        return one.date(), other
    if isinstance(other, datetime) and isinstance(one, date) and not isinstance(one, datetime):
        return one, other.date()
    return one, other


def _have_order(one: object, other: object) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return (one.tzinfo is None) == (other.tzinfo is None)
    return any(
        isinstance(one, types) and isinstance(other, types)
        for types in (str, (int, float, Decimal), date)
    )


def within(one: object, other: object) -> bool:
    """Whether a text, list or record contains something.

    Raises:
        TemplateError: the second is neither, or a text is asked for what is no text.
    """
    if isinstance(other, list | tuple | Mapping) or (
        isinstance(other, str) and isinstance(one, str)
    ):
        return one in other
    raise TemplateError(_NOT_ALIKE.format(one=kind(one), other=kind(other), sign="in"))
