"""A run that fails, or reaches nobody, is an alert for as long as that lasts."""

from __future__ import annotations

from tests.engine.conftest import RunService, Truth, final
from tests.engine.given import order, send, spec

from dingbell.domain.alarms import Alarm, AlarmKind, Noun
from dingbell.operations import alerts, schedules
from dingbell.operations.context import Operations


async def test_a_schedule_whose_newest_run_failed_is_an_alert_until_one_does_better(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    lacking = spec({"daily": "04:00"}, "{{ person.nothing_of_the_kind }}")
    await schedules.put(desk, "s", lacking, source="yaml")
    async with run_service() as service:
        failing = await schedules.run(desk, "s")
        assert (await final(desk, failing))["state"] == "failed"
        await service.node._sentinel.look()
        (alert,) = await alerts.listed(desk)
        assert (alert.kind, alert.noun, alert.subject) == ("run_failed", "schedule", "s")
        await schedules.put(desk, "s", spec({"daily": "04:00"}, "mended"), source="yaml")
        await final(desk, await schedules.run(desk, "s"))
        await service.node._sentinel.look()
        assert await alerts.listed(desk) == ()


async def test_a_send_that_reaches_nobody_is_an_alert_with_its_totals(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service() as service:
        await final(desk, await send(desk, order("once", "manager4220")))
        again = await send(desk, order("once", "manager4220"))
        assert (await final(desk, again))["totals"] == {"dropped": 1}
        await service.node._sentinel.look()
        (alert,) = await alerts.listed(desk)
    assert (alert.kind, alert.noun, alert.subject) == (
        "nobody_reached", "run", str(again),
    )  # fmt: skip
    assert alert.detail == "nobody was reached: dropped 1"


def test_every_kind_of_alarm_has_a_sentence_in_both_languages() -> None:
    params = {
        "used": 1, "limit": 2, "seconds": 3.0, "late": "1s", "totals": {"failed": 1},
        "due": "2026-11-25T08:00:00+00:00", "en": "a", "zh": "甲", "state": "due",
        "since": "2026-11-25T08:00:00+00:00", "problem": "b",
    }  # fmt: skip
    said = [Alarm(kind, Noun.RUN, "1", params).text() for kind in AlarmKind]
    assert len({str(one) for one in said}) == len(AlarmKind)
    assert all(str(one) != one.zh for one in said)
    assert any("2026-11-25T16:00:00+08:00" in one for one in said)
