"""Calendars and schedules: what an import moves, what waits for a year, what files say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dingbell.config import apply as files
from dingbell.config.schema import Config
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.calendar.notice import Notice
from dingbell.errors import ConflictError, InputError
from dingbell.operations import approvals, calendars, doctor, schedules
from dingbell.operations.context import Operations

from .given import listed, runs_of, spec
from .test_schedules import at_virtual

# 2026-12-31 12:00 in Beijing, a Thursday; nothing of 2027 has been published.
EVE = datetime(2026, 12, 31, 4, tzinfo=UTC)
DAY = timedelta(days=1)
NEW_YEAR = Notice(
    2027,
    {date(2027, 1, day): "元旦" for day in (1, 2, 3)} | {date(2027, 10, 1): "国庆节"},
    {date(2027, 1, 9): "元旦"},
)


async def due(at: Operations, name: str) -> str:
    found = (await schedules.show(at, name)).next_due_at
    assert found is not None
    return found.isoformat()[:16]


async def causes(at: Operations, name: str) -> list[tuple[str, str, str | None]]:
    """(day, state, cause) of a schedule's runs, the oldest first."""
    return [
        (one["due_at"][:10], one["state"], (one["cause"] or {}).get("kind"))
        for one in reversed(await runs_of(at, name))
    ]


async def test_an_import_moves_what_was_prepared_by_the_weekdays(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, EVE)
    await schedules.put(at, "work", spec({"workday": "16:00"}), source="yaml")
    await schedules.put(at, "daily", spec({"daily": "16:00"}), source="yaml")
    clock.advance(timedelta(hours=27, minutes=59))  # a minute before 16:00 on Friday, 1 January
    await ticker.tick()
    await ticker.tick()
    assert ("2027-01-01", "due", None) in await causes(at, "work")

    before = await calendars.diff(at, "cn", [NEW_YEAR])
    (moved,) = before.moved
    assert moved.schedule == "work"
    assert [one.isoformat()[:10] for one in moved.added] == ["2027-01-09"]
    assert "2027-10-01" in [one.isoformat()[:10] for one in moved.removed]
    assert {one.day.isoformat(): one.workday for one in before.days} == {
        "2027-01-01": False,
        "2027-01-09": True,
        "2027-10-01": False,
    }
    assert await due(at, "work") == "2027-01-04T16:00"

    done = await calendars.import_(at, "cn", [NEW_YEAR], source="https://u:pw@x.cn/2027?token=1")
    assert done.versions == {2027: 1}
    assert ("2027-01-01", "due", None) not in await causes(at, "work")
    assert await due(at, "work") == "2027-01-04T16:00"
    assert ("2027-01-01", "due", None) in await causes(at, "daily")
    (source,) = [y for y in (await calendars.show(at, "cn", 2027)).years if y.year == 2027]
    assert (source.source, source.version) == ("https://x.cn/2027", 1)
    again = await calendars.import_(at, "cn", [NEW_YEAR], source="file")
    assert again.versions == {2027: 1}
    assert again.moved == ()
    shorter = Notice(2027, {date(2027, 1, 1): "元旦"}, {})
    assert (await calendars.import_(at, "cn", [shorter], source="file")).versions == {2027: 2}


async def test_a_schedule_may_wait_for_the_year_to_be_published(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, EVE)
    waiting = spec({"workday": "16:00"}, unknown_year="hold", misfire={"grace": "12h"})
    await schedules.put(at, "work", waiting, source="yaml")
    await schedules.put(at, "daily", spec({"daily": "16:00"}, unknown_year="hold"), source="yaml")
    for hours in (4, 28, 100):  # at 16:00 of Thursday, Friday, Monday
        clock.advance(EVE + timedelta(hours=hours) - clock.now())
        await ticker.tick()
        await ticker.tick()

    assert await causes(at, "work") == [
        ("2026-12-31", "due", None),
        ("2027-01-01", "held", "calendar_unknown"),
        ("2027-01-04", "held", "calendar_unknown"),
    ]
    assert {state for _, state, _ in await causes(at, "daily")} <= {"due", "skipped"}
    held = [one["id"] for one in await listed(at, schedule="work") if one["state"] == "held"]
    first, second = sorted(held)
    await approvals.approve_run(at, first)
    assert ("2027-01-01", "due", None) in await causes(at, "work")  # a person has let it go
    clock.advance(timedelta(hours=1))
    await calendars.import_(at, "cn", [NEW_YEAR], source="file")

    found = {one["id"]: one["state"] for one in await listed(at, schedule="work")}
    assert found[second] == "due"  # the calendar confirms it


async def test_what_the_calendar_does_not_confirm_is_skipped(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, EVE)
    waiting = spec({"workday": "16:00"}, unknown_year="hold")
    await schedules.put(at, "work", waiting, source="yaml")
    clock.advance(timedelta(hours=28))
    await ticker.tick()
    clock.advance(timedelta(minutes=5))
    await calendars.import_(at, "cn", [NEW_YEAR], source="file")

    assert await causes(at, "work") == [
        ("2026-12-31", "skipped", "misfire_grace"),
        ("2027-01-01", "skipped", "calendar_changed"),
    ]


async def test_what_has_come_and_was_not_seen_yet_is_not_lost_by_an_import(
    desk: Operations,
) -> None:
    at, clock, ticker = at_virtual(desk, EVE)
    await schedules.put(at, "work", spec({"workday": "16:00"}), source="yaml")
    clock.advance(timedelta(hours=4, minutes=10))
    await calendars.import_(at, "cn", [NEW_YEAR], source="file")
    assert await due(at, "work") == "2026-12-31T16:00"
    await ticker.tick()
    assert await causes(at, "work") == [("2026-12-31", "due", None)]
    assert await due(at, "work") == "2027-01-04T16:00"


async def test_a_file_brings_calendars_and_schedules_that_use_them(desk: Operations) -> None:
    at, _, _ = at_virtual(desk, EVE - 30 * DAY)
    message = {"text": "factory"}
    to = {"users": ["manager4220"]}
    config = {
        "calendars": {
            "line": {"base": "plant", "work": ["2026-12-05"]},
            "plant": {"off": {"2026-12-02..2026-12-04": "检修"}},
        },
        "schedules": {
            "shift": {
                "calendar": "line",
                "when": {"workday": "16:00"},
                "to": to,
                "message": message,
            },
            "before": {
                "calendar": "plant",
                "when": {"before": {"holiday": "检修", "workdays": 1, "at": "17:00"}},
                "to": to,
                "message": {"text": "stop"},
            },
        },
    }
    changes = await files.apply(at, Config.model_validate(config))

    assert [(one.kind, one.name) for one in changes] == [
        ("calendar", "plant"),
        ("calendar", "line"),
        ("schedule", "shift"),
        ("schedule", "before"),
    ]
    assert await due(at, "shift") == "2026-12-01T16:00"
    assert await due(at, "before") == "2026-12-01T17:00"
    upcoming = await schedules.preview(at, "shift", 2)
    assert [one.isoformat()[:10] for one in upcoming.instants] == ["2026-12-01", "2026-12-05"]
    assert str(upcoming.words) == "every workday 16:00 (calendar line); next Tue, Dec 1"
    assert await files.plan(at, Config.model_validate(config)) == []

    config["calendars"]["plant"] = {"off": {"2026-12-01..2026-12-04": "检修"}}
    await files.apply(at, Config.model_validate(config))
    assert await due(at, "shift") == "2026-12-05T16:00"
    with pytest.raises(ConflictError, match="is used by"):
        await calendars.delete(at, "plant")
    config["calendars"] = {}
    with pytest.raises(InputError):
        await files.plan(at, Config.model_validate(config), prune=True)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"calendars": {"cn": {}}}, "calendars.cn"),
        ({"calendars": {"a": {"base": "b"}, "b": {"base": "a"}}}, "calendars.a.base"),
    ],
)
async def test_calendars_that_cannot_be_built_are_refused(
    desk: Operations, config: dict[str, object], where: str
) -> None:
    with pytest.raises(InputError) as caught:
        await files.plan(desk, Config.model_validate(config))
    assert caught.value.where == where


async def test_a_rule_that_never_comes_due_is_refused_when_written(desk: Operations) -> None:
    never = spec({"weekly": {"on": "sat", "at": "09:00"}, "except": [{"calendar": "none"}]})
    with pytest.raises(InputError, match="no day from now on fits its rule"):
        await schedules.put(desk, "never", never, source="yaml")
    await schedules.put(desk, "never", spec({"daily": "09:00"}), source="yaml")
    with pytest.raises(InputError, match="no day from now on fits its rule"):
        await schedules.put(desk, "never", never, source="yaml")
    missing = spec({"workday": "09:00"}, calendar="mars")
    with pytest.raises(InputError, match="there is no calendar 'mars'"):
        await schedules.put(desk, "mars", missing, source="yaml")


async def test_who_plans_in_autumn_is_told_that_next_year_is_unknown(desk: Operations) -> None:
    async def told(now: datetime) -> tuple[list[str], str]:
        at, _, _ = at_virtual(desk, now)
        config = {
            "schedules": {
                "work": {
                    "when": {"workday": "16:00"},
                    "to": {"users": ["manager4220"]},
                    "message": {"text": "autumn"},
                }
            }
        }
        planned = await files.plan(at, Config.model_validate(config))
        (change,) = [one for one in planned if one.name == "work"]
        await schedules.put(at, "other", spec({"workday": "16:00"}), source="yaml")
        (check,) = [one for one in await doctor.examine(at) if one.name == "calendar"]
        return [str(one) for one in change.warnings], check.status

    warnings, status = await told(datetime(2026, 9, 30, tzinfo=UTC))
    assert (warnings, status) == ([], "ok")
    warnings, status = await told(datetime(2026, 10, 8, tzinfo=UTC))
    assert status == "warn"
    assert "2027 has not been published in calendar cn" in warnings[0]
    await calendars.import_(desk, "cn", [NEW_YEAR], source="file")
    assert await told(datetime(2026, 10, 8, tzinfo=UTC)) == ([], "ok")


async def test_the_calendars_are_listed_with_what_they_are_built_upon(desk: Operations) -> None:
    spec_ = CalendarSpec.model_validate({"base": "none", "weekend": ["sun"]})
    await calendars.put(desk, "plant", spec_)

    found = [(one.name, one.base, one.last_year) for one in await calendars.listed(desk)]
    assert found == [("cn", None, 2026), ("none", None, None), ("plant", "none", None)]
    assert (await calendars.show(desk, "plant", 2026)).workdays == 313
    with pytest.raises(InputError, match="weekends only"):
        await calendars.import_(desk, "none", [NEW_YEAR], source="file")
    await calendars.delete(desk, "plant")
    with pytest.raises(InputError, match="no calendar 'plant'"):
        await calendars.show(desk, "plant")
