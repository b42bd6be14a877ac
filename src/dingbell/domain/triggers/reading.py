"""A rule as an author writes it: exactly one kind of rule, and its limits beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.calendar.calendars import BUILT_IN, CN, Calendars, shipped
from dingbell.domain.calendar.company import DayRange
from dingbell.domain.calendar.festivals import canonical
from dingbell.domain.duration import parse_duration
from dingbell.domain.triggers import forms, rrule, times
from dingbell.domain.triggers.around import Around
from dingbell.domain.triggers.cron import Cron
from dingbell.domain.triggers.daily import Daily
from dingbell.domain.triggers.every import Every
from dingbell.domain.triggers.forms import RuleError
from dingbell.domain.triggers.limited import Excepted, Limited
from dingbell.domain.triggers.lunar import Lunar
from dingbell.domain.triggers.monthly import MonthDay, MonthWeekday, MonthWorkday
from dingbell.domain.triggers.once import Once
from dingbell.domain.triggers.several import AnyOf
from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown
from dingbell.domain.triggers.weekly import Weekly
from dingbell.domain.triggers.workday import Holiday, Workday
from dingbell.domain.triggers.yearly import Yearly
from dingbell.errors import InputError, Text

__all__ = ["KINDS", "parse_trigger"]

# Every kind of rule.
KINDS = (
    "daily",
    "cron",
    "every",
    "once",
    "workday",
    "holiday",
    "weekly",
    "monthly",
    "yearly",
    "lunar",
    "before",
    "after",
    "rrule",
    "any",
)
_LIMITS = ("from", "until", "except")
_MOST_RULES = 20
_DEEPEST = 3


def parse_trigger(
    when: Mapping[str, Any],
    *,
    zone: ZoneInfo,
    anchor: datetime,
    calendars: Calendars | None = None,
    calendar: str = CN,
) -> Trigger:
    """Read `{"daily": "16:00"}`, `{"workday": …}`, `{"cron": …}`, `{"any": [rule, rule]}` or such.

    Args:
        when: exactly one rule; beside it `from`, `until`, `except`.
        zone: where times of day are meant, and instants without an offset.
        anchor: what `every` counts from unless it says so itself.
        calendars: those that are known; None takes the company's own on trust.
        calendar: which of them says what a workday is.

    Raises:
        RuleError: it is no rule, more than one, or not valid.
        NotFoundError: it names a calendar that is not known.
    """
    return _Reading(zone, anchor, calendars, calendar).rule(when, 0)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a rule is read with."""

    zone: ZoneInfo
    anchor: datetime
    calendars: Calendars | None
    name: str

    def rule(self, when: Any, depth: int) -> Trigger:
        """One rule within its limits."""
        if not isinstance(when, Mapping):
            raise RuleError(Text("a rule must be a mapping", "规则必须是映射"))
        said = {key: value for key, value in when.items() if value is not None}
        limits = {key: said.pop(key) for key in _LIMITS if key in said}
        if len(said) != 1 or not said.keys() <= set(KINDS):
            raise RuleError(
                Text(
                    "when: write exactly one of {known} (found: {found})",
                    "when: 请只写 {known} 之一 (现为: {found})",
                ).format(
                    known=Text(", ".join(KINDS), "、".join(KINDS)),
                    found=", ".join(map(str, said)) or "-",
                )
            )
        ((kind, value),) = said.items()
        if kind == "any":
            return self._limited(self._several(value, depth), limits)
        if kind == "every":
            return self._limited(self._every(value, limits.pop("from", None)), limits)
        return self._limited(_READERS[kind](self, kind, value), limits)

    def _several(self, value: Any, depth: int) -> Trigger:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MOST_RULES:
            raise RuleError(
                Text(
                    "any: write a list of 1 to {most} rules", "any: 请写 1 到 {most} 条规则的列表"
                ).format(most=_MOST_RULES),
                ("any",),
            )
        if depth >= _DEEPEST:
            raise RuleError(Text("any: is nested too deeply", "any: 嵌套过深"), ("any",))
        rules = []
        for place, one in enumerate(value):
            try:
                rules.append(self.rule(one, depth + 1))
            except RuleError as error:
                raise RuleError(error.message, ("any", place, *error.field)) from None
        return rules[0] if len(rules) == 1 else AnyOf(tuple(rules))

    def _every(self, value: Any, origin: Any) -> Trigger:
        anchor = self.instant(origin, "from") if origin is not None else self.anchor
        return _placed("every", lambda: Every(parse_duration(value), anchor))

    def _limited(self, rule: Trigger, limits: Mapping[str, Any]) -> Trigger:
        if not limits:
            return rule
        since, until, excepted = (limits.get(key) for key in _LIMITS)
        start = self.instant(since, "from") if since is not None else None
        end = self.instant(until, "until", last=True) if until is not None else None
        if start is not None and end is not None and start > end:
            raise RuleError(
                Text("until: lies before from", "until: 早于 from"),
                ("until",),
            )
        left_out = self._excepted(excepted) if excepted is not None else Excepted()
        return Limited(rule, self.zone, start, end, left_out)

    def _excepted(self, written: Any) -> Excepted:
        ranges: list[DayRange] = []
        holidays: list[str] = []
        off: list[Calendar] = []
        for place, one in enumerate(written if isinstance(written, list | tuple) else [written]):
            if isinstance(one, Mapping):
                if one.keys() != {"calendar"}:
                    raise RuleError(_NO_EXCEPTION.format(value=dict(one)), ("except", place))
                off.append(self.calendar(str(one["calendar"])))
            elif self._is_holiday(one):
                holidays.append(canonical(one))
            else:
                ranges.append(_excepted_days(one, place))
        return Excepted(
            tuple(sorted(set(ranges), key=lambda one: (one.first, one.last))),
            tuple(sorted(set(holidays))),
            tuple(sorted(off, key=lambda one: one.name)),
            self.calendar(),
        )

    def _is_holiday(self, value: Any) -> bool:
        return isinstance(value, str) and canonical(value) in self.calendar().names

    def calendar(self, name: str | None = None) -> Calendar:
        """A calendar by its name; without one, the schedule's."""
        name = self.name if name is None else name
        if self.calendars is None and name not in BUILT_IN:
            return Calendar(name, lawful=True, years=frozenset())
        return (self.calendars or shipped()).named(name)

    def holiday(self, name: str, kind: str) -> str:
        """A holiday that the schedule's calendar has."""
        names = self.calendar().names
        on_trust = self.calendars is None and self.name not in BUILT_IN
        if name in names or on_trust:
            return name
        raise RuleError(
            Text(
                "{kind}: the calendar {calendar} has no holiday {name!r}: it has {known}",
                "{kind}: 日历 {calendar} 中没有节日 {name!r}: 现有 {known}",
            ).format(
                kind=kind,
                calendar=self.name,
                name=name,
                known=", ".join(sorted(names)) or "-",
            ),
            (kind, "holiday"),
        )

    def instant(self, value: Any, kind: str, *, last: bool = False) -> datetime:
        """An instant; a day alone is its beginning, or with `last` its end."""
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            if last and len(str(value).strip()) == len("2026-11-23"):
                found = datetime.combine(found.date(), time.max)
            if found.tzinfo is None:
                whole = found.replace(microsecond=0)
                shown = first_shown(whole, self.zone) + timedelta(microseconds=found.microsecond)
                return shown.astimezone(self.zone)
            return _sane(found)
        except (ValueError, OverflowError):
            raise RuleError(_NO_INSTANT.format(value=value), (kind,)) from None


def _placed(kind: str, make: Callable[[], Trigger]) -> Trigger:
    """Say of which rule an error is."""
    try:
        return make()
    except InputError as error:
        raise RuleError(error.message, (kind,)) from None


def _excepted_days(value: Any, place: int) -> DayRange:
    try:
        return DayRange.read(value)
    except InputError as error:
        words = Text("except: {words}", "except: {words}").format(words=error.message)
        raise RuleError(words, ("except", place)) from None


_NO_EXCEPTION = Text(
    "except: {value} is nothing that can be left out: write days, holidays, or {{calendar: NAME}}",
    "except: {value} 无法排除: 请写日期、节日, 或 {{calendar: 名称}}",
)
_NO_INSTANT = Text(
    "{value!r} is not an instant: write 2026-11-23 16:00 or 2026-11-23T16:00:00+08:00",
    "{value!r} 不是时刻: 请写 2026-11-23 16:00 或 2026-11-23T16:00:00+08:00",
)


def _sane(found: datetime) -> datetime:
    """Demand that an instant can be written in every zone."""
    found.astimezone(UTC)
    return found


def _text(value: object, kind: str) -> str:
    if isinstance(value, str):
        return value.strip()
    raise RuleError(
        Text(
            "{kind}: {value!r} must be written in quotes", "{kind}: {value!r} 要写在引号里"
        ).format(kind=kind, value=value),
        (kind,),
    )


def _daily(given: _Reading, kind: str, value: Any) -> Trigger:
    written = list(value) if isinstance(value, list | tuple) else [value]
    found = tuple(_text(one, kind) for one in written)
    return _placed(kind, lambda: Daily(found, given.zone))


def _cron(given: _Reading, kind: str, value: Any) -> Trigger:
    written = _text(value, kind)
    return _placed(kind, lambda: Cron(written, given.zone))


def _once(given: _Reading, kind: str, value: Any) -> Trigger:
    return Once(given.instant(value, kind))


def _times(kind: str, value: Any) -> tuple[str, ...]:
    try:
        return times.read(value)
    except InputError as error:
        words = Text("{kind}: {words}", "{kind}: {words}").format(kind=kind, words=error.message)
        raise RuleError(words, (kind,)) from None


def _workday(given: _Reading, kind: str, value: Any) -> Trigger:
    return Workday(_times(kind, value), given.zone, given.calendar())


def _day_off(given: _Reading, kind: str, value: Any) -> Trigger:
    return Holiday(_times(kind, value), given.zone, given.calendar())


def _weekly(given: _Reading, kind: str, value: Any) -> Trigger:
    form = forms.read(forms.WeeklyForm, kind, value)
    return Weekly(form.on, form.at, given.zone)


def _monthly(given: _Reading, kind: str, value: Any) -> Trigger:
    del kind
    match forms.read_monthly(value):
        case forms.MonthDayForm() as form:
            return MonthDay(form.day, form.at, given.zone, given.calendar(), form.shift)
        case forms.MonthWorkdayForm() as form:
            return MonthWorkday(form.workday, form.at, given.zone, given.calendar())
        case forms.MonthWeekdayForm() as form:
            return MonthWeekday(form.weekday, form.nth, form.at, given.zone)


def _yearly(given: _Reading, kind: str, value: Any) -> Trigger:
    form = forms.read(forms.YearlyForm, kind, value)
    return Yearly(form.on, form.at, given.zone, given.calendar(), form.shift)


def _lunar(given: _Reading, kind: str, value: Any) -> Trigger:
    form = forms.read(forms.LunarForm, kind, value)
    return Lunar(form.month, form.day, form.at, given.zone, form.leap)


def _around(given: _Reading, kind: str, value: Any) -> Trigger:
    form = forms.read(forms.AroundForm, kind, value)
    if (form.workdays is None) is (form.days is None):
        raise RuleError(
            Text(
                "{kind}: write exactly one of workdays, days", "{kind}: 请只写 workdays、days 之一"
            ).format(kind=kind),
            (kind,),
        )
    unit, count = ("days", form.days) if form.workdays is None else ("workdays", form.workdays)
    holiday = given.holiday(form.holiday, kind)
    return Around(
        "before" if kind == "before" else "after",
        holiday,
        "days" if unit == "days" else "workdays",
        count or 1,
        form.at,
        given.zone,
        given.calendar(),
    )


def _rrule(given: _Reading, kind: str, value: Any) -> Trigger:
    written = _text(value, kind)
    return _placed(kind, lambda: rrule.translated(written, given.zone))


# What reads each kind of rule that needs nothing but what stands below its name.
_READERS: dict[str, Callable[[_Reading, str, Any], Trigger]] = {
    "daily": _daily,
    "cron": _cron,
    "once": _once,
    "workday": _workday,
    "holiday": _day_off,
    "weekly": _weekly,
    "monthly": _monthly,
    "yearly": _yearly,
    "lunar": _lunar,
    "before": _around,
    "after": _around,
    "rrule": _rrule,
}
