"""What is sent by hand lives in the service's zone, and every instant that is shown carries it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.engine.conftest import RunService, Truth, final
from tests.engine.given import order, send

from dingbell import display
from dingbell.cli.frame import moment
from dingbell.domain.gates import Gated, Hold, Rules, decide
from dingbell.domain.quiet import QuietHours
from dingbell.domain.run import Kind
from dingbell.operations import rules, runs
from dingbell.operations.context import Operations
from dingbell.store import rules as rule_rows

NEW_YORK = ZoneInfo("America/New_York")


async def test_quiet_hours_of_a_send_are_those_of_the_services_zone(
    desk: Operations, truth: Truth
) -> None:
    await rules.put(desk, rule_rows.TIMEZONE, {"name": "America/New_York"})
    there = desk.clock.now().astimezone(NEW_YORK)
    # Quiet in New York now; in Beijing it is twelve or thirteen hours later.
    hours = {
        "from": f"{there - timedelta(hours=1):%H:%M}",
        "to": f"{there + timedelta(hours=1):%H:%M}",
    }
    await rules.put(desk, rule_rows.QUIET_HOURS, hours)
    found = await runs.overview(desk, await send(desk, order("hello", "manager4220")))
    assert found.state == "held"


async def test_due_of_a_send_is_told_in_the_services_zone(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await rules.put(desk, rule_rows.TIMEZONE, {"name": "America/New_York"})
    async with run_service():
        await final(desk, await send(desk, order("{{ due|date('%z') }}", "manager4220")))
    (call,) = await truth.calls()
    offset = desk.clock.now().astimezone(NEW_YORK).strftime("%z")
    assert call["msg"]["text"]["content"] == offset


def test_a_follow_up_keeps_the_zone_of_its_parent() -> None:
    spec = order("x", "u").spec("America/New_York")
    due = datetime(2026, 11, 25, 23, 30, tzinfo=NEW_YORK)
    hours = QuietHours.model_validate({"from": "23:00", "to": "07:00"})
    held = decide(Gated(Kind.SEND, spec, due), due, Rules(hours))
    assert isinstance(held, Hold)
    assert held.until == due.replace(day=26, hour=7, minute=0)


@pytest.mark.parametrize(("name", "shown"), [("Asia/Shanghai", "+08:00"), ("UTC", "+00:00")])
def test_instants_are_shown_with_their_offset(name: str, shown: str) -> None:
    before = display.zone()
    display.show_in(ZoneInfo(name))
    try:
        assert moment(datetime(2026, 11, 25, 8, tzinfo=UTC)).endswith(shown)
    finally:
        display.show_in(before)
