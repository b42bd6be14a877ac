"""Rules by days: each does what somebody does who goes through a calendar day by day."""

from __future__ import annotations

import time as stopwatch
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from borax.calendars.lunardate import LunarDate as Borax
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.domain.calendar.calendars import shipped
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.triggers import (
    KINDS,
    AnyOf,
    Daily,
    RuleError,
    Trigger,
    instants,
    parse_trigger,
)
from dingbell.domain.triggers.every import EPOCH
from dingbell.errors import InputError, NotFoundError

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST = date(2007, 1, 1)
# Asking the oracles takes long: every day once.
WORKDAYS = {
    day
    for day in (FIRST + DAY * passed for passed in range(7305))
    if chinese_calendar.is_workday(day)
}
LUNAR = {
    day: (found.month, found.day, found.leap)
    for day in (FIRST + DAY * passed for passed in range(8200))
    if (found := Borax.from_solar(day))
}


def work(day: date) -> bool:
    return day in WORKDAYS


def rule(when: dict[str, Any], zone: ZoneInfo = SHANGHAI, **options: Any) -> Trigger:
    return parse_trigger(when, zone=zone, anchor=EPOCH, **options)


def days_of(trigger: Trigger, begin: date, end: date) -> list[date]:
    """The days on which a rule comes due, both ends included."""
    start = datetime.combine(begin, time(), SHANGHAI) - timedelta(microseconds=1)
    last = datetime.combine(end, time.max, SHANGHAI)
    found = takewhile(lambda one: one <= last, trigger.after(start))
    return [one.astimezone(SHANGHAI).date() for one in found]


def walked(fits: Callable[[date], bool], begin: date, end: date) -> list[date]:
    """The days that somebody finds who looks at every one of them."""
    every = (begin + DAY * passed for passed in range((end - begin).days + 1))
    return [day for day in every if fits(day)]


def last_of(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def nth_workday(day: date) -> int:
    return sum(work(day.replace(day=number)) for number in range(1, day.day + 1))


def is_last_workday(day: date) -> bool:
    later = (day.replace(day=number) for number in range(day.day + 1, last_of(day) + 1))
    return work(day) and not any(map(work, later))


def moved(day: date, step: int) -> date:
    while not work(day):
        day += DAY * step
    return day


def clamped(day: date, number: int) -> date:
    return day.replace(day=min(number, last_of(day)))


def comes_to(day: date, number: int, step: int) -> bool:
    """Whether the nth of this month, or of one beside it, is moved to a day."""
    middle = day.replace(day=15)
    return any(
        moved(clamped(one, number), step) == day
        for one in (middle - 30 * DAY, middle, middle + 30 * DAY)
    )


# Where the oracle knows the days around, too.
begins = st.dates(date(2007, 3, 1), date(2026, 1, 1))
numbers = st.integers(1, 31)
weekdays = st.integers(0, 6)

Case = tuple[dict[str, Any], Callable[[date], bool]]
cases: st.SearchStrategy[Case] = st.one_of(
    st.just(({"workday": "16:00"}, work)),
    st.just(({"holiday": "16:00"}, lambda day: not work(day))),
    st.sets(weekdays, min_size=1).map(
        lambda on: (
            {"weekly": {"on": [WEEKDAYS[one] for one in on], "at": "16:00"}},
            lambda day: day.weekday() in on,
        )
    ),
    numbers.map(
        lambda number: (
            {"monthly": {"day": number, "at": "16:00"}},
            lambda day: day == clamped(day, number),
        )
    ),
    st.just(({"monthly": {"day": "last", "at": "16:00"}}, lambda day: day.day == last_of(day))),
    st.tuples(numbers, st.sampled_from([("next_workday", 1), ("previous_workday", -1)])).map(
        lambda drawn: (
            {"monthly": {"day": drawn[0], "at": "16:00", "shift": drawn[1][0]}},
            lambda day: comes_to(day, drawn[0], drawn[1][1]),
        )
    ),
    st.integers(1, 23).map(
        lambda nth: (
            {"monthly": {"workday": nth, "at": "16:00"}},
            lambda day: work(day) and nth_workday(day) == nth,
        )
    ),
    st.just(({"monthly": {"workday": "last", "at": "16:00"}}, is_last_workday)),
    st.tuples(weekdays, st.integers(1, 5)).map(
        lambda drawn: (
            {"monthly": {"weekday": WEEKDAYS[drawn[0]], "nth": drawn[1], "at": "16:00"}},
            lambda day: day.weekday() == drawn[0] and (day.day + 6) // 7 == drawn[1],
        )
    ),
    weekdays.map(
        lambda weekday: (
            {"monthly": {"weekday": WEEKDAYS[weekday], "nth": "last", "at": "16:00"}},
            lambda day: day.weekday() == weekday and day.day > last_of(day) - 7,
        )
    ),
    st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(
        lambda on: (
            {"yearly": {"on": f"{on:%m-%d}", "at": "16:00"}},
            lambda day: day.month == on.month and day == clamped(day, on.day),
        )
    ),
)


@given(cases, begins)
@settings(max_examples=150)
def test_a_rule_comes_due_on_the_days_that_a_person_would_find(case: Case, begin: date) -> None:
    when, fits = case
    end = begin + 200 * DAY

    assert days_of(rule(when), begin, end) == walked(fits, begin, end)


@given(st.integers(1, 12), st.integers(1, 30) | st.just("last"), st.booleans(), begins)
@settings(max_examples=60)
def test_a_lunar_rule_comes_due_on_the_days_that_borax_finds(
    month: int, number: int | str, again: bool, begin: date
) -> None:
    def fits(day: date) -> bool:
        here, of_month, leap = LUNAR[day]
        ends = LUNAR[day + DAY][1] == 1
        right = of_month == number or (ends and (number in ("last", 30)))
        return here == month and right and (again or not leap)

    when = {"lunar": {"month": month, "day": number, "at": "16:00"}}
    if again:
        when["lunar"]["leap"] = "both"
    end = begin + 800 * DAY

    assert days_of(rule(when), begin, end) == walked(fits, begin, end)


@given(
    st.sampled_from(["before", "after"]),
    st.sampled_from(["国庆节", "春节", "劳动节", "元旦"]),
    st.integers(1, 12),
    st.booleans(),
    st.integers(2008, 2025),
)
@settings(max_examples=120)
def test_days_before_and_after_a_holiday_are_counted(
    side: str, name: str, count: int, by_workdays: bool, year: int
) -> None:
    english = {
        "国庆节": "National Day",
        "春节": "Spring Festival",
        "劳动节": "Labour Day",
        "元旦": "New Year's Day",
    }[name]
    middle = {"国庆节": (10, 2), "春节": (2, 1), "劳动节": (5, 1), "元旦": (1, 1)}[name]
    about = date(year, *middle)
    own = [
        about + DAY * away
        for away in range(-25, 26)
        if chinese_calendar.get_holiday_detail(about + DAY * away) == (True, english)
    ]
    day, step = (own[0], -DAY) if side == "before" else (own[-1], DAY)
    left = count
    while left:
        day += step
        left -= work(day) if by_workdays else 1
    unit = "workdays" if by_workdays else "days"
    found = rule({side: {"holiday": name, unit: count, "at": "16:00"}})

    assert day in days_of(found, day - 100 * DAY, day + DAY)
    assert days_of(found, day, day + 250 * DAY)[0] == day


def test_new_years_eve_is_the_last_day_of_the_lunar_year_however_long_its_month_is() -> None:
    eve = days_of(
        rule({"lunar": {"month": 12, "day": "last", "at": "18:00"}}),
        date(2024, 1, 1),
        date(2032, 1, 1),
    )

    assert [day.isoformat() for day in eve[:3]] == ["2024-02-09", "2025-01-28", "2026-02-16"]
    assert eve == days_of(
        rule({"lunar": {"month": 12, "day": 30, "at": "18:00"}}),
        date(2024, 1, 1),
        date(2032, 1, 1),
    )


def test_a_leap_month_counts_where_it_is_asked_for() -> None:
    when: dict[str, Any] = {"lunar": {"month": 6, "day": 1, "at": "09:00"}}
    begin, end = date(2025, 1, 1), date(2025, 12, 31)

    assert days_of(rule(when), begin, end) == [date(2025, 6, 25)]
    when["lunar"]["leap"] = "both"
    assert days_of(rule(when), begin, end) == [date(2025, 6, 25), date(2025, 7, 25)]


RULES: list[dict[str, Any]] = [
    {"daily": ["09:00", "18:00"]},
    {"workday": "16:00"},
    {"holiday": ["08:00", "21:30:15"]},
    {"weekly": {"on": ["mon", "thu"], "at": "09:00"}},
    {"monthly": {"day": [5, "last"], "at": "10:00", "shift": "next_workday"}},
    {"monthly": {"workday": "last", "at": "10:00"}},
    {"monthly": {"weekday": "fri", "nth": 3, "at": "10:00"}},
    {"yearly": {"on": ["03-08", "10-24"], "at": "09:00"}},
    {"lunar": {"month": 12, "day": 23, "at": "09:00", "leap": "both"}},
    {"before": {"holiday": "国庆节", "workdays": 1, "at": "16:00"}},
    {"after": {"holiday": "春节", "days": 2, "at": "09:00"}},
    {"cron": "*/20 9-17 * * 1-5"},
    {"every": "45m"},
    {"rrule": "DTSTART:20200101T090000 RRULE:FREQ=MONTHLY;BYDAY=2TU"},
    {"any": [{"workday": "16:00"}, {"daily": "12:00", "until": "2027-06-30"}]},
    {"workday": "16:00", "from": "2026-01-05", "except": ["元旦", "2026-03-02..2026-03-06"]},
]
moments = st.datetimes(datetime(2012, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=UTC)
)


@given(st.sampled_from(RULES), moments, st.sampled_from(["Asia/Shanghai", "America/New_York"]))
@settings(max_examples=200)
def test_occurrences_increase_and_asking_from_each_gives_the_same(
    when: dict[str, Any], instant: datetime, zone: str
) -> None:
    trigger = rule(when, ZoneInfo(zone))
    found = list(instants(trigger, instant, 5))
    step_by_step: list[datetime] = []
    at = trigger.next_after(instant)
    while at is not None and len(step_by_step) < 5:
        step_by_step.append(at)
        at = trigger.next_after(at)

    assert found == step_by_step
    assert all(one.tzinfo is UTC for one in found)
    assert found == sorted(set(found))
    assert all(one > instant for one in found)
    again = rule(trigger.to_dict(), ZoneInfo(zone))
    assert again.to_dict() == trigger.to_dict()
    assert list(instants(again, instant, 5)) == found


@pytest.mark.parametrize("when", RULES)
def test_the_next_occurrence_costs_little(when: dict[str, Any]) -> None:
    trigger, costs = rule(when), []
    for passed in range(60):
        at = datetime(2026, 1, 1, tzinfo=UTC) + passed * timedelta(hours=91)
        begin = stopwatch.perf_counter()
        trigger.next_after(at)
        costs.append(stopwatch.perf_counter() - begin)

    # 50 µs are meant; the machine that tests may be ten times slower.
    assert sorted(costs)[30] < 500e-6


def test_several_rules_are_one_and_meet_once() -> None:
    both = rule({"any": [{"daily": "16:00"}, {"workday": "16:00"}, {"holiday": "09:00"}]})
    begin = datetime(2026, 10, 9, tzinfo=SHANGHAI)

    assert isinstance(both, AnyOf)
    assert [one.astimezone(SHANGHAI).isoformat()[5:16] for one in instants(both, begin, 5)] == [
        "10-09T16:00",
        "10-10T16:00",  # a Saturday that is worked
        "10-11T09:00",
        "10-11T16:00",
        "10-12T16:00",
    ]
    assert rule({"any": [{"daily": "16:00"}]}) == Daily(("16:00",), SHANGHAI)


def test_a_single_instant_among_several_is_still_due_within_the_grace() -> None:
    now = datetime(2026, 11, 23, 16, 10, tzinfo=SHANGHAI)
    both = rule({"any": [{"once": "2026-11-23 16:00"}, {"daily": "09:00"}]})

    assert both.first_due(now, timedelta(minutes=30)) == now - timedelta(minutes=10)
    assert both.first_due(now, timedelta(minutes=5)) == datetime(2026, 11, 24, 1, tzinfo=UTC)
    limited = rule({"once": "2026-11-23 16:00", "except": ["2026-11-23"]})
    assert limited.first_due(now, timedelta(minutes=30)) is None
    held = rule({"once": "2026-11-23 16:00", "from": "2026-11-01"})
    assert held.first_due(now, timedelta(minutes=30)) == now - timedelta(minutes=10)


def test_limits_include_their_days_and_leave_out_what_they_say() -> None:
    found = rule(
        {
            "daily": "09:00",
            "from": "2026-12-20",
            "until": "2027-01-03",
            "except": ["2026-12-22", "2026-12-24..2026-12-26", {"calendar": "none"}, "元旦"],
        }
    )

    assert [f"{day:%m-%d}" for day in days_of(found, date(2026, 1, 1), date(2028, 1, 1))] == [
        "12-21", "12-23", "12-28", "12-29", "12-30", "12-31",
    ]  # fmt: skip


def test_a_long_exception_is_passed_over_at_once() -> None:
    never = rule({"every": "1s", "except": ["2026-01-01..2035-12-30"]})
    begin = stopwatch.perf_counter()

    assert never.next_after(datetime(2026, 6, 1, tzinfo=UTC)) == datetime(
        2035, 12, 30, 16, tzinfo=UTC
    )
    assert stopwatch.perf_counter() - begin < 1


@pytest.mark.parametrize(
    "when",
    [
        {"weekly": {"on": "sat", "at": "09:00"}, "except": [{"calendar": "none"}]},
        {"daily": "09:00", "until": "2020-01-01"},
        {"yearly": {"on": "10-01", "at": "09:00"}, "except": ["2026-01-01..2035-12-31"]},
        {"before": {"holiday": "抗战胜利纪念日", "days": 1, "at": "09:00"}},
    ],
)
def test_a_rule_that_never_comes_due_says_so_in_bounded_time(when: dict[str, Any]) -> None:
    begin = stopwatch.perf_counter()
    found = rule(when).next_after(datetime(2026, 11, 25, tzinfo=UTC))

    assert stopwatch.perf_counter() - begin < 1
    assert found is None or found.year > 2035


def test_occurrences_in_a_year_that_is_not_published_are_told_apart() -> None:
    for when, unknown in [
        ({"workday": "16:00"}, 2027),
        ({"daily": "16:00"}, None),
        ({"monthly": {"day": 5, "at": "16:00"}}, None),
        ({"monthly": {"day": 5, "at": "16:00", "shift": "next_workday"}}, 2027),
        ({"yearly": {"on": "03-08", "at": "16:00"}}, None),
        ({"yearly": {"on": "03-08", "at": "16:00", "shift": "next_workday"}}, 2027),
        ({"daily": "16:00", "except": ["元旦"]}, 2027),
        ({"any": [{"daily": "16:00"}, {"workday": "16:00"}]}, None),
        ({"any": [{"daily": "09:00"}, {"workday": "08:00"}]}, 2027),
    ]:
        trigger = rule(when)
        found = trigger.next_after(datetime(2027, 1, 3, 16, tzinfo=UTC))
        assert found is not None
        assert trigger.unknown_year(found) == unknown, when
        before = trigger.next_after(datetime(2026, 2, 23, 16, tzinfo=UTC))
        assert before is not None
        assert trigger.unknown_year(before) is None
        assert bool(trigger.calendars) is (unknown is not None or "any" in when)
    eve = rule({"before": {"holiday": "元旦", "workdays": 1, "at": "16:00"}})
    assert eve.unknown_year(datetime(2026, 12, 31, 8, tzinfo=UTC)) == 2027
    assert eve.unknown_year(datetime(2025, 12, 31, 8, tzinfo=UTC)) is None


def test_rules_ask_the_calendar_of_the_schedule() -> None:
    known = shipped().over(
        {"factory": CalendarSpec.model_validate({"off": {"2026-12-24": "厂庆"}, "work": []})}
    )
    begin = datetime(2026, 12, 23, 12, tzinfo=UTC)
    workday = rule({"workday": "16:00"}, calendars=known, calendar="factory")
    before = {"before": {"holiday": "厂庆", "workdays": 1, "at": "16:00"}}

    assert workday.next_after(begin) == datetime(2026, 12, 25, 8, tzinfo=UTC)
    assert rule(before, calendars=known, calendar="factory").next_after(
        datetime(2026, 12, 1, tzinfo=UTC)
    ) == datetime(2026, 12, 23, 8, tzinfo=UTC)
    with pytest.raises(RuleError, match="the calendar cn has no holiday '厂庆'"):
        rule(before, calendars=known)
    with pytest.raises(NotFoundError, match="there is no calendar 'mars'"):
        rule({"workday": "16:00"}, calendars=known, calendar="mars")
    # Where the company's calendars are not known yet, they are taken on trust.
    assert rule(before, calendar="factory").to_dict() == before


@pytest.mark.parametrize(
    ("when", "said", "field"),
    [
        ({"workday": 16}, "workday: 16 must be written in quotes", ("workday",)),
        ({"workday": []}, "at least one time", ("workday",)),
        ({"weekly": "mon"}, "weekly: write a mapping with at, on", ("weekly",)),
        ({"weekly": {"on": "mon"}}, "weekly.at: is missing", ("weekly", "at")),
        ({"weekly": {"on": "moon", "at": "09:00"}}, "'moon' is no weekday", ("weekly", "on")),
        ({"weekly": {"on": [], "at": "09:00"}}, "must not be empty", ("weekly", "on")),
        ({"monthly": {"at": "09:00"}}, "exactly one of day", ("monthly",)),
        ({"monthly": {"day": 1, "workday": 1, "at": "09:00"}}, "exactly one of day", ("monthly",)),
        ({"monthly": {"day": 32, "at": "09:00"}}, "write 1 to 31, or last", ("monthly", "day")),
        ({"monthly": {"day": True, "at": "09:00"}}, "write 1 to 31", ("monthly", "day")),
        ({"monthly": {"workday": 24, "at": "09:00"}}, "write 1 to 23", ("monthly", "workday")),
        ({"monthly": {"weekday": "mon", "at": "09:00"}}, "nth: is missing", ("monthly", "nth")),
        (
            {"monthly": {"day": 5, "at": "09:00", "shift": "workday"}},
            "monthly.shift: must be 'next_workday' or 'previous_workday'",
            ("monthly", "shift"),
        ),
        ({"monthly": {"day": 5, "time": "09:00"}}, "is not known here", ("monthly", "at")),
        ({"yearly": {"on": "02-30", "at": "09:00"}}, "is no day of a year", ("yearly", "on")),
        ({"lunar": {"month": 13, "day": 1, "at": "09:00"}}, "at most 12", ("lunar", "month")),
        ({"lunar": {"month": 1, "day": 31, "at": "09:00"}}, "write 1 to 30", ("lunar", "day")),
        ({"before": {"holiday": "国庆节", "at": "09:00"}}, "exactly one of workdays", ("before",)),
        (
            {"after": {"holiday": "愚人节", "days": 1, "at": "09:00"}},
            "has no holiday '愚人节'",
            ("after", "holiday"),
        ),
        ({"after": {"holiday": "春节", "days": 0, "at": "09:00"}}, "at least 1", ("after", "days")),
        ({"any": {}}, "any: write a list of 1 to 20 rules", ("any",)),
        ({"any": []}, "any: write a list", ("any",)),
        ({"any": [{"daily": "9"}]}, "is not a time of day", ("any", 0, "daily")),
        (
            {"any": [{"any": [{"any": [{"any": [{"daily": "09:00"}]}]}]}]},
            "nested too deeply",
            ("any", 0, "any", 0, "any", 0, "any"),
        ),
        ({"any": ["daily"]}, "a rule must be a mapping", ("any", 0)),
        ({"daily": "9:00", "from": "2027-01-01", "until": "2026-01-01"}, "before from", ("until",)),
        ({"daily": "09:00", "except": ["soon"]}, "except: 'soon' is no day", ("except", 0)),
        ({"daily": "09:00", "except": [{"days": 1}]}, "that can be left out", ("except", 0)),
        ({"daily": "09:00", "until": "soon"}, "is not an instant", ("until",)),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_work_says_where_and_what_to_write(
    when: dict[str, Any], said: str, field: tuple[str | int, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        rule(when)
    assert isinstance(caught.value, RuleError)
    assert said in str(caught.value)
    assert caught.value.field == field
    assert caught.value.message.zh != str(caught.value)


def test_every_kind_of_rule_is_tried_here() -> None:
    assert {key for when in RULES for key in when} >= set(KINDS) - {"once"}


def test_a_time_that_a_zone_skips_stands_for_the_next_instant() -> None:
    found = rule({"monthly": {"day": 8, "at": "02:30"}}, ZoneInfo("America/New_York"))

    assert found.next_after(datetime(2026, 3, 1, tzinfo=UTC)) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_days_are_found_until_the_end_of_dates() -> None:
    late = datetime(9990, 1, 1, tzinfo=UTC)
    for when in RULES:
        if "any" in when or {"cron", "every", "daily"} & when.keys():
            continue
        found: Iterator[datetime] = islice(rule(when).after(late), 3)
        assert all(one > late for one in found)
