"""Calendars: every day as the State Council decided it, what companies change, what is unknown."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest
from borax.calendars.festivals2 import FestivalLibrary
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dingbell.domain.calendar import festivals
from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.calendar.calendars import Calendars, shipped
from dingbell.domain.calendar.company import CalendarSpec, DayRange, in_order
from dingbell.domain.calendar.notice import Notice
from dingbell.errors import InputError, NotFoundError

DAY = timedelta(days=1)
CN = shipped().named("cn")
KNOWN = [date(2007, 1, 1) + DAY * passed for passed in range(7305)]
NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}


def test_every_day_of_twenty_years_is_what_the_state_council_decided() -> None:
    assert KNOWN[-1] == date(2026, 12, 31)
    wrong = [day for day in KNOWN if CN.is_workday(day) is not chinese_calendar.is_workday(day)]

    assert wrong == []


def test_every_holiday_of_twenty_years_has_its_name_and_every_make_up_day_is_listed() -> None:
    for day in KNOWN:
        is_off, name = chinese_calendar.get_holiday_detail(day)
        if is_off and name is not None:
            assert NAMES[name] in CN.holidays(day), day
        elif not is_off:
            assert CN.holidays(day) == (), day
        make_up = not is_off and day.weekday() >= 5
        assert (day in CN.work) is make_up, day


def test_a_year_that_is_not_published_is_unknown_and_follows_the_weekdays() -> None:
    assert CN.knows(2026)
    assert not CN.knows(2027)
    assert not CN.knows(2006)
    assert CN.is_workday(date(2027, 10, 1))  # a Friday
    assert not CN.is_workday(date(2027, 10, 2))


def test_a_holiday_is_one_where_only_days_off_interrupt_its_name() -> None:
    spans = CN.spans("国庆节", 2017)

    assert next(spans) == (date(2017, 10, 1), date(2017, 10, 8))  # 中秋 lies within
    assert next(CN.spans("端午节", 2011)) == (date(2011, 6, 4), date(2011, 6, 6))
    assert next(CN.spans("元旦", 2019)) == (date(2018, 12, 30), date(2019, 1, 1))
    assert next(CN.spans("中秋节", 2020)) == (date(2020, 10, 1), date(2020, 10, 1))


def test_a_holiday_of_an_unpublished_year_is_the_festival_itself() -> None:
    assert next(CN.spans("春节", 2027)) == (date(2027, 2, 5), date(2027, 2, 8))
    assert next(CN.spans("清明节", 2027)) == (date(2027, 4, 5), date(2027, 4, 5))
    assert CN.is_within(date(2027, 1, 1), "元旦")
    assert not CN.is_within(date(2027, 1, 2), "元旦")
    assert next(CN.spans("国庆节", 2027)) == (date(2027, 10, 1), date(2027, 10, 3))


def test_a_festival_falls_on_its_day_in_every_year_that_was_published() -> None:
    for name in festivals.NAMES:
        for year in range(2008, 2027):
            first, _ = festivals.days(name, year) or (date.min, date.min)
            # Until 2013 and in 2014 people worked on the eve of the spring festival.
            day = first + DAY if name == "春节" else first
            assert CN.is_within(day, name), (name, year)
            assert not CN.is_workday(day)


def test_clear_and_bright_is_when_borax_says_for_a_century() -> None:
    library = FestivalLibrary.load("basic")
    qingming = next(one for one in library if one.name == "清明")
    theirs = {
        day.solar.year: day.solar
        for day in qingming.list_days(date(1981, 1, 1), date(2099, 12, 31))
    }

    for year in range(1981, 2100):
        assert (festivals.days("清明节", year) or ())[0] == theirs[year], year


@pytest.mark.parametrize(
    ("said", "name"),
    [("国庆", "国庆节"), (" 五一 ", "劳动节"), ("National Day", "国庆节"), ("厂庆", "厂庆")],
)
def test_holidays_are_known_by_the_names_people_use(said: str, name: str) -> None:
    assert festivals.canonical(said) == name


@given(st.sampled_from(KNOWN[400:-400]), st.integers(1, 40))
@settings(max_examples=40)
def test_the_nth_workday_is_counted_day_by_day(day: date, steps: int) -> None:
    after, before = day, day
    for _ in range(steps):
        after += DAY
        while not chinese_calendar.is_workday(after):
            after += DAY
        before -= DAY
        while not chinese_calendar.is_workday(before):
            before -= DAY

    assert CN.next_workday(day, steps) == after
    assert CN.next_workday(day, -steps) == before


def test_a_calendar_without_workdays_has_no_next_one() -> None:
    resting = Calendar("rest", weekend=frozenset(range(7)))

    assert resting.next_workday(date(2026, 1, 1)) is None


def company(**spec: object) -> Calendar:
    return shipped().over({"factory": CalendarSpec.model_validate(spec)}).named("factory")


def test_a_company_changes_the_statutory_calendar() -> None:
    factory = company(
        off={"2026-12-24..2026-12-25": "厂庆", "2026-11-30": ""}, work=["2026-10-07", "2026-12-26"]
    )

    assert not factory.is_workday(date(2026, 12, 24))
    assert not factory.is_workday(date(2026, 11, 30))
    assert factory.is_workday(date(2026, 10, 7))
    assert factory.is_workday(date(2026, 12, 26))
    assert not factory.is_workday(date(2026, 10, 6))
    assert factory.is_workday(date(2026, 10, 10))  # 调休 of the base
    assert list(factory.spans("厂庆", 2026)) == [(date(2026, 12, 24), date(2026, 12, 25))]
    assert not factory.knows(2027)


def test_a_company_may_begin_with_weekends_alone_or_with_others() -> None:
    six_days = company(base="none", weekend=["sun"])

    assert six_days.is_workday(date(2026, 10, 3))
    assert not six_days.is_workday(date(2026, 10, 4))
    assert six_days.knows(2050)
    assert company(base="none", weekend=[]).is_workday(date(2026, 10, 4))


def test_calendars_are_built_upon_one_another_in_any_order() -> None:
    specs = {
        "line": CalendarSpec(base="plant", work={"2026-12-26": ""}),
        "plant": CalendarSpec(base="cn", off={"2026-12-25": ""}),
    }
    found = shipped().over(specs)

    assert list(in_order(specs)) == ["plant", "line"]
    assert found.names == ("cn", "line", "none", "plant")
    assert not found.named("line").is_workday(date(2026, 12, 25))
    assert found.named("line").is_workday(date(2026, 12, 26))
    with pytest.raises(NotFoundError, match="no calendar 'mars': there are cn, line, none, plant"):
        found.named("mars")


def test_calendars_in_a_circle_or_upon_nothing_are_refused() -> None:
    circle = {"a": CalendarSpec(base="b"), "b": CalendarSpec(base="a")}
    assert set(in_order(circle)) == {"a", "b"}
    with pytest.raises(InputError, match="not in a circle"):
        shipped().over(circle)
    with pytest.raises(InputError, match="there is no calendar 'mars'"):
        shipped().over({"a": CalendarSpec(base="mars")})
    # In the database they harm those that use them only.
    assert Calendars.of({**circle, "c": CalendarSpec()}, {}, strict=False).names == (
        "c",
        "cn",
        "none",
    )


def test_what_was_imported_stands_in_place_of_the_wheel_and_of_the_december_before() -> None:
    new_2026 = Notice(2026, {date(2026, 3, 2): "试验"}, {})
    new_2027 = Notice(2027, {date(2027, 1, 1): "元旦", date(2026, 12, 31): "元旦"}, {})
    known = Calendars.of({}, {"cn": [new_2026, new_2027]}).named("cn")

    assert not known.is_workday(date(2026, 3, 2))
    assert known.is_workday(date(2026, 10, 1))
    assert not known.is_workday(date(2026, 12, 31))
    assert known.knows(2027)
    assert next(known.spans("元旦", 2027)) == (date(2026, 12, 31), date(2027, 1, 1))
    assert known.is_workday(date(2025, 10, 11))  # other years are the wheel's


def test_a_calendar_of_imports_alone_lies_over_the_statutory_one() -> None:
    closing = Notice(2027, {date(2027, 7, 30): "停产"}, {})
    plant = Calendars.of({}, {"plant": [closing]}).named("plant")

    assert not plant.is_workday(date(2027, 7, 30))
    assert not plant.is_workday(date(2026, 10, 1))
    assert plant.knows(2027)


@given(st.dates(date(2000, 1, 1), date(2099, 1, 1)), st.integers(0, 40))
def test_days_are_read_as_they_are_written(first: date, more: int) -> None:
    found = DayRange(first=first, last=first + DAY * more)

    assert DayRange.read(str(found)) == found
    assert len(list(found.days())) == more + 1


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"off": ["2026-02-30"]}, "'2026-02-30' is no day"),
        ({"off": ["soon"]}, "is no day"),
        ({"off": 5}, "must be a list of days"),
        ({"off": ["2026-12-31..2026-12-01"]}, "must end after it begins"),
        ({"weekend": ["sunday"]}, "Input should be"),
        ({"holidays": []}, "Extra inputs"),
    ],
)
def test_a_calendar_that_does_not_work_says_why(spec: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CalendarSpec.model_validate(spec)
