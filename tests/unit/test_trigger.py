"""Triggers: strictly increasing, strictly after, and what a clock on the wall would say."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.domain.triggers import (
    Cron,
    Daily,
    Every,
    Once,
    Trigger,
    instants,
    parse_trigger,
    parse_zone,
)
from dingbell.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
ANCHOR = datetime(2020, 1, 1, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)

# New York springs forward on 2026-03-08 at 02:00 and falls back on 2026-11-01 at 02:00.
SPRING = datetime(2026, 3, 8, 7, tzinfo=UTC)
AUTUMN = datetime(2026, 11, 1, 6, tzinfo=UTC)

# Zones whose clocks change at two, at midnight, by half an hour, by a whole day, and never.
ZONES = [
    SHANGHAI,
    NEW_YORK,
    ZoneInfo("America/Havana"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Pacific/Apia"),
    ZoneInfo("UTC"),
]

anytime = st.datetimes(*map(datetime.fromisoformat, ("2011-12-01", "2030-12-31"))).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
near_changes = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds),
    st.sampled_from([SPRING, AUTUMN, datetime(2011, 12, 30, 10, tzinfo=UTC)]),
    st.floats(-200_000, 200_000),
)
moments = anytime | near_changes
local_times = st.datetimes(*map(datetime.fromisoformat, ("2019-01-01", "2027-01-01")))
zones = st.sampled_from(ZONES)
times_of_day = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
intervals = st.timedeltas(timedelta(seconds=1), timedelta(days=40))
expressions = st.sampled_from(
    [
        "* * * * *",
        "*/7 * * * *",
        "0 */5 * * *",
        "30 2 * * *",
        "15,45 1-3 * * *",
        "0 9 * * 1-5",
        "59 23 L * *",
        "0 0 29 2 *",
        "*/13 * * * * *",
        "30 30 2 * * *",
        "0 15,45 1-3 * * *",
        "5 */10 * * * 1",
    ]
)
triggers = st.one_of(
    st.builds(Cron, expressions, zones),
    st.builds(
        Daily,
        st.lists(times_of_day, min_size=1, max_size=3).map(tuple),
        zones,
    ),
    st.builds(
        Every,
        intervals,
        st.builds(
            lambda naive, zone: naive.replace(tzinfo=zone),
            local_times,
            zones,
        ),
    ),
    st.builds(Once, anytime),
)


def wall_clock(at: time, zone: ZoneInfo, instant: datetime) -> datetime:
    """Watch a clock minute by minute until it shows a time, or passes it by, for the first time."""
    seen = instant.replace(second=0, microsecond=0)
    while True:
        before = seen.astimezone(zone).replace(tzinfo=None)
        seen += MINUTE
        here = seen.astimezone(zone)
        shown = here.replace(tzinfo=None, fold=0)
        if before < datetime.combine(shown.date(), at) <= shown and here.fold == 0:
            return seen


@given(triggers, moments, st.sampled_from([UTC, *ZONES]))
@settings(max_examples=300)
def test_occurrences_are_strictly_after_and_strictly_increasing(
    trigger: Trigger, instant: datetime, zone: ZoneInfo
) -> None:
    found = list(instants(trigger, instant.astimezone(zone), 6))

    assert all(one.tzinfo is UTC for one in found)
    assert all(earlier < later for earlier, later in pairwise([instant, *found]))


@given(triggers, moments)
def test_asking_again_from_each_occurrence_gives_the_same_sequence(
    trigger: Trigger, instant: datetime
) -> None:
    step_by_step: list[datetime] = []
    at = trigger.next_after(instant)
    while at is not None and len(step_by_step) < 5:
        step_by_step.append(at)
        at = trigger.next_after(at)

    assert list(islice(trigger.after(instant), 5)) == step_by_step


@given(triggers, moments, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_nothing_comes_between_an_instant_and_its_next_occurrence(
    trigger: Trigger, instant: datetime, wait: timedelta
) -> None:
    found = trigger.next_after(instant)
    if found is not None and instant + wait < found:
        assert trigger.next_after(instant + wait) == found


@given(times_of_day, st.sampled_from([SHANGHAI, NEW_YORK, ZONES[2], ZONES[3]]), moments)
@settings(max_examples=150)
def test_daily_does_what_a_watched_clock_says(at: str, zone: ZoneInfo, instant: datetime) -> None:
    expected = wall_clock(time.fromisoformat(at), zone, instant)

    assert Daily((at,), zone).next_after(instant) == expected


@given(times_of_day, zones, moments)
def test_daily_and_a_cron_of_five_or_six_fields_agree(
    at: str, zone: ZoneInfo, instant: datetime
) -> None:
    hour, minute = map(int, at.split(":"))
    daily = list(instants(Daily((at,), zone), instant, 4))

    assert list(instants(Cron(f"{minute} {hour} * * *", zone), instant, 4)) == daily
    assert list(instants(Cron(f"0 {minute} {hour} * * *", zone), instant, 4)) == daily


@given(
    st.sampled_from(["*", "*/15", "*/7", "0", "30"]),
    st.sampled_from(["*", "*/3"]),
    st.sampled_from([SHANGHAI, NEW_YORK]),
    moments,
)
@settings(max_examples=150)
def test_a_cron_with_wildcards_follows_real_time(
    minute: str, hour: str, zone: ZoneInfo, instant: datetime
) -> None:
    minutes = {"*": range(60), "*/15": range(0, 60, 15), "*/7": range(0, 60, 7)}.get(minute)
    hours = {"*": range(24), "*/3": range(0, 24, 3)}[hour]
    seen = instant.replace(second=0, microsecond=0) + MINUTE
    while True:
        here = seen.astimezone(zone)
        if here.hour in hours and here.minute in (minutes or [int(minute)]):
            break
        seen += MINUTE

    assert Cron(f"{minute} {hour} * * *", zone).next_after(instant) == seen
    assert Cron(f"0 {minute} {hour} * * *", zone).next_after(instant) == seen


@given(moments)
def test_six_fields_put_seconds_first(instant: datetime) -> None:
    found = Cron("*/20 * * * * *", SHANGHAI).next_after(instant)

    assert found is not None
    assert found.second % 20 == 0
    assert found - instant <= timedelta(seconds=20)
    assert Cron("15 30 16 * * *", SHANGHAI).next_after(instant) == Daily(
        ("16:30:15",), SHANGHAI
    ).next_after(instant)


@pytest.mark.parametrize(
    "trigger",
    [
        Daily(("02:30",), NEW_YORK),
        Daily(("2:30:45",), NEW_YORK),
        Cron("30 2 * * *", NEW_YORK),
        Cron("45 30 2 * * *", NEW_YORK),
    ],
)
def test_a_skipped_time_fires_at_the_next_valid_instant(trigger: Trigger) -> None:
    assert trigger.next_after(SPRING - timedelta(hours=1)) == SPRING
    following = trigger.next_after(SPRING)
    assert following is not None
    assert following.date() == SPRING.date() + timedelta(days=1)


@pytest.mark.parametrize(
    "trigger",
    [
        Daily(("01:30",), NEW_YORK),
        Cron("30 1 * * *", NEW_YORK),
        Cron("0 30 1 * * *", NEW_YORK),
    ],
)
def test_a_repeated_time_fires_once_at_its_first(trigger: Trigger) -> None:
    first = AUTUMN - timedelta(minutes=30)

    assert list(instants(trigger, first - timedelta(hours=1), 2)) == [
        first,
        datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
    ]


def test_seconds_are_wild_without_making_a_fixed_time_of_day_so() -> None:
    found = instants(Cron("*/30 59 1 * * *", NEW_YORK), AUTUMN - timedelta(minutes=30), 3)

    assert [one.astimezone(NEW_YORK).isoformat() for one in found] == [
        "2026-11-01T01:59:00-04:00",
        "2026-11-01T01:59:30-04:00",
        "2026-11-02T01:59:00-05:00",
    ]


def test_within_the_repeated_hour_the_repetition_does_not_fire() -> None:
    second_quarter_past_one = datetime(2026, 11, 1, 1, 15, fold=1, tzinfo=NEW_YORK)

    for trigger in (Cron("30 1 * * *", NEW_YORK), Daily(("01:30",), NEW_YORK)):
        assert trigger.next_after(second_quarter_past_one) == datetime(
            2026, 11, 2, 6, 30, tzinfo=UTC
        )


def test_two_skipped_times_fire_once_at_the_one_valid_instant() -> None:
    found = list(instants(Daily(("02:15", "02:45", "03:00"), NEW_YORK), SPRING - MINUTE, 2))

    assert found == [SPRING, datetime(2026, 3, 9, 6, 15, tzinfo=UTC)]


def test_a_day_that_a_zone_skips_altogether_fires_when_the_next_begins() -> None:
    apia = ZoneInfo("Pacific/Apia")
    skipped = datetime(2011, 12, 29, 12, tzinfo=apia)

    found = list(instants(Daily(("09:00",), apia), skipped, 2))

    assert [one.astimezone(apia).isoformat() for one in found] == [
        "2011-12-31T00:00:00+14:00",
        "2011-12-31T09:00:00+14:00",
    ]


def test_several_times_a_day_come_in_order_and_equal_ones_once() -> None:
    trigger = Daily(("18:00", "09:00", "9:00"), SHANGHAI)

    found = instants(trigger, datetime(2026, 11, 23, tzinfo=SHANGHAI), 3)

    assert [one.astimezone(SHANGHAI).isoformat() for one in found] == [
        "2026-11-23T09:00:00+08:00",
        "2026-11-23T18:00:00+08:00",
        "2026-11-24T09:00:00+08:00",
    ]


@given(intervals, local_times, zones, moments)
def test_every_is_elapsed_time_from_its_anchor_in_any_zone(
    interval: timedelta, naive: datetime, zone: ZoneInfo, instant: datetime
) -> None:
    anchor = naive.replace(tzinfo=zone)

    found = Every(interval, anchor).next_after(instant.astimezone(zone))

    assert found is not None
    elapsed = found - anchor.astimezone(UTC)
    assert elapsed % interval == timedelta(0)
    assert elapsed >= timedelta(0)
    assert found - instant <= interval or found == anchor


def test_every_hour_over_a_clock_change_is_an_hour() -> None:
    midnight = datetime(2026, 3, 8, tzinfo=NEW_YORK)

    found = list(instants(Every(timedelta(hours=1), midnight), midnight, 5))

    assert [after - before for before, after in pairwise(found)] == [timedelta(hours=1)] * 4


def test_every_begins_with_its_anchor() -> None:
    anchor = datetime(2030, 1, 1, tzinfo=UTC)

    assert Every(timedelta(hours=1), anchor).next_after(anchor - timedelta(days=9)) == anchor


def test_once_is_an_instant_that_comes_once() -> None:
    at = datetime(2026, 11, 23, 16, tzinfo=SHANGHAI)

    assert list(instants(Once(at), at - MINUTE, 3)) == [at]
    assert Once(at).next_after(at) is None


def test_once_in_the_repeated_hour_is_compared_by_real_time() -> None:
    first = datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)

    assert Once(first).next_after(first.replace(minute=15, fold=1)) is None


def test_a_day_that_never_comes_is_no_occurrence() -> None:
    fifth_monday_of_february_on_a_sixth_day = Cron("0 0 */5 2 MON#5", SHANGHAI)

    assert fifth_monday_of_february_on_a_sixth_day.next_after(ANCHOR) is None


def parse(when: dict[str, object], zone: ZoneInfo = SHANGHAI) -> Trigger:
    return parse_trigger(when, zone=zone, anchor=ANCHOR)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"daily": "16:00"}, Daily(("16:00",), SHANGHAI)),
        ({"daily": ["09:00", " 18:00 "]}, Daily(("09:00", "18:00"), SHANGHAI)),
        ({"daily": ("09:00",)}, Daily(("09:00",), SHANGHAI)),
        ({"cron": "0 9 * * *", "daily": None}, Cron("0 9 * * *", SHANGHAI)),
        ({"every": "15m"}, Every(timedelta(minutes=15), ANCHOR)),
        (
            {"every": 90, "from": "2026-11-23 16:00"},
            Every(timedelta(seconds=90), datetime(2026, 11, 23, 16, tzinfo=SHANGHAI)),
        ),
        ({"once": "2026-11-23 16:00"}, Once(datetime(2026, 11, 23, 16, tzinfo=SHANGHAI))),
        ({"once": "2026-11-23T08:00:00Z"}, Once(datetime(2026, 11, 23, 8, tzinfo=UTC))),
        (
            {"once": datetime(2026, 11, 23, 16)},  # noqa: DTZ001  as YAML gives it
            Once(datetime(2026, 11, 23, 16, tzinfo=SHANGHAI)),
        ),
    ],
)
def test_a_rule_is_read_in_its_zone(when: dict[str, object], expected: Trigger) -> None:
    assert parse(when) == expected


@given(triggers)
def test_what_a_trigger_writes_is_read_as_the_same_trigger(trigger: Trigger) -> None:
    again = parse_trigger(trigger.to_dict(), zone=getattr(trigger, "zone", SHANGHAI), anchor=ANCHOR)

    assert list(instants(again, ANCHOR, 3)) == list(instants(trigger, ANCHOR, 3))
    assert again.to_dict() == trigger.to_dict()


def test_once_at_a_skipped_time_is_the_next_valid_instant() -> None:
    assert parse({"once": "2026-03-08 02:30"}, NEW_YORK).next_after(ANCHOR) == SPRING


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({}, "exactly one of daily, cron, every, once"),
        ({"daily": "16:00", "cron": "* * * * *"}, "exactly one"),
        ({"fortnightly": "16:00"}, "found: fortnightly"),
        ({"daily": "16:00", "from": "soon"}, "is not an instant"),
        ({"daily": []}, "at least one time"),
        ({"daily": "25:00"}, "'25:00' is not a time of day"),
        ({"daily": "16:60"}, "is not a time of day"),
        ({"daily": "１６:００"}, "is not a time of day"),
        ({"daily": 960}, "must be written in quotes"),
        ({"cron": 5}, "must be written in quotes"),
        ({"cron": "* * * * * * *"}, "has 7 fields"),
        ({"cron": "61 * * * *"}, "is not valid: Bad minute"),
        ({"cron": "0 0 30 2 *"}, "is not valid: Bad day-of-month"),
        ({"every": "0.5s"}, "shortest interval is 1s"),
        ({"every": "soon"}, "is not a duration"),
        ({"every": "1h", "from": "soon"}, "is not an instant"),
        ({"once": "tomorrow"}, "is not an instant"),
        ({"once": "9999-12-31T23:59:59-08:00"}, "is not an instant"),
        ({"once": "0001-01-01 00:00"}, "is not an instant"),
    ],
)
def test_a_rule_that_is_none_says_what_to_write(when: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse(when)
    assert caught.value.message.zh != str(caught.value)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Asia", "a\0b"])
def test_an_unknown_zone_is_an_error_of_the_input(name: str) -> None:
    with pytest.raises(InputError, match="unknown time zone"):
        parse_zone(name)
