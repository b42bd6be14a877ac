"""What an author may write for each rule, typed: `when: {KIND: form}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from dingbell.domain.calendar import festivals
from dingbell.domain.triggers import phrases, times
from dingbell.domain.triggers.months import Last, Shift
from dingbell.errors import InputError, Text
from dingbell.validation import faults, told

__all__ = [
    "AroundForm",
    "LunarForm",
    "MonthDayForm",
    "MonthWeekdayForm",
    "MonthWorkdayForm",
    "RuleError",
    "WeeklyForm",
    "YearlyForm",
    "read",
    "read_monthly",
]


class RuleError(InputError):
    """A rule does not work as written.

    Attributes:
        field: which part of `when` is wrong.
    """

    def __init__(self, message: Text, field: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.field = field


Times = Annotated[tuple[str, ...], BeforeValidator(times.read)]

_WEEKDAYS = {
    **{name: number for number, name in enumerate(phrases.WEEKDAYS)},
    **{
        f"{mark}{day}": number
        for mark in ("周", "星期")
        for number, day in enumerate("一二三四五六日")
    },
    "周天": 6,
    "星期天": 6,
}
_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS |= {name: number for number, name in enumerate(_FULL)}
F = TypeVar("F", bound=BaseModel)
_MONTH_DAY = re.compile(r"(\d{1,2})-(\d{1,2})", re.ASCII)
_A_LEAP_YEAR = 2000


def _weekday(value: Any) -> int:
    found = _WEEKDAYS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise InputError(
            Text(
                "{value!r} is no weekday: write mon, tue, wed, thu, fri, sat or sun",
                "{value!r} 不是星期: 请写 mon、tue、wed、thu、fri、sat 或 sun",
            ).format(value=value)
        )
    return found


def _several(value: Any) -> list[Any]:
    found = list(value) if isinstance(value, list | tuple) else [value]
    if not found:
        raise InputError(Text("must not be empty", "不能为空"))
    return found


def _weekdays(value: Any) -> tuple[int, ...]:
    return tuple(sorted({_weekday(one) for one in _several(value)}))


def _number_or_last(value: Any, most: int, words: Text) -> int | Last:
    if value == "last":
        return "last"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return int(value)
    raise InputError(words.format(value=value, most=most))


_NO_DAY = Text(
    "{value!r} is no day of a month: write 1 to {most}, or last",
    "{value!r} 不是日期: 请写 1 到 {most}, 或 last",
)
_NO_WORKDAY = Text(
    "{value!r} is not which workday of the month: write 1 to {most}, or last",
    "{value!r} 不是当月第几个工作日: 请写 1 到 {most}, 或 last",
)
_NO_NTH = Text(
    "{value!r} is not which one of the month: write 1 to {most}, or last",
    "{value!r} 不是当月第几个: 请写 1 到 {most}, 或 last",
)


def _days(value: Any) -> tuple[int | Last, ...]:
    found = {_number_or_last(one, 31, _NO_DAY) for one in _several(value)}
    return tuple(sorted(found, key=lambda one: 32 if one == "last" else one))


def _month_days(value: Any) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({_month_day(one) for one in _several(value)}))


def _month_day(value: Any) -> tuple[int, int]:
    found = _MONTH_DAY.fullmatch(str(value).strip())
    try:
        if found:
            day = date(_A_LEAP_YEAR, int(found[1]), int(found[2]))
            return day.month, day.day
    except ValueError:
        pass
    raise InputError(
        Text(
            "{value!r} is no day of a year: write MM-DD, such as 03-08",
            "{value!r} 不是一年中的日期: 请写 MM-DD, 例如 03-08",
        ).format(value=value)
    )


def _holiday(value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return festivals.canonical(value)
    raise InputError(
        Text("must be the name of a holiday, such as 国庆节", "请写节日名称, 例如 国庆节")
    )


class Form(BaseModel):
    """What stands below the name of a rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Times


class WeeklyForm(Form):
    """`{weekly: {on: [mon, thu], at: "09:00"}}`."""

    on: Annotated[tuple[int, ...], BeforeValidator(_weekdays)]


class MonthDayForm(Form):
    """`{monthly: {day: 5, at: "10:00", shift: next_workday}}`."""

    day: Annotated[tuple[int | Last, ...], BeforeValidator(_days)]
    shift: Shift | None = None


class MonthWorkdayForm(Form):
    """`{monthly: {workday: 3, at: "10:00"}}`."""

    workday: Annotated[
        int | Last, BeforeValidator(lambda value: _number_or_last(value, 23, _NO_WORKDAY))
    ]


class MonthWeekdayForm(Form):
    """`{monthly: {weekday: mon, nth: 1, at: "10:00"}}`."""

    weekday: Annotated[int, BeforeValidator(_weekday)]
    nth: Annotated[int | Last, BeforeValidator(lambda value: _number_or_last(value, 5, _NO_NTH))]


class YearlyForm(Form):
    """`{yearly: {on: "03-08", at: "09:00"}}`."""

    on: Annotated[tuple[tuple[int, int], ...], BeforeValidator(_month_days)]
    shift: Shift | None = None


class LunarForm(Form):
    """`{lunar: {month: 12, day: 23, at: "09:00", leap: skip}}`."""

    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int | Last, BeforeValidator(lambda value: _number_or_last(value, 30, _NO_DAY))]
    leap: Literal["skip", "both"] = "skip"


Count = Annotated[int, Field(ge=1, le=60)]


class AroundForm(Form):
    """`{before: {holiday: 国庆节, workdays: 1, at: "16:00"}}`, and the same with `after`."""

    holiday: Annotated[str, BeforeValidator(_holiday)]
    workdays: Count | None = None
    days: Count | None = None


def read(form: type[F], kind: str, value: Any) -> F:
    """Read what stands below the name of a rule.

    Raises:
        RuleError: it does not fit the form.
    """
    if not isinstance(value, Mapping):
        fields = ", ".join(name for name, one in form.model_fields.items() if one.is_required())
        raise RuleError(
            Text("{kind}: write a mapping with {fields}", "{kind}: 请写映射, 包含 {fields}").format(
                kind=kind, fields=fields
            ),
            (kind,),
        )
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise _refusal(kind, faults(error)) from None


def _refusal(kind: str, found: list[ErrorDetails]) -> RuleError:
    said = []
    for one in found:
        place = ".".join((kind, *(str(part) for part in one["loc"][:1])))
        said.append(
            Text("{place}: {words}", "{place}: {words}").format(place=place, words=told(one))
        )
    words = Text("; ".join(said), "; ".join(one.zh for one in said))
    return RuleError(words, (kind, *found[0]["loc"][:1]))


_MONTHLY: dict[str, type[MonthDayForm | MonthWorkdayForm | MonthWeekdayForm]] = {
    "day": MonthDayForm,
    "workday": MonthWorkdayForm,
    "weekday": MonthWeekdayForm,
}


def read_monthly(value: Any) -> MonthDayForm | MonthWorkdayForm | MonthWeekdayForm:
    """Read one of the three forms of `monthly`, by the one key that tells them apart.

    Raises:
        RuleError: it is none of them.
    """
    told_apart = [key for key in _MONTHLY if isinstance(value, Mapping) and key in value]
    if len(told_apart) != 1:
        raise RuleError(
            Text(
                "monthly: write exactly one of day (5, last), workday (3, last), weekday (mon, with"
                " nth: 1 or last), and at",
                "monthly: 请写且只写 day (5、last)、workday (3、last)、weekday (mon, 并写 nth: 1 "
                "或 last) 之一, 以及 at",
            ),
            ("monthly",),
        )
    return read(_MONTHLY[told_apart[0]], "monthly", value)
