"""Durations: read as people write them, written so that they are read the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dingbell.domain.duration import Duration, format_duration, parse_duration
from dingbell.errors import InputError


@given(st.timedeltas(timedelta(0), timedelta(days=366)))
def test_what_is_written_is_read_as_the_same_to_the_microsecond(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@given(st.timedeltas(timedelta(0), timedelta(days=366)))
def test_json_and_back_is_the_same(value: timedelta) -> None:
    adapter: TypeAdapter[timedelta] = TypeAdapter(Duration)

    assert adapter.validate_json(adapter.dump_json(value)) == value


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90", 90),
        (90, 90),
        (1.5, 1.5),
        ("45s", 45),
        ("30m", 1_800),
        ("2h", 7_200),
        ("1d", 86_400),
        ("1h30m", 5_400),
        (" 1H 30 M ", 5_400),
        ("1.5h", 5_400),
        ("0", 0),
        ("366d", 366 * 86_400),
        (timedelta(minutes=1), 60),
    ],
)
def test_people_write_it_in_many_ways(written: object, seconds: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "  ",
        "soon",
        "1x",
        "h",
        "1h30",
        "-5",
        "-5s",
        "1.2.3s",
        -1,
        "367d",
        10**400,
        "9" * 400,
        float("inf"),
        float("nan"),
        True,
        None,
        ["1h"],
        timedelta(seconds=-1),
    ],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(InputError, match="is not a duration"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(days=1, hours=2), "1d2h"),
        (timedelta(seconds=59.123456), "59.123456s"),
        (timedelta(microseconds=1), "0.000001s"),
    ],
)
def test_the_longest_unit_comes_first(value: timedelta, written: str) -> None:
    assert format_duration(value) == written
