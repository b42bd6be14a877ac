"""What changes after a run was prepared reaches it: rules, audiences, a pause, a deletion."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.engine.conftest import RunService, Truth, final, until
from tests.engine.given import quiet_now, runs_of, soon, spec

from dingbell.domain.audience import Audience
from dingbell.domain.misfire import Misfire
from dingbell.domain.slots import Pace
from dingbell.operations import directory, schedules
from dingbell.operations.context import Operations
from dingbell.planning.revisit import revisit
from dingbell.store import audiences, rules
from dingbell.store.connection import acquire, transaction

TWO = Audience(users=("manager4220", "manager7675"))


async def planned(desk: Operations, name: str) -> int:
    """Wait until a schedule's next occurrence is planned; return its id."""

    async def there() -> int | None:
        found = await runs_of(desk, name)
        return found[0]["id"] if found and found[0]["state"] == "planned" else None

    found: int = await until(there)
    return found


async def test_who_comes_onto_the_deny_list_after_planning_is_taken_out_at_the_claim(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        await schedules.put(desk, "s", spec(soon(desk, 4), to=TWO), source="yaml")
        run_id = await planned(desk, "s")
        async with transaction(desk.pool) as connection:
            await rules.put(connection, rules.DENY, {"users": ["manager7675"]})
        found = await final(desk, run_id)
    assert await truth.rung() == {"manager4220": 1}
    denied = {d["userid"]: (d["state"], d["code"]) for d in found["deliveries"]}["manager7675"]
    assert denied == ("canceled", "denied")
    assert found["state"] == "settled"


async def test_a_run_of_whom_all_are_denied_after_planning_calls_nobody(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        await schedules.put(desk, "s", spec(soon(desk, 4), to=TWO), source="yaml")
        run_id = await planned(desk, "s")
        async with transaction(desk.pool) as connection:
            await rules.put(connection, rules.DENY, {"users": ["manager7675", "manager4220"]})
        found = await final(desk, run_id)
    assert await truth.calls() == []
    assert found["totals"] == {"canceled": 2}


async def test_an_audience_that_changes_after_planning_is_asked_again(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await directory.synchronise(desk, None)
    async with run_service():
        async with transaction(desk.pool) as connection:
            await audiences.put(connection, "inner", {"users": ["manager7675"]})
            await audiences.put(connection, "outer", {"audience": ["inner"]})
        to = Audience(audience=("outer",))
        await schedules.put(desk, "s", spec(soon(desk, 4), to=to), source="yaml")
        run_id = await planned(desk, "s")
        async with transaction(desk.pool) as connection:
            await audiences.put(connection, "inner", {"users": ["manager4220"]})
            assert await revisit(connection, desk.clock.now()) == 1
        await final(desk, run_id)
    assert await truth.rung() == {"manager4220": 1}


async def test_quiet_hours_that_are_set_after_planning_hold_what_is_prepared(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        await schedules.put(desk, "s", spec(soon(desk, 4)), source="yaml")
        run_id = await planned(desk, "s")
        async with transaction(desk.pool) as connection:
            await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk))
            await revisit(connection, desk.clock.now())

        async def held() -> bool:
            (found,) = await runs_of(desk, "s")
            return bool(found["id"] == run_id and found["state"] == "held")

        await until(held)
        async with transaction(desk.pool) as connection:
            await rules.delete(connection, rules.QUIET_HOURS)
            await revisit(connection, desk.clock.now())
        await final(desk, run_id)
    assert await truth.rung() == {"manager4220": 1}


@pytest.mark.parametrize(("catch_up", "sent"), [("latest", 1), ("all", 3), ("none", 0)])
async def test_of_several_held_in_one_quiet_span_catch_up_decides_which_are_sent(
    desk: Operations, truth: Truth, run_service: RunService, catch_up: str, sent: int
) -> None:
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk))
    often = spec(
        {"every": "1s"}, "{{ due|time('%H:%M:%S') }}", prepare_ahead=0,
        misfire=Misfire(catch_up=catch_up), overlap="allow",
    )  # fmt: skip
    async with run_service():
        await schedules.put(desk, "s", often, source="yaml")

        async def three() -> bool:
            return len(await runs_of(desk, "s")) >= 3

        await until(three)
        async with transaction(desk.pool) as connection:
            await connection.execute("update schedules set wake_at = null, next_due_at = null")
            await connection.execute(
                "delete from runs where id not in (select id from runs order by id limit 3)"
            )
            await rules.delete(connection, rules.QUIET_HOURS)
            await connection.execute("update runs set held_until = now() - interval '6 s'")

        async def over() -> bool:
            return all(one["state"] in ("settled", "skipped") for one in await runs_of(desk, "s"))

        await until(over)
    found = await runs_of(desk, "s")
    assert [one["state"] for one in reversed(found)] == ["skipped"] * (3 - sent) + [
        "settled"
    ] * sent
    assert len(await truth.calls()) == sent


@pytest.mark.parametrize("change", ["pause", "delete"])
async def test_a_pause_or_a_deletion_stops_what_is_being_sent(
    desk: Operations, truth: Truth, run_service: RunService, change: str
) -> None:
    await directory.synchronise(desk, None)
    slow = replace(desk, pace=Pace(calls_per_second=2))
    each = spec({"daily": "04:00"}, "{{ person.userid }}", to=Audience(everyone=True))
    async with run_service(slow):
        await schedules.put(slow, "s", each, source="yaml")
        run_id = await schedules.run(slow, "s")

        async def begun() -> bool:
            return len(await truth.calls()) >= 3

        await until(begun)
        await getattr(schedules, change)(slow, "s")
        found = await final(desk, run_id)
    assert found["state"] == "canceled"
    assert f"{change}d" in found["reason"]
    rung = await truth.rung()
    had = sum(count for state, count in found["totals"].items() if state != "canceled")
    assert 3 <= had <= 12
    assert len(rung) == had
    assert found["totals"]["canceled"] == 40 - had
    async with acquire(desk.pool) as connection:
        assert await connection.fetchval("select count(*) from batches where state = 'queued'") == 0
    assert found["cause"]["people"] == 40
