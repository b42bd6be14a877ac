"""Quiet hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from dingbell.clock import SHANGHAI
from dingbell.domain.quiet import QuietHours


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-24T{text}+08:00")


def ends(quiet: QuietHours, text: str) -> str | None:
    found = quiet.end_after(at(text), SHANGHAI)
    return f"{found.astimezone(SHANGHAI):%d %H:%M}" if found else None


def test_hours_over_midnight_end_on_the_next_morning() -> None:
    quiet = QuietHours.model_validate({"from": "22:00", "to": "07:30"})
    assert ends(quiet, "21:59") is None
    assert ends(quiet, "22:00") == "25 07:30"
    assert ends(quiet, "23:59") == "25 07:30"
    assert ends(quiet, "00:00") == "24 07:30"
    assert ends(quiet, "07:29") == "24 07:30"
    assert ends(quiet, "07:30") is None


def test_hours_of_one_day_end_on_that_day() -> None:
    quiet = QuietHours.model_validate({"from": "12:00", "to": "14:00"})
    assert ends(quiet, "11:59") is None
    assert ends(quiet, "12:30") == "24 14:00"
    assert ends(quiet, "14:00") is None


def test_the_hours_are_those_of_the_zone() -> None:
    quiet = QuietHours.model_validate({"from": "22:00", "to": "07:00"})
    assert quiet.end_after(at("23:00"), SHANGHAI) is not None
    assert quiet.end_after(at("23:00"), ZoneInfo("Europe/London")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": "22:00", "to": "22:00"},
        {"from": "24:00", "to": "07:00"},
        {"from": "9:00", "to": "10:00"},
        {"from": "09:00"},
        {"from": "09:00", "to": "10:00", "then": "drop"},
    ],
)
def test_what_is_no_span_of_hours_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        QuietHours.model_validate(wrong)


_TIMES = st.times().map(lambda t: t.replace(second=0, microsecond=0, tzinfo=None))


@given(_TIMES, _TIMES, st.integers(0, 366 * 86_400))
def test_the_end_lies_ahead_within_a_day_and_is_not_quiet(
    start: time, end: time, seconds: int
) -> None:
    assume(start != end)
    quiet = QuietHours.model_validate({"from": f"{start:%H:%M}", "to": f"{end:%H:%M}"})
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    found = quiet.end_after(now, SHANGHAI)
    if found is not None:
        assert timedelta(0) < found - now <= timedelta(days=1)
        assert quiet.end_after(found, SHANGHAI) is None
