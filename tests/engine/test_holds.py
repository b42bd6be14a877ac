"""What is held, and until when; and what is urgent before what is bulk."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from dingbell.bootstrap import Service, open_desk
from dingbell.domain.audience import Audience
from dingbell.errors import ConflictError, NotFoundError
from dingbell.operations import accounts, approvals, directory, runs, schedules
from dingbell.operations.context import Operations
from dingbell.store import rules
from dingbell.store.connection import transaction

from .conftest import RunService, Truth, final, until
from .given import as_account, order, overview, quiet_now, runs_of, send, soon, spec


async def two_accounts(desk: Operations) -> None:
    await accounts.add(desk, "ann")
    await accounts.add(desk, "bob")


async def state(desk: Operations, run_id: int) -> str:
    return str((await overview(desk, run_id))["state"])


async def test_a_send_to_everyone_waits_for_a_second_person(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    await two_accounts(desk)
    run_id = await send(desk, order("to all"), by="ann")
    found = await overview(desk, run_id)
    assert (found["state"], found["requested_by"]) == ("held", "ann")
    with pytest.raises(ConflictError, match="another person"):
        await approvals.approve_run(await as_account(desk, "ann"), run_id)
    with pytest.raises(NotFoundError, match="carl"):
        await approvals.approve_run(await as_account(desk, "carl"), run_id)
    assert await truth.calls() == []
    await approvals.approve_run(await as_account(desk, "bob"), run_id)
    assert (await final(desk, run_id))["state"] == "settled"
    assert len(await truth.rung()) == 40
    with pytest.raises(ConflictError, match="not held"):
        await approvals.approve_run(await as_account(desk, "bob"), run_id)


async def test_no_approval_is_asked_for_below_the_line_or_before_two_accounts_exist(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    await accounts.add(desk, "ann")
    assert await state(desk, await send(desk, order("one account"), by="ann")) != "held"
    await accounts.add(desk, "bob")
    assert await state(desk, await send(desk, order("few", "manager4220"), by="ann")) != "held"
    # On the local command line `--yes` is the approval.
    assert await state(desk, await send(desk, order("local"))) != "held"


async def test_a_schedule_is_approved_once_and_not_each_occurrence(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    await two_accounts(desk)
    everyone = spec({"every": "1s"}, "{{ due }}", to=Audience(everyone=True), prepare_ahead=0)
    async with transaction(desk.pool) as connection:
        ann = await as_account(desk, "ann")
        await schedules.store(ann, connection, "s", everyone, source="yaml", people=40)
    (held,) = (await until(lambda: runs_of(desk, "s")))[-1:]
    assert held["state"] == "held"
    assert held["reason"].startswith("approval")
    with pytest.raises(ConflictError, match="another person"):
        await approvals.approve_schedule(await as_account(desk, "ann"), "s")
    with pytest.raises(ConflictError, match="another person"):
        await approvals.approve_run(await as_account(desk, "ann"), held["id"])
    await approvals.approve_schedule(await as_account(desk, "bob"), "s")
    # What waited for the approval goes.
    assert (await final(desk, held["id"]))["state"] in ("settled", "skipped")

    async def settled() -> bool:
        return any(one["state"] == "settled" for one in await runs_of(desk, "s"))

    await until(settled)
    with pytest.raises(ConflictError, match="needs no approval"):
        await approvals.approve_schedule(await as_account(desk, "bob"), "s")
    await schedules.delete(desk, "s")
    states = {one["state"] for one in await runs_of(desk, "s") if one["state"] == "held"}
    assert states == set()


async def test_what_comes_due_in_quiet_hours_is_held_until_they_end(
    desk: Operations, service: Service, truth: Truth
) -> None:
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk))
    await schedules.put(desk, "s", spec(soon(desk, 1)), source="yaml")
    (held,) = await until(lambda: runs_of(desk, "s"))
    assert held["state"] == "held"
    assert held["reason"].startswith("quiet hours")
    until_ = datetime.fromisoformat(held["held_until"])
    assert timedelta(minutes=58) < until_ - desk.clock.now() < timedelta(minutes=61)
    async with transaction(desk.pool) as connection:
        # The hour passes, and the job that lets it go is lost.
        await rules.delete(connection, rules.QUIET_HOURS)
        await connection.execute("delete from dingbell_queue.jobs")
        await connection.execute("update runs set held_until = now() - interval '6 s'")
    assert (await final(desk, held["id"]))["state"] == "settled"
    assert await truth.rung() == {"manager4220": 1}


async def test_a_schedule_edited_while_it_is_held_says_its_new_words_in_the_morning(
    desk: Operations, service: Service, truth: Truth
) -> None:
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk))
    when = soon(desk, 0.5)
    await schedules.put(desk, "s", spec(when, "old words", prepare_ahead=0), source="yaml")
    (held,) = await until(lambda: runs_of(desk, "s"))
    await schedules.put(desk, "s", spec(when, "new words", prepare_ahead=0), source="yaml")
    (same,) = await runs_of(desk, "s")
    assert (same["id"], same["state"]) == (held["id"], "held")
    await approvals.approve_run(desk, held["id"])
    await final(desk, held["id"])
    (call,) = await truth.calls()
    assert call["msg"]["text"]["content"] == "new words"


async def test_what_is_held_before_its_instant_is_taken_back_by_an_edit(
    desk: Operations, service: Service, truth: Truth
) -> None:
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk))
    when = soon(desk, 40)
    await schedules.put(desk, "s", spec(when), source="yaml")
    (held,) = await until(lambda: runs_of(desk, "s"))
    assert held["state"] == "held"
    await schedules.put(desk, "s", spec(when, quiet_hours=False), source="yaml")
    (again,) = await until(lambda: runs_of(desk, "s"))
    assert again["state"] in ("due", "planned")
    await schedules.pause(desk, "s")
    assert await runs_of(desk, "s") == []


async def test_quiet_hours_may_skip_and_urgent_has_none(
    desk: Operations, service: Service, truth: Truth
) -> None:
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk, then="skip"))
    await schedules.put(desk, "skipped", spec(soon(desk, 1)), source="yaml")
    await schedules.put(desk, "loud", spec(soon(desk, 1), quiet_hours=False), source="yaml")
    (skipped,) = await until(lambda: runs_of(desk, "skipped"))
    assert skipped["state"] == "skipped"
    (loud,) = await until(lambda: runs_of(desk, "loud"))
    assert (await final(desk, loud["id"]))["state"] == "settled"
    urgent = await send(desk, order("urgent", "manager7675", priority="urgent"))
    assert (await final(desk, urgent))["state"] == "settled"
    assert await state(desk, await send(desk, order("quiet", "manager7675"))) == "skipped"


async def test_a_cool_down_can_be_canceled_and_ends_by_itself(
    desk: Operations, service: Service, truth: Truth
) -> None:
    cool_down = timedelta(seconds=2)
    stopped = await send(desk, order("stop me", "manager4220", cool_down=cool_down))
    assert await state(desk, stopped) == "held"
    assert await runs.cancel_all(desk) == (stopped,)
    goes = await send(desk, order("let me go", "manager4220", cool_down=cool_down))
    found = await final(desk, goes)
    assert found["state"] == "settled"
    (call,) = await truth.calls()
    assert call["received_at"] >= datetime.fromisoformat(found["due_at"]).timestamp()
    assert await state(desk, stopped) == "canceled"


async def test_bulk_that_waited_for_another_month_is_skipped_then(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await _spend(desk)
    bulk = await send(desk, order("stale", "manager4220", priority="bulk"))
    await until(lambda: _held(desk, bulk))
    async with desk.pool.acquire() as connection:
        await connection.execute(
            "update runs set due_at = due_at - interval '20 days', "
            "held_until = now() - interval '6 s'"
        )
    assert (await final(desk, bulk))["state"] == "skipped"
    assert await truth.calls() == []


async def _spend(desk: Operations) -> None:
    """Half of a small month is gone, and bulk is held from there on."""
    async with desk.pool.acquire() as connection:
        await connection.execute("update orgs set monthly_calls = 10, hold_bulk_at = 0.5")
        await connection.execute(
            "insert into spending select 'default', date_trunc('month', now() at time zone "
            "'Asia/Shanghai')::date, 'asyncsend_v2', 0, 5"
        )


async def test_bulk_is_held_above_the_line_its_org_has_drawn(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await _spend(desk)
    bulk = await send(desk, order("bulk", "manager4220", priority="bulk"))
    normal = await send(desk, order("normal", "manager4220"))
    assert (await final(desk, normal))["state"] == "settled"
    found = await until(lambda: _held(desk, bulk))
    assert found["reason"].startswith("budget")
    await approvals.approve_run(desk, bulk)
    assert (await final(desk, bulk))["state"] == "settled"


async def _held(desk: Operations, run_id: int) -> dict[str, Any] | None:
    found = await overview(desk, run_id)
    return found if found["state"] == "held" else None


async def test_what_is_urgent_does_not_wait_behind_a_large_run(
    desk: Operations, truth: Truth, run_service: RunService, settings: Any, database: Any
) -> None:
    slow = settings.model_copy(update={"people_per_minute": 20, "calls_per_second": 20})
    async with open_desk(slow, database=database) as at, run_service(at):
        await directory.synchronise(at, None)
        # 40 people at 20 a minute: the second half has its slots a minute later.
        large = await send(at, order("{{ person.userid }} large", priority="bulk"))

        async def half_sent() -> bool:
            return len(await truth.calls()) >= 19

        await until(half_sent)
        await asyncio.sleep(0.2)
        began = at.clock.now()
        urgent = await send(at, order("urgent", "manager4220", priority="urgent"))
        found = await final(at, urgent)
        assert found["state"] == "settled"
        sent = datetime.fromisoformat(found["deliveries"][0]["sent_at"])
        assert sent - began < timedelta(seconds=2)
        assert len(await truth.calls()) == 20
        await runs.cancel(at, large)
