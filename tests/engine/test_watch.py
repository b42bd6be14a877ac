"""What is counted, kept and noticed: the budget, the archive, the sentinel, the status bar."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from dingbell.bootstrap import Service
from dingbell.domain.audience import Audience
from dingbell.domain.budget import READ_POLLS, Usage, poll_plan
from dingbell.domain.message import Message
from dingbell.errors import ConflictError, InputError
from dingbell.operations import (
    alerts,
    budgets,
    directory,
    doctor,
    people,
    runs,
    schedules,
    sending,
    statusbar,
)
from dingbell.operations.context import Operations
from dingbell.store import rules
from dingbell.store.connection import transaction
from dingbell.store.ledger import retention

from .conftest import RunService, Truth, final, until
from .given import SEND, listed, order, overview, runs_of, send, show, soon, spec


async def test_calls_are_counted_by_endpoint_and_run(
    desk: Operations, service: Service, truth: Truth
) -> None:
    # A throttled call costs nothing.
    await truth.post("faults", {"path": SEND, "errcode": 90018, "times": 1})
    await final(desk, await send(desk, order("one", "manager4220")))
    await schedules.put(desk, "s", spec(soon(desk, 1), "two"), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    found = await final(desk, run["id"])
    await runs.recall(desk, found["id"])
    await until(lambda: runs.recalled(desk, found["id"]))
    (month,) = await budgets.overview(desk)
    assert month.limit is None
    assert month.by_endpoint["asyncsend_v2"] == 2
    assert month.by_endpoint["recall"] == 1
    stats = await truth.get("stats")
    asked = sum(n for path, n in stats["calls"].items() if "getsend" in path)
    told = month.by_endpoint["getsendprogress"] + month.by_endpoint["getsendresult"]
    # The last look may be counted a moment later.
    assert asked - 2 <= told <= asked
    assert {one.schedule for one in month.by_schedule} == {"s", "send"}
    assert month.used == sum(month.by_endpoint.values())


async def test_the_months_forecast_adds_up_what_active_schedules_will_take(
    desk: Operations,
) -> None:
    await directory.synchronise(desk, None)
    everyone = Audience(everyone=True)
    await schedules.put(desk, "one text", spec({"every": "1h"}, to=everyone), source="yaml")
    await schedules.put(
        desk, "own text", spec({"every": "1h"}, "{{ person.name }}", to=everyone), source="yaml"
    )
    await schedules.put(desk, "resting", spec({"every": "1h"}), source="yaml")
    await schedules.pause(desk, "resting")
    (month,) = await budgets.overview(desk)
    coming = {one.schedule: one.calls for one in month.forecast.schedules}
    assert coming.keys() == {"one text", "own text"}
    # 40 people of one text are one call, of their own texts forty.
    assert coming["own text"] == 40 * coming["one text"] > 0
    assert month.forecast.calls == month.used + sum(coming.values())


@pytest.mark.parametrize(("used", "polls"), [(0, 8), (49, 8), (50, 3), (79, 3), (80, 1), (120, 1)])
def test_receipts_are_looked_at_less_often_when_calls_are_dear(used: int, polls: int) -> None:
    plan = poll_plan(Usage(used, 100))
    assert len(plan) == polls
    # A receipt is never lost to the 24 h window.
    assert plan[-1] == READ_POLLS[-1] < timedelta(hours=24)
    assert poll_plan(Usage(10**9, None)) == READ_POLLS


async def test_people_of_old_runs_are_forgotten_and_totals_are_kept(
    desk: Operations, service: Service, truth: Truth
) -> None:
    found = await final(desk, await send(desk, order("old", "manager4220", "nobody")))
    before = (await overview(desk, found["id"]))["totals"]
    async with transaction(desk.pool) as connection:
        assert await retention.forget(connection, desk.clock.now() - timedelta(days=1)) == 0
        assert await retention.forget(connection, desk.clock.now()) == 1
        assert await retention.forget(connection, desk.clock.now()) == 0
    shown = await show(desk, found["id"])
    assert shown["totals"] == before
    assert (shown["batches"], shown["deliveries"]) == ([], [])
    assert (await people.of_person(desk, "manager4220")).items == ()


async def test_the_archivist_leaves_alone_what_is_on_its_way(
    desk: Operations, service: Service, truth: Truth
) -> None:
    later = spec(soon(desk, 40))
    await schedules.put(desk, "later", later, source="yaml")
    await until(lambda: runs_of(desk, "later"))
    await service.node._archivist.forget()
    (run,) = await runs_of(desk, "later")
    assert run["state"] in ("due", "planned")


async def test_all_that_one_person_was_sent_is_told_newest_first(
    desk: Operations, service: Service, truth: Truth
) -> None:
    for text in ("first", "second"):
        await final(desk, await send(desk, order(text, "manager4220", "manager7675")))
    told = (await people.of_person(desk, "manager4220")).items
    assert [one.message["text"]["content"] for one in told] == ["second", "first"]
    assert (await people.of_person(desk, "nobody")).items == ()


async def test_a_ledger_is_exported_as_a_workbook(
    desk: Operations, service: Service, truth: Truth
) -> None:
    found = await final(desk, await send(desk, order("=1+1", "manager4220", "manager7675")))
    out = io.BytesIO()
    assert await people.export_workbook(desk, found["id"], out) == 2
    with zipfile.ZipFile(out) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "manager4220" in sheet
    # Sixteen digits survive: ids are text.
    assert str(found["deliveries"][0]["task_id"]) in sheet


STATUS_BAR = {
    "oa": {
        "message_url": "https://example.com/a",
        "head": {"bgcolor": "FFBBBBBB", "text": "审批"},
        "status_bar": {"status_value": "待审批", "status_bg": "0xFFFF9D46"},
        "body": {"title": "请假"},
    }
}


async def test_the_status_bar_of_every_batch_is_changed(
    desk: Operations, service: Service, truth: Truth
) -> None:
    staff = [p["userid"] for p in (await truth.get("people"))["people"]][:12]
    one = sending.Order(Audience(users=tuple(staff)), Message(STATUS_BAR))
    found = await final(desk, await send(desk, one))
    assert [b["size"] for b in found["batches"]] == [5, 5, 2]
    bars = "/topapi/message/corpconversation/status_bar/update"
    await truth.post("faults", {"path": bars, "errcode": 41052, "times": 1})
    done = await statusbar.update(desk, found["id"], "已同意", "0xFF78C06E")
    assert (done.changed, done.failed) == (3, 0)
    (month,) = await budgets.overview(desk)
    assert month.by_endpoint["status_bar/update"] == 3
    await truth.post("faults", {"path": bars, "errcode": 40035, "times": 1})
    partly = await statusbar.update(desk, found["id"], "已撤销")
    assert (partly.changed, partly.failed) == (2, 1)
    assert [b.code for b in partly.batches].count("40035") == 1


async def test_a_run_without_a_recent_notice_has_no_status_bar(
    desk: Operations, service: Service, truth: Truth
) -> None:
    run_id = await send(desk, order("held", "manager4220", cool_down=timedelta(hours=1)))
    with pytest.raises(ConflictError, match="status bar"):
        await statusbar.update(desk, run_id, "x")


@pytest.fixture
async def hook() -> AsyncIterator[tuple[str, list[Any]]]:
    """A webhook and what it was told."""
    told: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(status=500 if len(told) == 1 else 204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/hook", told
    await runner.cleanup()


async def test_a_missed_occurrence_is_an_alert_that_is_told_and_ends_by_itself(
    desk: Operations, service: Service, truth: Truth, hook: tuple[str, list[Any]]
) -> None:
    url, told = hook
    async with transaction(desk.pool) as connection:
        rule = {"webhook": url, "notify": {"users": ["manager4220"]}}
        await rules.put(connection, rules.ALERTS, rule)
    missed = spec({"daily": "16:00"})
    await schedules.put(desk, "s", missed, source="yaml")
    async with desk.pool.acquire() as connection:
        # Nobody knows this function, so nobody fires it.
        await connection.execute(
            "update schedules set function = 'gone:function', "
            "next_due_at = now() - interval '5 min', wake_at = now() - interval '5 min'"
        )
    sentinel = service.node._sentinel
    await sentinel.look()
    (alert,) = await alerts.listed(desk)
    assert (alert.kind, alert.subject) == ("occurrence_missed", "s")
    assert "gone:function" in alert.detail
    # The first time the webhook does not work.
    await sentinel._notifier.tell()
    await sentinel._notifier.tell()
    await sentinel._notifier.tell()
    assert [one["kind"] for one in told] == ["occurrence_missed"] * 2
    notices = [one for one in await listed(desk) if one["kind"] == "alert"]
    assert len(notices) == 1
    await final(desk, notices[0]["id"])
    assert await truth.rung() == {"manager4220": 1}
    await schedules.delete(desk, "s")
    await sentinel.look()
    assert await alerts.listed(desk) == ()
    (over,) = await alerts.listed(desk, only_open=False)
    assert over.ended_at


async def test_an_app_whose_token_fails_is_an_alert_until_it_works(
    desk: Operations, service: Service, truth: Truth
) -> None:
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from tokens")
    await truth.post("faults", {"path": "/gettoken", "errcode": 40096, "probability": 1})
    run_id = await send(desk, order("no token", "manager4220"))

    async def raised() -> list[dict[str, Any]]:
        return [a for a in await alerts.listed(desk) if a.kind == "token_failing"]

    await until(raised)
    await truth.get("stats")
    async with truth._session.delete("/_sandbox/faults") as answer:
        assert answer.status == 200
    await final(desk, run_id)
    await final(desk, await send(desk, order("works", "manager4220")))

    async def ended() -> bool:
        return not await raised()

    await until(ended)


async def test_a_stuck_run_a_broken_schedule_and_a_low_budget_are_alerts(
    desk: Operations, run_service: RunService
) -> None:
    async with run_service() as service:
        sentinel = service.node._sentinel
        await schedules.put(desk, "bad", spec({"daily": "16:00"}), source="yaml")
        async with desk.pool.acquire() as connection:
            await connection.execute("update schedules set problem = 'trigger: broken'")
            await connection.execute("update orgs set monthly_calls = 100")
            await connection.execute(
                "insert into spending select 'default', date_trunc('month', now() at time zone "
                "'Asia/Shanghai')::date, 'asyncsend_v2', 0, 90"
            )
            await connection.execute(
                "insert into runs (schedule_id, kind, key, app_id, org, function, spec, "
                "due_at, created_at, touched_at, state) "
                "select null, 'run', 'x', id, org, 'gone:function', '{}', now() - interval '1 h', "
                "now() - interval '1 h', now() - interval '1 h', 'due' from apps"
            )
        await sentinel.look()
        found = {one.kind: one for one in await alerts.listed(desk)}
        assert found.keys() == {"schedule_quarantined", "budget_low", "run_stuck"}
        assert "90 of 100" in found["budget_low"].detail
        async with desk.pool.acquire() as connection:
            await connection.execute("delete from runs")


async def test_a_clock_that_was_set_is_an_alert(desk: Operations, service: Service) -> None:
    clock: Any = desk.clock
    clock.offset += timedelta(seconds=30)
    await service.node._sentinel.look()
    clock.offset -= timedelta(seconds=30)
    (alert,) = [a for a in await alerts.listed(desk) if a.kind == "clock_jumped"]
    assert "+30" in alert.detail


async def test_a_ledger_that_does_not_add_up_is_found_by_the_doctor(
    desk: Operations, service: Service, truth: Truth
) -> None:
    found = await final(desk, await send(desk, order("audit", "manager4220", "manager7675")))
    checks = {check.name: check for check in await doctor.examine(desk)}
    assert (checks["ledger"].status, checks["nodes"].status) == ("ok", "ok")
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from deliveries where userid = 'manager4220'")
    checks = {check.name: check for check in await doctor.examine(desk)}
    assert checks["ledger"].status == "fail"
    assert "people do not add up" in checks["ledger"].detail
    async with desk.pool.acquire() as connection:
        await connection.execute("update batches set size = 1")
    assert found["state"] == "settled"


async def test_everyone_as_a_whole_is_sent_to_three_times_a_day(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    for number in range(3):
        await final(desk, await send(desk, order(f"to all {number}", tracking="coarse")))
    with pytest.raises(InputError, match="41045"):
        await sending.outlook(desk, order("once more", tracking="coarse"))
    refused = await final(desk, await sending.send(desk, order("once more", tracking="coarse")))
    assert refused["state"] == "failed"
    assert "41045" in refused["reason"]
    assert len(await truth.calls()) == 3
