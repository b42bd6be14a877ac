"""Clocks: one that is corrected, one that stands still until it is moved."""

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.clock import SHANGHAI, SystemClock, VirtualClock

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_shanghai_is_the_home_zone() -> None:
    assert ZoneInfo("Asia/Shanghai") == SHANGHAI


def test_a_virtual_clock_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(START.astimezone(SHANGHAI))

    assert clock.now() == clock.now() == START
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    clock.advance(90 * SECOND)
    assert clock.now() == START + 90 * SECOND
    assert clock.monotonic() == before + 90


async def test_sleepers_wake_in_the_order_of_their_instants_and_not_before() -> None:
    clock = VirtualClock(START)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    tasks = [
        asyncio.create_task(sleeper(name, seconds))
        for name, seconds in (("c", 3), ("a", 1), ("b", 1), ("d", 4))
    ]
    await settle()
    clock.advance(SECOND - timedelta(microseconds=1))
    await settle()
    assert woken == []
    clock.advance(2 * SECOND + timedelta(microseconds=1))
    await settle()
    assert woken == ["a", "b", "c"]
    clock.advance(SECOND)
    await asyncio.gather(*tasks)
    assert woken == ["a", "b", "c", "d"]


async def test_a_sleeper_that_was_canceled_disturbs_nobody() -> None:
    clock = VirtualClock(START)
    gone = asyncio.create_task(clock.sleep(1))
    stays = asyncio.create_task(clock.sleep_until(START + SECOND))
    await settle()
    gone.cancel()
    await settle()

    clock.advance(SECOND)
    await stays

    assert gone.cancelled()


async def test_what_has_passed_is_not_waited_for() -> None:
    clock = VirtualClock(START)
    await clock.sleep_until(START)
    await clock.sleep(-1)
    await SystemClock().sleep_until(START - timedelta(days=365 * 50))


async def test_a_system_clock_sleeps_until_its_own_instant() -> None:
    clock = SystemClock()
    instant = clock.now() + timedelta(milliseconds=2)

    await clock.sleep_until(instant)

    assert clock.now() >= instant


def test_a_system_clock_is_aware_and_never_runs_backwards() -> None:
    clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_a_host_whose_clock_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.now()

    class SetAnHourForward(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr("dingbell.clock.datetime", SetAnHourForward)
    assert clock.now() - before < timedelta(minutes=1)
    assert abs(clock.correction + timedelta(hours=1)) < timedelta(minutes=1)


@given(
    st.timedeltas(timedelta(-1), timedelta(1)), st.timedeltas(timedelta(0), timedelta(seconds=2))
)
def test_another_clock_is_believed_but_for_the_travel_time(
    error: timedelta, travel: timedelta
) -> None:
    clock = SystemClock()
    middle = START + travel / 2

    clock.learn(middle + error, asked=START, answered=START + travel)

    within_doubt = abs(error) <= travel / 2 + timedelta(milliseconds=5)
    assert clock.offset == (timedelta(0) if within_doubt else error)


def test_what_was_learned_is_added_up() -> None:
    clock = SystemClock()
    for seconds in (30, -10):
        clock.learn(START + seconds * SECOND, asked=START, answered=START)

    assert clock.offset == 20 * SECOND
    assert clock.now() - SystemClock().now() == pytest.approx(
        20 * SECOND, abs=timedelta(milliseconds=500)
    )
