"""Operations: who asks is kept, lists come page by page, runs by hand pass the same gates."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from dingbell.bootstrap import Service
from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.errors import InputError, PermissionDenied
from dingbell.operations import accounts, approvals, apps, directory, people, runs, schedules
from dingbell.operations.context import Operations
from dingbell.operations.run_views import RunView
from dingbell.store.connection import acquire, transaction

from .conftest import Truth, final, until
from .given import as_account, order, overview, send, shown_page, spec


async def actors(desk: Operations, run_id: int) -> set[str | None]:
    """Who moved a run to where it is, by the outbox."""
    async with acquire(desk.pool) as connection:
        rows = await connection.fetch(
            "select actor from outbox where run_id = $1 and noun = 'run'", run_id
        )
    return {row["actor"] for row in rows}


async def test_whoever_asks_stands_in_the_run_and_in_the_outbox(desk: Operations) -> None:
    await accounts.add(desk, "ann")
    ann = await as_account(desk, "ann")
    wait = timedelta(hours=1)
    mine = await send(ann, order("x", "manager4220", cool_down=wait))
    ours = await send(desk, order("y", "manager4220", cool_down=wait))
    await runs.cancel(ann, mine)
    await runs.cancel(desk, ours)
    assert (await overview(desk, mine))["requested_by"] == "ann"
    assert await actors(desk, mine) == {"ann"}
    assert (await overview(desk, ours))["requested_by"] == "cli"
    assert await actors(desk, ours) == {"cli"}


async def test_a_cause_is_told_in_the_readers_language(desk: Operations) -> None:
    await accounts.add(desk, "ann")
    ann = await as_account(desk, "ann")
    run_id = await send(ann, order("x", "manager4220", cool_down=timedelta(hours=1)))
    canceled = await runs.cancel(ann, run_id)
    assert canceled.why is not None
    assert canceled.why.zh == "由 ann 取消"
    told = canceled.to_json()
    assert told["reason"] == "canceled by ann"
    assert told["cause"] == {"kind": "canceled", "by": "ann"}


async def test_a_role_is_asked_for_and_accounts_have_roles(desk: Operations) -> None:
    with pytest.raises(InputError, match="no role"):
        await accounts.add(desk, "ann", ["chief"])
    for name in (" ", "cli", "a\0b"):
        with pytest.raises(InputError):
            await accounts.add(desk, name)
    await accounts.add(desk, "vera", ["viewer"])
    assert [(one.name, one.roles) for one in await accounts.listed(desk)] == [("vera", ("viewer",))]
    vera = await as_account(desk, "vera")
    assert (await runs.listed(vera)).items == ()
    with pytest.raises(PermissionDenied, match="sender"):
        await send(vera, order("x", "manager4220"))
    with pytest.raises(PermissionDenied):
        await schedules.put(vera, "s", spec({"daily": "16:00"}), source="yaml")
    with pytest.raises(PermissionDenied):
        await accounts.add(vera, "friend")


async def test_runs_come_page_by_page(desk: Operations) -> None:
    for number in range(5):
        await send(desk, order(f"x {number}", "manager4220", cool_down=timedelta(hours=1)))
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = await runs.listed(desk, limit=2, after=cursor, state="held")
        seen += [one.id for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    for wrong in ("x", "-1", "0", "9" * 30, "１"):
        with pytest.raises(InputError, match="no cursor"):
            await runs.listed(desk, after=wrong)


async def test_the_people_of_a_run_come_page_by_page_and_by_state_and_department(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("limits", {"reading_seconds": 1000})
    await directory.synchronise(desk, None)
    found = await final(desk, await send(desk, order("{{ person.name }}")))
    everybody = [(row["userid"]) for row in found["deliveries"]]
    assert len(everybody) == 40
    seen: list[str] = []
    after: str | None = None
    while True:
        page = await runs.show(desk, found["id"], limit=7, after=after)
        assert len(page.deliveries) <= 7
        assert len(page.batches) == 7
        assert page.totals == found["totals"]
        seen += [one.userid for one in page.deliveries]
        after = page.next
        if after is None:
            break
    assert seen == everybody
    behind = await runs.show(desk, found["id"], limit=7, after_batch=page.next_batch)
    assert [one.ordinal for one in behind.batches] == list(range(7, 14))
    for wrong in ("x", "W10", "WyJhIiwxXQ", "é", "[" * 9000):
        with pytest.raises(InputError, match="no cursor"):
            await runs.show(desk, found["id"], after=wrong)
    await _by_state_and_department(desk, found["id"], everybody)


async def _by_state_and_department(desk: Operations, run_id: int, everybody: list[str]) -> None:
    async with transaction(desk.pool) as connection:
        await connection.execute(
            "update deliveries set state = 'read' where userid = any($1)", everybody[:3]
        )
        rows = await connection.fetch("select dept_id, userid from memberships")
        top = await connection.fetchval("select dept_id from departments where parent_id is null")
    read = await shown_page(desk, run_id, runs.People("read"))
    assert set(everybody[:3]) <= set(read) < set(everybody)
    everyone = await shown_page(desk, run_id, runs.People(departments=(top,)))
    assert sorted(everyone) == sorted(everybody)
    leaf = next(row["dept_id"] for row in rows if row["dept_id"] != top)
    inside = {row["userid"] for row in rows if row["dept_id"] == leaf}
    below = await shown_page(desk, run_id, runs.People(departments=(leaf,)))
    assert inside <= set(below) < set(everybody)
    assert await shown_page(desk, run_id, runs.People(departments=(10**15,))) == []
    with pytest.raises(InputError, match="no state"):
        await runs.show(desk, run_id, runs.People("asleep"))
    out = io.StringIO()
    wanted = runs.People("read")
    assert await people.export(desk, run_id, "jsonl", out, wanted) == len(read)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["userid"] for one in told] == read
    assert {one["state"] for one in told} == {"read"}
    out = io.StringIO()
    headers = [header.zh for header in people.COLUMNS.values()]
    assert await people.export(desk, run_id, "csv", out, wanted, headers=headers) == len(read)
    assert out.getvalue().splitlines()[0].startswith("userid,姓名,状态")


def test_instants_of_a_view_carry_their_zone() -> None:
    now = datetime(2026, 11, 24, 16, 30, tzinfo=SHANGHAI)
    schema = RunView.model_json_schema(mode="serialization")
    assert schema["properties"]["due_at"]["type"] == "string"
    assert schema["properties"]["reason"]
    given: dict[str, Any] = dict.fromkeys(RunView.model_fields)
    view = RunView(
        **{
            **given,
            "id": 1,
            "kind": "send",
            "state": "due",
            "occurrences": 1,
            "totals": {},
            "due_at": now.astimezone(),
            "created_at": now,
        }
    )
    assert view.to_json()["due_at"] == "2026-11-24T16:30:00+08:00"


async def test_what_waits_for_an_approval_is_not_run_past_it(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    for name in ("ann", "bob"):
        await accounts.add(desk, name)
    ann, bob = await as_account(desk, "ann"), await as_account(desk, "bob")
    everyone = spec({"daily": "04:00"}, "to all", to=Audience(everyone=True))
    async with transaction(desk.pool) as connection:
        await schedules.store(ann, connection, "s", everyone, source="yaml", people=40)
    # Not even the local command line runs what nobody has approved.
    held = await schedules.run(desk, "s")
    assert (await runs.overview(desk, held)).state == "held"
    assert await truth.calls() == []
    await runs.cancel(desk, held)
    await approvals.approve_schedule(bob, "s")
    # It is approved to ring at its instants; that it rings now, too, is one more question.
    held = await schedules.run(ann, "s", people=40)
    found = await runs.overview(desk, held)
    assert (found.state, found.requested_by) == ("held", "ann")
    await approvals.approve_run(bob, held)
    assert sum((await final(desk, held))["totals"].values()) == 40


async def test_a_run_by_hand_is_told_of_words_that_are_said_twice_that_day(
    desk: Operations, service: Service, truth: Truth
) -> None:
    soon = desk.clock.now() + timedelta(seconds=30)
    local = soon.astimezone(SHANGHAI)
    await schedules.put(desk, "s", spec({"daily": f"{local:%H:%M:%S}"}), source="yaml")
    await schedules.put(desk, "dated", spec({"daily": "04:00"}, "{{ due }}"), source="yaml")
    first = await schedules.outlook_of_run(desk, "s")
    assert not first.question
    if local.date() == desk.clock.now().astimezone(SHANGHAI).date():
        (later,) = first.warnings
        assert f"{local:%H:%M:%S}" in later
    assert (await schedules.outlook_of_run(desk, "dated")).warnings == ()
    await final(desk, await schedules.run(desk, "s"))

    async def repeated() -> bool:
        again = await schedules.outlook_of_run(desk, "s")
        return any("1 of 1 people have had" in warning for warning in again.warnings)

    await until(repeated)


async def test_a_schedule_is_told_with_the_app_that_it_names(desk: Operations) -> None:
    assert desk.environment_app is not None
    for name in ("aaa", "zzz"):
        await apps.put(desk, name, desk.environment_app)
    await schedules.put(desk, "s", spec({"daily": "04:00"}, app="zzz"), source="yaml")
    (one,) = await schedules.listed(desk)
    assert one.app == "zzz"
    run_id = await schedules.run(desk, "s")
    assert (await runs.overview(desk, run_id)).app == "zzz"
