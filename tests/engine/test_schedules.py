"""Schedules over time: misfire, overlap, pause, edit while prepared, many nodes, lost jobs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from dingbell.bootstrap import Service
from dingbell.clock import VirtualClock
from dingbell.domain.lifecycle import Run
from dingbell.domain.misfire import Misfire
from dingbell.domain.slots import Pace
from dingbell.engine.node.context import Context
from dingbell.engine.node.health import Health
from dingbell.engine.node.lease import Lease
from dingbell.engine.path.ticker import Ticker
from dingbell.errors import DatabaseUnavailable
from dingbell.operations import schedules
from dingbell.operations.context import Operations
from dingbell.store import schedules as schedule_rows
from dingbell.telemetry import Metrics

from .conftest import RunService, Truth, final, until
from .given import listed, runs_of, soon, spec

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12:00 in Beijing


def at_virtual(desk: Operations, now: datetime) -> tuple[Operations, VirtualClock, Ticker]:
    """The same desk at another time, and a ticker to tick by hand."""
    clock = VirtualClock(now)
    moved = replace(desk, clock=clock)
    context = Context(
        pool=desk.pool,
        clock=clock,
        clients=desk.clients,
        lease=Lease("", clock, name="test", version="0"),
        pace=Pace(),
        metrics=Metrics(),
        polls=(),
        trouble=Health(clock),
        sources=desk.sources,
    )
    return moved, clock, Ticker(context)


async def states(desk: Operations, name: str) -> list[tuple[str, str]]:
    """(due, state) of a schedule's runs, the oldest first; instants in Beijing."""
    found = await runs_of(desk, name)
    return [(one["due_at"][11:19], one["state"]) for one in reversed(found)]


async def test_an_occurrence_is_made_ahead_of_time_and_only_once(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    await schedules.put(at, "daily", spec({"daily": "16:00"}), source="yaml")
    assert await ticker.tick() == 0
    clock.advance(timedelta(hours=3, minutes=59))
    assert await ticker.tick() == 1
    assert await ticker.tick() == 0
    assert await states(at, "daily") == [("16:00:00", "due")]
    assert (await schedules.show(at, "daily")).to_json()[
        "next_due_at"
    ] == "2026-11-25T16:00:00+08:00"


async def test_it_is_prepared_between_two_seconds_and_with_zero_at_the_instant(
    desk: Operations,
) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    await schedules.put(at, "ahead", spec({"once": "2026-11-24 12:02"}), source="yaml")
    at_once = spec({"once": "2026-11-24 12:02"}, prepare_ahead=0)
    await schedules.put(at, "at once", at_once, source="yaml")
    clock.advance(timedelta(seconds=59.3))
    assert await ticker.tick() == 0
    clock.advance(timedelta(seconds=0.1))
    assert await ticker.tick() == 1
    assert await states(at, "ahead") == [("12:02:00", "due")]
    clock.advance(timedelta(seconds=60.5))
    assert await ticker.tick() == 0
    clock.advance(timedelta(seconds=0.1))
    assert await ticker.tick() == 1
    assert await states(at, "at once") == [("12:02:00", "due")]


async def test_two_tickers_at_once_make_each_run_once(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    _, other_clock, other = at_virtual(desk, NOON)
    for number in range(30):
        await schedules.put(at, f"s{number}", spec({"daily": "12:01"}), source="yaml")
    clock.advance(timedelta(minutes=1))
    other_clock.advance(timedelta(minutes=1))
    taken = await asyncio.gather(*(one.tick() for one in (ticker, other) * 5))
    assert sum(taken) == 30
    assert len(await listed(at, limit=100)) == 30


async def test_of_several_missed_occurrences_the_latest_is_sent(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    await schedules.put(at, "s", spec({"every": "10m"}, prepare_ahead=0), source="yaml")
    clock.advance(timedelta(minutes=25))
    await ticker.tick()
    assert await states(at, "s") == [("12:10:00", "skipped"), ("12:20:00", "due")]


async def test_what_is_later_than_the_grace_is_skipped_with_a_reason(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    misfire = Misfire(grace="15m", catch_up="all")
    await schedules.put(
        at, "s", spec({"every": "10m"}, misfire=misfire, prepare_ahead=0), source="yaml"
    )
    clock.advance(timedelta(minutes=32))
    await ticker.tick()
    assert await states(at, "s") == [
        ("12:10:00", "skipped"),
        ("12:20:00", "due"),
        ("12:30:00", "due"),
    ]
    skipped = (await runs_of(at, "s"))[-1]
    assert skipped["reason"].startswith("misfire")


async def test_a_long_outage_leaves_no_gap_and_no_flood(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    await schedules.put(at, "s", spec({"every": "1m"}, prepare_ahead=0), source="yaml")
    clock.advance(timedelta(days=1))
    await ticker.tick()
    found = await runs_of(at, "s")
    assert sum(one["occurrences"] for one in found) == 24 * 60
    assert len(found) <= 60
    assert [one["state"] for one in found].count("due") == 1


async def test_a_trigger_that_raises_is_set_aside_and_the_others_go_on(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    await schedules.put(at, "bad", spec({"daily": "12:01"}), source="yaml")
    await schedules.put(at, "good", spec({"daily": "12:01"}), source="yaml")
    async with at.pool.acquire() as connection:
        await connection.execute(
            'update schedules set spec = spec || \'{"when": {"cron": "broken"}}\' '
            "where name = 'bad'"
        )
    clock.advance(timedelta(minutes=1))
    await ticker.tick()
    assert await states(at, "good") == [("12:01:00", "due")]
    shown = (await schedules.show(at, "bad")).to_json()
    assert shown["state"] == "quarantined"
    assert "broken" in shown["problem"]


async def test_an_edit_takes_back_what_was_prepared(
    desk: Operations, service: Service, truth: Truth
) -> None:
    when = soon(desk, 3)
    await schedules.put(desk, "s", spec(when, "old words"), source="yaml")
    await until(lambda: _state(desk, "s", "planned"))
    assert await schedules.put(desk, "s", spec(when, "new words"), source="yaml") == "changed"
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    (call,) = await truth.calls()
    assert call["msg"]["text"]["content"] == "new words"


async def test_an_edit_to_a_later_time_does_not_fire_at_the_old_one(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await schedules.put(desk, "s", spec(soon(desk, 1.5)), source="yaml")
    await until(lambda: _state(desk, "s", "planned"))
    later = soon(desk, 3)
    await schedules.put(desk, "s", spec(later), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    (call,) = await truth.calls()
    assert call["received_at"] >= datetime.fromisoformat(later["once"]).timestamp()


async def test_a_pause_takes_back_what_was_prepared(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await schedules.put(desk, "s", spec({"every": "2s"}), source="yaml")
    await until(lambda: _state(desk, "s", "planned"))
    await schedules.pause(desk, "s")
    before = len(await truth.calls())
    found = await runs_of(desk, "s")
    assert not [one for one in found if one["state"] in ("due", "planned")]
    await schedules.resume(desk, "s")
    assert (await schedules.show(desk, "s")).next_due_at
    assert len(await truth.calls()) - before <= 2
    await schedules.delete(desk, "s")


async def _state(desk: Operations, name: str, state: str) -> dict[str, Any] | None:
    found = [one for one in await runs_of(desk, name) if one["state"] == state]
    return found[0] if found else None


async def test_an_occurrence_prepared_before_an_outage_is_not_sent_hours_late(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    grace = Misfire(grace="6s")
    await schedules.put(desk, "s", spec(soon(desk, 1), misfire=grace), source="yaml")
    async with run_service() as service:
        await until(lambda: _state(desk, "s", "planned"))
        service.node._sender.draining = True  # the node dies before the slot
    async with desk.pool.acquire() as connection:
        await connection.execute("update runs set due_at = due_at - interval '1 hour'")
        await connection.execute("update batches set slot_at = slot_at - interval '1 hour'")
    async with run_service():
        (run,) = await runs_of(desk, "s")
        found = await final(desk, run["id"])
    assert found["state"] == "skipped"
    assert found["totals"] == {"canceled": 1}
    assert await truth.calls() == []


async def test_an_occurrence_is_skipped_while_an_earlier_one_is_being_sent(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post(
        "faults",
        {"path": "/topapi/message/corpconversation/asyncsend_v2", "times": 1, "delay": 3},
    )
    await schedules.put(desk, "s", spec({"every": "1s"}, overlap="skip"), source="yaml")
    skipped = await until(lambda: _state(desk, "s", "skipped"))
    await schedules.delete(desk, "s")
    assert skipped["reason"].startswith("overlap")


async def test_two_nodes_share_the_work_and_nobody_is_rung_twice(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service(), run_service():
        when = soon(desk, 1.5)
        for number in range(40):
            await schedules.put(desk, f"s{number}", spec(when, f"words {number}"), source="yaml")
        found = [await until(lambda n=n: runs_of(desk, f"s{n}")) for n in range(40)]
        for (one,) in found:
            assert (await final(desk, one["id"]))["totals"].get("dropped") is None
    calls = await truth.calls()
    assert len(calls) == 40
    assert len({call["msg"]["text"]["content"] for call in calls}) == 40


async def test_a_lost_job_is_found_by_the_sweeper(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    run_id = await schedules_run(desk)
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from dingbell_queue.jobs")
        await connection.execute("update runs set created_at = created_at - interval '1 min'")
    async with run_service():
        assert (await final(desk, run_id))["state"] == "settled"
    assert len(await truth.calls()) == 1


async def schedules_run(desk: Operations) -> int:
    await schedules.put(desk, "s", spec({"daily": "04:00"}), source="yaml")
    return await schedules.run(desk, "s")


async def test_a_run_whose_planning_never_ends_is_quarantined(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    run_id = await schedules_run(desk)
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from dingbell_queue.jobs")
        await connection.execute(
            "update runs set tries = 4, created_at = created_at - interval '1 min'"
        )
    async with run_service():
        found = await final(desk, run_id)
    assert found["state"] == Run.FAILED
    assert "quarantined" in found["reason"]


async def test_a_database_that_fails_is_no_try_of_a_run(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    run_id = await schedules_run(desk)

    async def execute(statement: str) -> None:
        async with desk.pool.acquire() as connection:
            await connection.execute(statement)

    async def forgiven() -> bool:
        async with desk.pool.acquire() as connection:
            return bool(await connection.fetchval("select tries = 0 from runs"))

    await execute(
        "create function no_room() returns trigger language plpgsql as "
        "$$ begin raise exception 'no room' using errcode = '53100'; end $$"
    )
    await execute("create trigger no_room before insert on batches execute function no_room()")
    async with run_service() as service:
        for _ in range(6):
            with suppress(DatabaseUnavailable):
                await service.node._planner.plan([run_id])
            await until(forgiven)
            await execute("update runs set touched_at = touched_at - interval '1 min'")
        await until(lambda: _said_no_room(service))
        await execute("drop trigger no_room on batches")
        found = await final(desk, run_id)
    await execute("drop function no_room")
    assert found["state"] == "settled"
    assert len(await truth.calls()) == 1


async def test_a_function_that_is_cut_short_by_a_polite_end_has_not_been_tried(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    called, never = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        called.set()
        await never.wait()

    function_spec = spec(soon(desk, 1)).model_copy(
        update={"message": None, "function": "app:endless"}
    )
    await schedules.put(desk, "endless", function_spec, source="python")
    async with run_service(functions={"app:endless": endless}):
        await called.wait()
    async with desk.pool.acquire() as connection:
        assert await connection.fetchval("select tries from runs") == 0


async def test_the_suspects_of_a_dead_chunk_are_tried_one_by_one_beside_nobody(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    for number in range(6):
        await schedules.put(
            desk, f"s{number}", spec({"daily": "04:00"}, f"{number}"), source="yaml"
        )
        await schedules.run(desk, f"s{number}")
    async with desk.pool.acquire() as connection:
        # Two have died alone already, once and twice.
        await connection.execute(
            "update runs set tries = case id when 1 then 2 when 2 then 3 when 6 then 0 else 1 "
            "end, touched_at = touched_at - interval '1 min'"
        )
        await connection.execute("delete from dingbell_queue.jobs")
    async with run_service() as service:
        await service.node._planner.plan(range(1, 7))
        found = [await final(desk, number) for number in range(1, 7)]
    assert [one["state"] for one in found] == ["settled", "failed", *["settled"] * 4]
    assert len(await truth.calls()) == 5


async def test_suspects_with_functions_are_tried_one_by_one_and_no_new_function_beside_them(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    names = ["fresh", "suspect-a", "suspect-b", "suspect-c"]
    busy: list[str] = []
    seen: list[tuple[str, ...]] = []

    async def endless(name: str) -> None:
        busy.append(name)
        await asyncio.Event().wait()

    async def busily(name: str) -> str:
        busy.append(name)
        for _ in range(3000):
            seen.append(tuple(busy))
            await asyncio.sleep(0)
        busy.remove(name)
        return f"made by the function {name}"

    async with run_service(functions={f"app:{name}": partial(endless, name) for name in names}):
        for name in names:
            made = spec(soon(desk, 0.5)).model_copy(
                update={"message": None, "function": f"app:{name}"}
            )
            await schedules.put(desk, name, made, source="python")
        await until(lambda: _are(busy, names))
    async with desk.pool.acquire() as connection:
        await connection.execute(
            "update runs set touched_at = touched_at - interval '1 min', "
            "tries = case schedule when 'fresh' then 0 else 1 end"
        )
        await connection.execute("delete from dingbell_queue.jobs")
    busy.clear()
    functions = {f"app:{name}": partial(busily, name) for name in names}
    async with run_service(functions=functions) as service:
        rows = [row for name in names for row in await runs_of(desk, name)]
        for row in reversed(rows):
            await service.node._planner.plan_apart([row["id"]])
        found = [await final(desk, row["id"]) for row in rows]
    assert [one["state"] for one in found] == ["settled"] * 4
    assert {one for now in seen for one in now} == set(names)
    assert max(len(now) for now in seen) == 1


async def _are(found: list[str], wanted: list[str]) -> bool:
    return sorted(found) == sorted(wanted)


async def _said_no_room(service: Service) -> bool:
    return "no room" in (service.node.trouble or "")


async def test_a_function_makes_its_message_when_it_is_prepared(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    made: list[str] = []

    def report() -> str:
        made.append("called")
        return "from a function"

    def broken() -> str:
        raise ValueError("no data today")

    functions = {"app:report": report, "app:broken": broken}
    for name in ("report", "broken"):
        function_spec = spec(soon(desk, 1)).model_copy(
            update={"message": None, "function": f"app:{name}"}
        )
        await schedules.put(desk, name, function_spec, source="python")
    async with run_service():  # a node that does not know them leaves them alone
        assert await runs_of(desk, "report") == []
        async with run_service(functions=functions):
            (good,) = await until(lambda: runs_of(desk, "report"))
            (bad,) = await until(lambda: runs_of(desk, "broken"))
            good, bad = await final(desk, good["id"]), await final(desk, bad["id"])
    assert made == ["called"]
    assert good["state"] == "settled"
    assert (bad["state"], bad["reason"]) == ("failed", "ValueError: no data today")
    assert (await schedule_rows_problem(desk)) == []


async def schedule_rows_problem(desk: Operations) -> list[str]:
    async with desk.pool.acquire() as connection:
        rows = await schedule_rows.all_schedules(connection)
    return [row.name for row in rows if row.problem]


async def test_a_single_instant_moved_after_it_fired_does_not_fire_again(desk: Operations) -> None:
    at, clock, ticker = at_virtual(desk, NOON)
    await schedules.put(at, "s", spec({"once": "2026-11-24 12:10"}), source="yaml")
    clock.advance(timedelta(minutes=10))
    await ticker.tick()
    async with at.pool.acquire() as connection:
        await connection.execute("update runs set state = 'settled'")
    clock.advance(timedelta(minutes=5))
    await schedules.put(at, "s", spec({"once": "2026-11-24 12:12"}, "other"), source="yaml")
    await ticker.tick()
    assert await states(at, "s") == [("12:10:00", "settled")]


async def test_what_is_caught_up_with_is_sent_one_after_the_other(
    desk: Operations, service: Service, truth: Truth
) -> None:
    catch_up = Misfire(grace="1h", catch_up="all")
    rule = spec({"every": "1d"}, "{{ due }}", misfire=catch_up, overlap="skip")
    await schedules.put(desk, "s", rule, source="yaml")
    first = desk.clock.now() - timedelta(minutes=25)
    async with desk.pool.acquire() as connection:
        await connection.execute(
            "update schedules set spec = jsonb_set(spec, '{when}', $1), "
            "next_due_at = $2, wake_at = $2",
            {"every": "10m", "from": first.isoformat()},
            first,
        )
    service.node._ticker.changed.set()

    async def all_settled() -> bool:
        found = [one for one in await runs_of(desk, "s") if one["state"] == "settled"]
        return len(found) >= 3

    await until(all_settled, 30)
    await schedules.delete(desk, "s")
    assert len(await truth.calls()) == 3
