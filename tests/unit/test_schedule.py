"""Schedules: what an author may write, every problem where it stands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.domain.triggers import Daily, Every, parse_zone

SPEC: dict[str, Any] = {
    "when": {"daily": "16:00"},
    "to": {"users": ["manager4220"]},
    "message": {"text": "Hello!"},
}


def spec(**changes: Any) -> ScheduleSpec:
    return ScheduleSpec.model_validate(SPEC | changes)


def problems(**changes: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        spec(**changes)
    return {
        ".".join(map(str, error["loc"])): error["msg"].removeprefix("Value error, ")
        for error in caught.value.errors()
    }


def test_the_defaults_are_the_documented_ones() -> None:
    made = spec()

    assert made.timezone == "Asia/Shanghai"
    assert (made.misfire.grace, made.misfire.catch_up) == (timedelta(minutes=30), "latest")
    assert made.overlap == "skip"
    assert made.prepare_ahead == timedelta(seconds=60)
    assert (made.tracking, made.on_ambiguous) == ("auto", "resend")
    assert made.trigger() == Daily(("16:00",), parse_zone("Asia/Shanghai"))
    assert Policies() == Policies(tracking="auto", on_ambiguous="resend")


def test_the_stored_form_is_what_differs_from_the_defaults() -> None:
    assert spec(misfire={"grace": "30m"}, overlap="skip").to_dict() == SPEC


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"message": None, "function": "app:off_work"},
        {"when": {"every": "1h", "from": datetime(2026, 11, 23, 16, tzinfo=UTC)}},
        {"when": {"once": "2026-11-23 16:00"}, "timezone": "America/New_York"},
        {"misfire": {"grace": "2h", "catch_up": "all"}, "expires_after": "1h30m"},
        {"to": {"departments": 2, "except": {"users": "a"}}, "prepare_ahead": 0},
    ],
)
def test_stored_and_read_again_is_the_same(changes: dict[str, Any]) -> None:
    stored = spec(**changes).to_dict()
    again = ScheduleSpec.model_validate(stored)

    assert again.to_dict() == stored
    assert again.trigger() == spec(**changes).trigger()


def test_every_counts_from_a_fixed_day_so_that_nothing_changes_when_it_is_written_again() -> None:
    trigger = spec(when={"every": "45m"}).trigger()

    assert trigger == Every(
        timedelta(minutes=45), datetime.fromisoformat("2020-01-01T00:00:00+08:00")
    )


def test_times_of_day_are_meant_in_the_zone_of_the_schedule() -> None:
    trigger = spec(timezone="UTC").trigger()

    assert trigger.next_after(datetime(2026, 11, 23, tzinfo=UTC)) == datetime(
        2026, 11, 23, 16, tzinfo=UTC
    )


@pytest.mark.parametrize(("expires_after", "grace"), [(None, 30), ("10m", 10), ("2h", 30), (0, 0)])
def test_what_is_useless_is_too_late(expires_after: object, grace: int) -> None:
    assert spec(expires_after=expires_after).grace() == timedelta(minutes=grace)


def test_all_wrong_fields_are_named_at_once() -> None:
    found = problems(
        when={"daily": "25:00"},
        timezone="Mars/Olympus",
        to={},
        message={"text": ""},
        overlap="never",
        prepare_ahead="2d",
        misfire={"grace": "soon"},
        colour="red",
    )

    assert found.keys() == {
        "when",
        "timezone",
        "to",
        "message",
        "overlap",
        "prepare_ahead",
        "misfire.grace",
        "colour",
    }
    assert found["when"] == "'25:00' is not a time of day: write HH:MM or HH:MM:SS"
    assert found["timezone"].startswith("unknown time zone 'Mars/Olympus'")
    assert found["prepare_ahead"] == "must be at most 1d"


def test_an_instant_is_checked_in_the_zone_of_the_schedule() -> None:
    first_of_all = {"once": "0001-01-01 00:00"}

    spec(when=first_of_all, timezone="UTC")
    assert "is not an instant" in problems(when=first_of_all)["when"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"message": None}, "write a message"),
        ({"function": "app:off_work"}, "write message or function, not both"),
    ],
)
def test_a_message_has_one_source(changes: dict[str, Any], said: str) -> None:
    assert problems(**changes) == {"": said}
