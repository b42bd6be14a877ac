"""Conditions on what the directory knows of a person: `where: {title: 工程师}`.

Every value is kept as the text that was written. A number is compared as a number where the
attribute is one; a date is written 2026-01-31, and reads attributes that are dates or look like it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from dingbell.errors import InputError, Text
from dingbell.intake import name
from dingbell.meaning import Meaning, meanings
from dingbell.written import as_text

__all__ = ["Condition", "Where", "is_date", "is_number"]

_NUMBER = re.compile(r"[-+]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = 1_000
_MOST_VALUES = 10_000
_MOST_CONDITIONS = 20

_NO_VALUE = Text(
    "takes a text, a number, true or false, a list of them, or a comparison such as "
    "{gte: 2024-01-01}",
    "需要文本、数字、true 或 false、它们的列表, 或比较, 如 {gte: 2024-01-01}",
)
_NO_BOUND = Text(
    "compare with a number or a date, such as 3 or 2024-01-31",
    "请与数字或日期比较, 如 3 或 2024-01-31",
)
_NOTHING = Text("says no condition", "没有写条件")


def is_number(written: str) -> bool:
    """Whether a text is a number that can be compared."""
    return _NUMBER.fullmatch(written) is not None


def is_date(written: str) -> bool:
    """Whether a text is a date, such as 2026-01-31."""
    try:
        return _DATE.fullmatch(written) is not None and bool(date.fromisoformat(written))
    except ValueError:
        return False


def _value(given: object) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, date):
        return given.isoformat()
    if isinstance(given, int | float):
        return str(as_text(given))
    if not isinstance(given, str) or len(given) > _LONGEST:
        raise InputError(_NO_VALUE)
    return name(given)


def _values(given: object) -> tuple[str, ...]:
    listed = given if isinstance(given, list | tuple) else [given]
    if not listed or len(listed) > _MOST_VALUES:
        raise InputError(_NO_VALUE)
    return tuple(dict.fromkeys(_value(one) for one in listed))


def _bound(given: object) -> str:
    found = _value(given)
    if not (is_number(found) or is_date(found)):
        raise InputError(_NO_BOUND)
    return found


_Values = Annotated[tuple[str, ...], BeforeValidator(_values)]
_Bound = Annotated[str, BeforeValidator(_bound)]


@meanings(
    any_of=Meaning(Text("it is one of these", "是其中之一"), "[工程师, 设计师]"),
    not_=Meaning(
        Text("it is none of these, or not known", "不是其中任何一个, 或没有值"), "[实习生]"
    ),
    contains=Meaning(Text("it has this text inside", "包含这段文字"), "工程"),
    known=Meaning(Text("whether there is a value at all", "是否有值"), "true"),
    gt=Meaning(Text("it is more, or later", "大于, 或晚于"), '"3"'),
    gte=Meaning(Text("it is at least this, or not before", "不小于, 或不早于"), '"2024-01-01"'),
    lt=Meaning(Text("it is less, or earlier", "小于, 或早于"), '"10"'),
    lte=Meaning(Text("it is at most this, or not after", "不大于, 或不晚于"), '"2024-12-31"'),
    anniversary=Meaning(
        Text("the due day is an anniversary of this date", "发送当天是该日期的周年"), "true"
    ),
    lunar_anniversary=Meaning(
        Text(
            "the due day is an anniversary of it by the lunar calendar",
            "发送当天是该日期的农历周年",
        ),
        "true",
    ),
)
class Condition(BaseModel):
    """What has to be true of one attribute; several demands have to be true together.

    Attributes:
        any_of: it is one of these; written as the value itself, or as a list.
        not_: it is none of these, or is not known; written `not`.
        contains: it has this text somewhere inside.
        known: whether there is a value at all.
        gt: it is more than a number, or later than a date.
        gte: it is at least a number, or not before a date.
        lt: it is less than a number, or before a date.
        lte: it is at most a number, or not after a date.
        anniversary: the due day is an anniversary of this date. Of 29 February it is 28 February
            in common years.
        lunar_anniversary: the same in the lunar calendar. Of a leap month it is in the month of
            that number; of a 30th it is the last day where the month has 29.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    any_of: _Values = ()
    not_: _Values = Field(default=(), alias="not")
    contains: Annotated[str, Field(min_length=1, max_length=_LONGEST)] | None = None
    known: bool | None = None
    gt: _Bound | None = None
    gte: _Bound | None = None
    lt: _Bound | None = None
    lte: _Bound | None = None
    anniversary: Literal[True] | None = None
    lunar_anniversary: Literal[True] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: object) -> object:
        return given if isinstance(given, Mapping | cls) else {"any_of": _values(given)}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise InputError(_NOTHING)
        return self

    @model_serializer(mode="plain")
    def _as_written(self) -> Any:
        """The shortest form that reads back."""
        said = {
            "not" if key == "not_" else key: list(value) if isinstance(value, tuple) else value
            for key, value in self
            if value not in ((), None)
        }
        if said.keys() != {"any_of"}:
            return said
        return self.any_of[0] if len(self.any_of) == 1 else list(self.any_of)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """What editors are told: a value, a list of them, or demands."""
        value = {"type": ["string", "number", "boolean"]}
        return {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}, handler(core)]}

    @property
    def depends_on_day(self) -> bool:
        """Whether it is true on some days and not on others."""
        return bool(self.anniversary or self.lunar_anniversary)


def _some(where: Mapping[str, Condition]) -> Mapping[str, Condition]:
    if not where:
        raise InputError(_NOTHING)
    return where


def _attribute(given: str) -> str:
    found = name(given)
    if not found:
        raise InputError(Text("must not be empty", "不能为空"))
    return found


_Attribute = Annotated[str, Field(max_length=255), AfterValidator(_attribute)]
# Attribute → what has to be true of it; all of them together.
Where = Annotated[
    dict[_Attribute, Condition], Field(max_length=_MOST_CONDITIONS), AfterValidator(_some)
]
