"""Recurrence rules of calendar programs: those that are understood do what dateutil does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.domain.triggers import Trigger, instants, parse_trigger
from dingbell.domain.triggers.every import EPOCH
from dingbell.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")


def rule(written: str, zone: ZoneInfo = SHANGHAI) -> Trigger:
    return parse_trigger({"rrule": written}, zone=zone, anchor=EPOCH)


def listed(values: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most, unique=True).map(
        lambda found: ",".join(map(str, found))
    )


def part(name: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.just("") | values.map(lambda value: f";{name}={value}")


weekdays = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
nths = st.builds("{}{}".format, st.sampled_from([1, 2, 3, 4, 5, -1, -2]), weekdays)
month_days = st.sampled_from([1, 5, 15, 28, 29, 30, 31, -1, -2, -31])
positions = st.sampled_from([1, 2, 3, -1, -2])
intervals = st.integers(1, 5)
months = listed(st.integers(1, 12))
ends = (
    st.just("")
    | st.integers(1, 30).map(lambda n: f";COUNT={n}")
    | st.just(";UNTIL=20271231T000000")
)
common = (part("INTERVAL", intervals), ends, part("WKST", weekdays))


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts, *common).map("".join)


rules = st.one_of(
    joined(
        st.just("FREQ=DAILY"),
        part("BYMONTH", months),
        part("BYMONTHDAY", listed(month_days)),
        part("BYDAY", listed(weekdays)),
    ),
    joined(
        st.just("FREQ=WEEKLY"),
        part("BYMONTH", months),
        part("BYDAY", listed(weekdays)),
    ),
    joined(
        st.just("FREQ=MONTHLY"),
        part("BYMONTH", months),
        part("BYMONTHDAY", listed(month_days)),
        part("BYDAY", listed(weekdays | nths)),
    ),
    joined(
        st.just("FREQ=MONTHLY"),
        st.builds(";BYDAY={};BYSETPOS={}".format, listed(weekdays), listed(positions, 2)),
    ),
    joined(
        st.just("FREQ=YEARLY"),
        part("BYMONTH", months),
        part("BYMONTHDAY", listed(month_days)),
        part("BYDAY", listed(weekdays)),
    ),
    joined(
        st.just("FREQ=YEARLY"),
        part("BYMONTH", months),
        part("BYDAY", listed(nths)),
    ),
)
starts = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(  # noqa: DTZ001
    lambda found: found.replace(microsecond=0)
)


@given(starts, rules, st.integers(-100, 500))
@settings(max_examples=60)
def test_what_is_understood_does_what_dateutil_does(
    start: datetime, written: str, passed: int
) -> None:
    text = f"DTSTART:{start:%Y%m%dT%H%M%S} RRULE:{written}"
    begin = start + timedelta(days=passed)
    ends = start + timedelta(days=1_500)
    # The oracle does not return on a rule that never comes due: it is not asked for more than this.
    more = "" if "UNTIL" in written or "COUNT" in written else f";UNTIL={ends:%Y%m%dT%H%M%S}"
    theirs = list(islice(rrulestr(written + more, dtstart=start).xafter(begin), 12))
    try:
        trigger = rule(text)
    except InputError:
        assert not theirs
        return
    ours = [
        one.astimezone(SHANGHAI).replace(tzinfo=None)
        for one in instants(trigger, begin.replace(tzinfo=SHANGHAI), 12)
    ]

    assert [one for one in ours if one < ends] == [one for one in theirs if one < ends]


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("DTSTART:20261201T090000\nRRULE:FREQ=DAILY", "2026-12-01T09:00:00+08:00"),
        ("DTSTART;TZID=Asia/Tokyo:20261201T090000 FREQ=DAILY", "2026-12-01T08:00:00+08:00"),
        ("DTSTART:20261201T090000Z RRULE:FREQ=DAILY", "2026-12-01T17:00:00+08:00"),
        ("dtstart:20261201T090015 rrule:freq=weekly;byday=we", "2026-12-02T09:00:15+08:00"),
    ],
)
def test_a_start_is_read_in_its_zone(written: str, first: str) -> None:
    found = rule(written).next_after(datetime(2026, 11, 1, tzinfo=UTC))

    assert found is not None
    assert found.astimezone(SHANGHAI).isoformat() == first


def test_an_end_without_a_zone_is_the_rules_and_a_day_is_meant_whole() -> None:
    office = rule(
        "DTSTART;TZID=Asia/Shanghai:20261201T090000 RRULE:FREQ=DAILY;UNTIL=20261203T090000"
    )
    whole = rule("DTSTART:20261201T090000 RRULE:FREQ=DAILY;UNTIL=20261203")
    zulu = rule("DTSTART:20261201T090000 RRULE:FREQ=DAILY;UNTIL=20261203T000000Z")

    for trigger, days in ((office, 3), (whole, 3), (zulu, 2)):
        assert len(list(trigger.after(datetime(2026, 11, 1, tzinfo=UTC)))) == days


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("RRULE:FREQ=DAILY", "write both"),
        ("DTSTART:20261201T090000", "write both"),
        ("DTSTART:20261201 RRULE:FREQ=DAILY", "DTSTART has no '20261201'"),
        ("DTSTART:20261301T090000 RRULE:FREQ=DAILY", "DTSTART has no"),
        ("DTSTART;TZID=Mars/Base:20261201T090000 FREQ=DAILY", "unknown time zone 'Mars/Base'"),
        ("DTSTART:20261201T090000 RRULE:FREQ=HOURLY", "FREQ=HOURLY is not supported"),
        ("DTSTART:20261201T090000 RRULE:FREQ=DAILY;BYHOUR=9", "BYHOUR is not supported"),
        ("DTSTART:20261201T090000 RRULE:FREQ=YEARLY;BYWEEKNO=3", "BYWEEKNO is not supported"),
        ("DTSTART:20261201T090000 RRULE:FREQ=YEARLY;BYYEARDAY=3", "BYYEARDAY is not supported"),
        ("DTSTART:20261201T090000 FREQ=DAILY EXDATE:20261202T090000", "EXDATE is not supported"),
        ("DTSTART:20261201T090000 FREQ=DAILY;COUNT=2;UNTIL=20270101", "COUNT with UNTIL"),
        ("DTSTART:20261201T090000 FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY with FREQ=WEEKLY"),
        ("DTSTART:20261201T090000 FREQ=DAILY;BYSETPOS=1", "BYSETPOS with FREQ=DAILY"),
        ("DTSTART:20261201T090000 FREQ=WEEKLY;BYDAY=1MO", "BYDAY=1MO with FREQ=WEEKLY"),
        ("DTSTART:20261201T090000 FREQ=DAILY;INTERVAL=0", "INTERVAL has no '0'"),
        ("DTSTART:20261201T090000 FREQ=DAILY;COUNT=x", "COUNT has no 'X'"),
        ("DTSTART:20261201T090000 FREQ=DAILY;BYDAY=XX", "BYDAY has no 'XX'"),
        ("DTSTART:20261201T090000 FREQ=DAILY;WKST=X", "WKST has no 'X'"),
        ("DTSTART:20261201T090000 FREQ=DAILY;UNTIL=soon", "UNTIL has no 'SOON'"),
        ("DTSTART:20261201T090000 FREQ=DAILY;FREQ=DAILY", "FREQ is not supported"),
        ("DTSTART:20261201T090000 FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day ever fits"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(written: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        rule(written)
    assert said in str(caught.value)
    assert caught.value.message.zh != str(caught.value)
