"""Pay day: a slip for each, in words that no two share, beside a notice for all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.operations import directory, sending
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox
from dingbell.settings import Settings
from dingbell.tables import read

from .conftest import RunService, Truth, final
from .given import send

SLIP = {"text": "{{ person.name }}: 实发 {{ row.实发 }}, 共 {{ row['应发(元)'] - row.扣除 }}"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A pretend DingTalk of 305 people, who all can be reached."""
    async with Sandbox(people=305, seed=11) as running:
        yield running


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A pace at which hundreds of calls take no time."""
    return settings.model_copy(update={"calls_per_second": 300})


def slips(staff: list[dict[str, Any]]) -> str:
    """A pay slip for each, in words that no two share."""
    lines = ["工号,姓名,应发(元),扣除,实发"]
    for place, one in enumerate(staff):
        gross, off = Decimal("8000.10") + place * Decimal("1234.57"), Decimal("0.07")
        lines.append(f'{one["job_number"]},{one["name"]},"{gross:,}",{off},{gross - off}')
    return "\n".join(lines)


async def test_three_hundred_pay_slips_and_a_notice_for_all_are_exact(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await truth.post("limits", {"calls_per_second": 600})
    await directory.synchronise(desk, None)
    staff = (await truth.get("people"))["people"]
    paid = sorted(staff, key=lambda one: one["job_number"])[:300]
    one = sending.Order(None, Message(SLIP), rows=read(slips(paid).encode("gb18030"), "pay.csv"))
    forecast = await sending.outlook(desk, one)
    assert (forecast.calls, len(forecast.userids), forecast.notes) == (300, 300, ())
    everybody = Audience(users=tuple(one["userid"] for one in paid))
    common = sending.Order(everybody, Message({"text": "工资已发放"}))
    price = (await sending.outlook(desk, common)).calls
    assert price == 3
    async with run_service():
        first, second = await send(desk, one), await send(desk, common)
        found = [await final(desk, run_id, 60) for run_id in (first, second)]
    assert [one["state"] for one in found] == ["settled", "settled"]
    assert [len(one["batches"]) for one in found] == [300, 3]
    assert [sum(one["totals"].values()) for one in found] == [300, 300]
    assert (found[0]["rows"], found[0]["rows_version"]) == (f"send:{one.request_id}", 1)
    assert [len(call["delivered"]) for call in await truth.calls()].count(1) == 300
    for place, person in enumerate(paid):
        net = Decimal("8000.03") + place * Decimal("1234.57")
        words = f"{person['name']}: 实发 {net}, 共 {net}"
        phone = await truth.get(f"inbox/{person['userid']}")
        assert {one["msg"]["text"]["content"] for one in phone} == {words, "工资已发放"}
        assert len(phone) == 2
