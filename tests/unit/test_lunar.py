"""The lunar calendar of 1900 to 2100, against two oracles."""

from datetime import date, timedelta

import pytest
from borax.calendars.lunardate import LunarDate as Borax
from hypothesis import given
from hypothesis import strategies as st
from lunar_python import LunarYear

from dingbell.domain.calendar.lunar import (
    FIRST_YEAR,
    LAST_YEAR,
    LunarDate,
    days_in,
    from_solar,
    leap_month,
    to_solar,
)
from dingbell.errors import InputError

FIRST_DAY, LAST_DAY = date(1900, 1, 31), date(2101, 1, 28)
# A new moon falls within seconds of midnight, and the tables that borax follows differ.
CONTESTED = {(2089, 7), (2089, 8), (2097, 6), (2097, 7)}


def months(year: int) -> list[tuple[int, bool]]:
    """The months of a year, in order."""
    leap = leap_month(year)
    return [
        (month, late)
        for month in range(1, 13)
        for late in (False, True)
        if not late or month == leap
    ]


def test_every_month_of_two_centuries_is_that_of_lunar_python() -> None:
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        theirs = [
            (abs(month.getMonth()), month.isLeap(), month.getDayCount())
            for month in LunarYear.fromYear(year).getMonthsInYear()
        ]

        assert [(*month, days_in(year, *month)) for month in months(year)] == theirs, year


def test_every_month_of_two_centuries_but_two_begins_as_borax_says() -> None:
    differing = set()
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        for month, leap in months(year):
            day = to_solar(LunarDate(year, month, 1, leap))
            theirs = Borax.from_solar(day)
            if (theirs.year, theirs.month, theirs.day, bool(theirs.leap)) != (year, month, 1, leap):
                differing.add((year, month))

    assert differing == {(2089, 8), (2097, 7)}


def test_every_day_of_two_centuries_follows_the_one_before_and_comes_back() -> None:
    before = from_solar(FIRST_DAY)
    assert before == LunarDate(1900, 1, 1)
    day = FIRST_DAY
    while day < LAST_DAY:
        day += timedelta(days=1)
        here = from_solar(day)
        assert to_solar(here) == day
        assert here > before or (here.month, here.day, here.leap) in {
            (before.month, 1, True),
            (before.month + 1, 1, False),
            (1, 1, False),
        }
        before = here
    assert before == LunarDate(2100, 12, 29)


@given(st.dates(FIRST_DAY, LAST_DAY))
def test_a_day_reads_as_borax_reads_it(day: date) -> None:
    ours, theirs = from_solar(day), Borax.from_solar(day)

    if (ours.year, ours.month) not in CONTESTED:
        assert ours == (theirs.year, theirs.month, theirs.day, bool(theirs.leap))


@pytest.mark.parametrize(
    ("lunar", "day"),
    [
        (LunarDate(2026, 1, 1), "2026-02-17"),
        (LunarDate(2026, 8, 15), "2026-09-25"),
        (LunarDate(2026, 12, 29), "2027-02-05"),
        (LunarDate(2025, 6, 1, leap=True), "2025-07-25"),
        (LunarDate(2033, 11, 1, leap=True), "2033-12-22"),
        (LunarDate(2089, 8, 1), "2089-09-04"),
        (LunarDate(2097, 7, 1), "2097-08-07"),
    ],
)
def test_days_that_people_know(lunar: LunarDate, day: str) -> None:
    assert to_solar(lunar) == date.fromisoformat(day)
    assert from_solar(date.fromisoformat(day)) == lunar


def test_the_last_month_of_some_years_has_no_thirtieth_day() -> None:
    short = [year for year in range(2025, 2038) if days_in(year, 12) == 29]

    assert short == [2025, 2026, 2027, 2028, 2030, 2031]
    with pytest.raises(InputError, match="no day 30 in its month 12"):
        to_solar(LunarDate(2026, 12, 30))


def test_a_leap_month_that_a_year_has_not_has_no_days() -> None:
    assert days_in(2025, 6, True) > 0
    assert days_in(2026, 6, True) == 0
    with pytest.raises(InputError, match="leap month 6"):
        to_solar(LunarDate(2026, 6, 1, leap=True))


@pytest.mark.parametrize("day", [FIRST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1)])
def test_what_lies_outside_two_centuries_is_refused(day: date) -> None:
    with pytest.raises(InputError, match="1900 to 2100"):
        from_solar(day)


def test_there_is_no_thirteenth_month() -> None:
    with pytest.raises(InputError, match="no lunar month 13"):
        days_in(2026, 13)
