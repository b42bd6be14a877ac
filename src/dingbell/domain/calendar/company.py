"""A company's own calendar, as its file says it: another one, and what is different."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.calendar.notice import Notice
from dingbell.errors import InputError, Text
from dingbell.meaning import Meaning, Notation, meanings

__all__ = ["CalendarSpec", "DayRange", "composed", "in_order"]

_DAY = timedelta(days=1)
_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s*(?:\.\.|~|/|至)\s*(\d{4}-\d{2}-\d{2}))?")
_LONGEST = 3_700
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class DayRange(BaseModel):
    """Days from one to another, both included; a single day is a range of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: date
    last: date

    def __str__(self) -> str:
        """The form it is written in."""
        same = self.first == self.last
        return self.first.isoformat() if same else f"{self.first}..{self.last}"

    @classmethod
    def read(cls, written: object) -> DayRange:
        """Read `2026-12-31` or `2026-12-24..2026-12-31`.

        Raises:
            InputError: it is neither, or ends before it begins.
        """
        found = _RANGE.fullmatch(str(written).strip())
        try:
            first = date.fromisoformat(found[1]) if found else None
            last = date.fromisoformat(found[2]) if found and found[2] else first
        except ValueError:
            first = last = None
        if first is None or last is None:
            raise InputError(_NO_DAY.format(written=str(written)))
        if not first <= last <= first + _LONGEST * _DAY:
            raise InputError(_BACKWARDS.format(written=str(written)))
        return cls(first=first, last=last)

    def days(self) -> Iterable[date]:
        """Every day of it."""
        return (self.first + _DAY * passed for passed in range((self.last - self.first).days + 1))


_NO_DAY = Text(
    "{written!r} is no day: write 2026-12-31, or 2026-12-24..2026-12-31 for several",
    "{written!r} 不是日期: 请写 2026-12-31, 多天写 2026-12-24..2026-12-31",
)
_BACKWARDS = Text(
    "{written!r} must end after it begins, within ten years",
    "{written!r} 的结束日期必须在开始日期之后, 且不超过十年",
)


def _ranges(value: Any) -> Any:
    """A list of days, or days with the name of each holiday."""
    if isinstance(value, Mapping):
        return {str(DayRange.read(days)): str(name) for days, name in value.items()}
    if isinstance(value, str | date):
        value = [value]
    if isinstance(value, list | tuple):
        return {str(DayRange.read(days)): "" for days in value}
    raise InputError(
        Text("must be a list of days", "必须是日期列表"),
    )


def _days_schema() -> dict[str, Any]:
    """What editors are told of days."""
    day = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"}
    return {
        "anyOf": [
            day,
            {"type": "array", "items": day},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ]
    }


# Days as they are written, and the name of the holiday of each, which may be empty.
Days = Annotated[dict[str, str], BeforeValidator(_ranges), Notation(_days_schema)]


@meanings(
    base=Meaning(
        Text(
            "what it changes: `cn`, the statutory calendar, `none`, which has weekends only, or "
            "another calendar of the file",
            "以哪个日历为基础: 法定日历 `cn`、只有周末的 `none`, 或文件中的另一个日历",
        ),
        "none",
    ),
    off=Meaning(
        Text(
            "days off beside those of the base, with names where they have one",
            "基础日历之外的休息日, 可注明名称",
        ),
        '{"2026-12-24..2026-12-26": "厂休"}',
    ),
    work=Meaning(
        Text("days that are worked although the base has them off", "基础日历休息但要上班的日子"),
        '["2026-12-27"]',
    ),
    weekend=Meaning(
        Text("weekdays that are off, in place of the base's", "每周休息日, 代替基础日历的周末"),
        "[sun]",
        default=Text("the base's", "同基础日历"),
    ),
)
class CalendarSpec(BaseModel):
    """A calendar that a company keeps.

    Attributes:
        base: what it changes: `cn`, the statutory calendar, `none`, which has weekends only, or
            another calendar of the file.
        off: days off beside those of the base: a list of days and ranges, or a mapping from them
            to the name of the holiday.
        work: days that are worked although the base has them off.
        weekend: weekdays that are off, in place of the base's; `[]` for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = "cn"
    off: Days = {}
    work: Days = {}
    weekend: tuple[Weekday, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form it is stored and compared in."""
        return self.model_dump(mode="json", exclude_defaults=True)


def in_order(specs: Mapping[str, CalendarSpec]) -> dict[str, CalendarSpec]:
    """Calendars in an order in which each comes after the one it is built upon."""
    found: dict[str, CalendarSpec] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        base = specs[name].base
        if base in specs and base not in found and base not in above:
            add(base, (*above, name))
        found.setdefault(name, specs[name])

    for name in specs:
        add(name, (name,))
    return found


def composed(
    name: str, base: Calendar, spec: CalendarSpec | None, notices: Iterable[Notice] = ()
) -> Calendar:
    """A calendar over another: what was imported for it, and over that what the file says."""
    off, work = dict(base.off), dict(base.work)
    years = set(base.years) if base.years is not None else None
    for notice in sorted(notices, key=lambda one: one.year):
        _lay(off, work, notice.off, notice.work)
        if years is not None:
            years.add(notice.year)
    weekend = base.weekend
    if spec is not None:
        _lay(off, work, _named(spec.off), _named(spec.work))
        if spec.weekend is not None:
            weekend = frozenset(map(_WEEKDAYS.index, spec.weekend))
    known = frozenset(years) if years is not None else None
    return Calendar(name, off, work, weekend, known, base.lawful)


def _lay(
    off: dict[date, str], work: dict[date, str], more: Mapping[date, str], less: Mapping[date, str]
) -> None:
    """Lay days over those of a calendar."""
    for day, name in more.items():
        off[day] = name or off.get(day, "")
        work.pop(day, None)
    for day, name in less.items():
        work[day] = name
        off.pop(day, None)


def _named(days: Mapping[str, str]) -> dict[date, str]:
    return {day: name for written, name in days.items() for day in DayRange.read(written).days()}
