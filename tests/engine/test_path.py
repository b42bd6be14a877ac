"""The path of a notice, on a real database and against the real wire."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from dingbell.bootstrap import Service
from dingbell.clock import SystemClock
from dingbell.domain.after_call import Called
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.domain.priority import Rank
from dingbell.engine.node.lease import Lease
from dingbell.errors import ConflictError, InputError
from dingbell.operations import directory, runs, schedules, sending
from dingbell.operations.context import Operations
from dingbell.planning.in_doubt import recover
from dingbell.sandbox import Sandbox
from dingbell.store.connection import transaction

from .conftest import RunService, Truth, final, until
from .given import SEND, order, overview, runs_of, send, show, soon, spec


async def test_a_send_reaches_everybody_and_the_ledger_says_so(
    desk: Operations, service: Service, truth: Truth
) -> None:
    found = await final(desk, await send(desk, order()))
    rung = await truth.rung()
    assert len(rung) == 40
    assert set(rung.values()) == {1}
    assert sum(found["totals"].values()) == 40
    assert {d["userid"] for d in found["deliveries"] if d["state"] in ("unread", "read")} == set(
        rung
    )


async def test_an_occurrence_waits_for_its_instant_and_leaves_at_once(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await schedules.put(desk, "s", spec(soon(desk, 1.5)), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    (call,) = await truth.calls()
    assert call["received_at"] >= datetime.fromisoformat(run["due_at"]).timestamp()


async def test_waves_that_wait_for_their_slots_hold_up_nobody(
    desk: Operations, service: Service, truth: Truth
) -> None:
    """As on a node with notices of many apps, each spread over the same minutes."""
    due = soon(desk, 12)
    for number in range(10):
        await schedules.put(desk, f"s{number}", spec(due, f"later {number}"), source="yaml")

        async def planned(name: str = f"s{number}") -> bool:
            return [one["state"] for one in await runs_of(desk, name)] == ["planned"]

        await until(planned)
    async with desk.pool.acquire() as connection:
        assert await connection.fetchval("select count(distinct wave) from batches") == 10
        await connection.execute("update dingbell_queue.jobs set execute_after = now()")
    await send(desk, order("urgently", "manager4220"))
    first, *others = await until(truth.calls)
    assert "urgently" in str(first)
    assert others == []
    begin = datetime.fromisoformat(due["once"]).timestamp()
    assert first["received_at"] < begin - 1, "it waited until the others had been claimed"


async def test_the_same_request_sends_once(
    desk: Operations, service: Service, truth: Truth
) -> None:
    first = await send(desk, order("x", "manager4220", request_id="r-1"))
    assert await send(desk, order("x", "manager4220", request_id="r-1")) == first
    await final(desk, first)
    assert len(await truth.calls()) == 1


async def test_receipts_say_who_was_dropped_and_why(
    desk: Operations, service: Service, truth: Truth, sandbox: Sandbox
) -> None:
    first = await final(desk, await send(desk, order("same words", "manager4220")))
    assert first["totals"] == {"unread": 1} or first["totals"] == {"read": 1}
    again = await final(desk, await send(desk, order("same words", "manager4220", "nobody")))
    states = {d["userid"]: (d["state"], d["code"]) for d in again["deliveries"]}
    assert states == {"manager4220": ("dropped", "143106"), "nobody": ("invalid", None)}


async def test_reading_is_seen_later(desk: Operations, service: Service, truth: Truth) -> None:
    await truth.post("limits", {"reading_seconds": 0.5})
    found = await final(desk, await send(desk, order("read me")))

    async def read() -> bool:
        totals = (await overview(desk, found["id"]))["totals"]
        return totals.get("read", 0) >= 30

    await until(read)
    shown = await show(desk, found["id"])
    assert all(d["read_at"] for d in shown["deliveries"] if d["state"] == "read")


async def test_a_template_is_rendered_per_person_and_identical_bodies_travel_together(
    desk: Operations, service: Service, truth: Truth
) -> None:
    one = sending.Order(Audience(everyone=True), Message({"text": "{{ person.name[0] }} 您好"}))
    await final(desk, await send(desk, one))
    calls = await truth.calls()
    bodies = [call["msg"]["text"]["content"] for call in calls]
    assert len(bodies) == len(set(bodies)) > 1
    assert sum(len(call["userids"]) for call in calls) == 40


@pytest.mark.parametrize(
    ("rule", "attempts"),
    [
        ({"errcode": 90018, "times": 1}, 2),
        ({"http_status": 502, "times": 1}, 2),
        ({"reset": "before", "times": 1}, 2),
        ({"truncate": True, "times": 1}, 2),
        ({"errcode": -1, "times": 1}, 2),
    ],
)
async def test_a_failed_call_is_made_again_and_rings_once(
    desk: Operations, service: Service, truth: Truth, rule: dict[str, Any], attempts: int
) -> None:
    await truth.post("faults", {"path": SEND, **rule})
    found = await final(desk, await send(desk, order("again", "manager4220")))
    assert (await truth.rung())["manager4220"] == 1
    assert found["batches"][0]["attempts"] == attempts
    assert found["deliveries"][0]["state"] in ("unread", "read", "sent")


async def test_who_was_reached_by_a_lost_call_is_told_by_the_duplicate(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    found = await final(desk, await send(desk, order("in_doubt", "manager4220", "manager7675")))
    assert await truth.rung() == {"manager4220": 1, "manager7675": 1}
    assert [(d["state"], d["code"]) for d in found["deliveries"]] == [("sent", "143106")] * 2


async def test_a_lost_call_is_left_to_a_person_where_the_author_wants_it(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    found = await final(desk, await send(desk, order("hold", "manager4220", on_ambiguous="hold")))
    assert found["totals"] == {"unknown": 1}
    assert found["batches"][0]["state"] == "unknown"
    assert len(await truth.calls()) == 1


async def test_a_permanent_refusal_fails_the_batch_with_its_code(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "errcode": 41028, "times": 1})
    found = await final(desk, await send(desk, order("no", "manager4220")))
    assert found["state"] == "settled"
    assert [(d["state"], d["code"]) for d in found["deliveries"]] == [("failed", "41028")]
    assert found["batches"][0]["code"] == "41028"


async def test_a_ban_pauses_every_app_behind_the_address(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "ban": True, "times": 1})
    run_id = await send(desk, order("ban", "manager4220"))

    async def paused() -> bool:
        async with desk.pool.acquire() as connection:
            until_ = await connection.fetchval("select paused_until from apps")
        return until_ is not None and until_ > desk.clock.now() + timedelta(minutes=4)

    await until(paused)
    found = await show(desk, run_id)
    assert found["totals"] == {"planned": 1}
    second = await send(desk, order("other", "manager7675"))
    await until(lambda: _planned(desk, second))
    slot = (await show(desk, second))["batches"][0]["slot_at"]
    assert datetime.fromisoformat(slot) > desk.clock.now() + timedelta(minutes=4)


async def _planned(desk: Operations, run_id: int) -> bool:
    return bool((await show(desk, run_id))["batches"])


async def test_revoked_tokens_are_replaced(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await final(desk, await send(desk, order("one", "manager4220")))
    await truth.post("revoke-tokens", {})
    found = await final(desk, await send(desk, order("two", "manager4220")))
    assert found["batches"][0]["attempts"] == 1


async def test_people_per_minute_is_a_promise_that_is_kept(
    desk: Operations, truth: Truth, run_service: RunService, settings: Any, database: Any
) -> None:
    await truth.post("limits", {"people_per_minute": 10_000, "calls_per_second": 3})
    from dingbell.bootstrap import open_desk

    slow = settings.model_copy(update={"calls_per_second": 3})
    async with open_desk(slow, database=database) as at, run_service(at):
        await directory.synchronise(at, None)
        one = sending.Order(Audience(everyone=True), Message({"text": "{{ person.userid }}"}))
        found = await final(at, await send(at, one), 40)
    stats = await truth.get("stats")
    assert stats["errors"] == {}
    assert len(found["batches"]) == 40
    assert {b["attempts"] for b in found["batches"]} == {1}
    arrivals = sorted(call["received_at"] for call in await truth.calls())
    assert all(b - a >= 1.0 for a, b in zip(arrivals, arrivals[3:], strict=False))


async def test_cancel_stops_what_has_not_left(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await schedules.put(desk, "later", spec(soon(desk, 30)), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "later"))
    await until(lambda: _planned(desk, run["id"]))
    found = (await runs.cancel(desk, run["id"])).to_json()
    assert found["state"] == "canceled"
    assert found["totals"] == {"canceled": 1}
    with pytest.raises(ConflictError):
        await runs.cancel(desk, run["id"])


async def test_recall_takes_a_notice_off_the_phones(
    desk: Operations, service: Service, truth: Truth
) -> None:
    found = await final(desk, await send(desk, order("oops", "manager4220")))
    assert len(await truth.get("inbox/manager4220")) == 1
    await runs.recall(desk, found["id"])
    await until(lambda: runs.recalled(desk, found["id"]))
    found = await final(desk, found["id"])
    assert found["state"] == "recalled"
    assert found["totals"] == {"recalled": 1}
    assert await truth.get("inbox/manager4220") == []


async def test_a_coarse_send_keeps_one_row_with_a_count(
    desk: Operations, service: Service, truth: Truth
) -> None:
    one = order("coarse", to=Audience(departments=(1,)), tracking="coarse")
    found = await final(desk, await send(desk, one))
    (call,) = await truth.calls()
    assert call["dept_ids"] == [1]
    assert len(call["delivered"]) == 40
    assert found["totals"] == {"untracked": 40}
    assert [d["userid"] for d in found["deliveries"]] == ["departments:1"]


async def test_an_unknown_department_is_refused_before_anything_is_sent(
    desk: Operations, service: Service, truth: Truth
) -> None:
    with pytest.raises(InputError, match="999"):
        await sending.outlook(desk, order("x", to=Audience(departments=(999,))))


async def test_a_message_that_grows_too_long_fails_its_run_and_stops_nobody(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await schedules.put(
        desk, "long", spec(soon(desk, 1), "{{ person.userid }}" + "x" * 3_000), source="yaml"
    )
    await schedules.put(desk, "good", spec(soon(desk, 1), "fine"), source="yaml")
    (long,) = await until(lambda: runs_of(desk, "long"))
    (good,) = await until(lambda: runs_of(desk, "good"))
    long, good = await final(desk, long["id"]), await final(desk, good["id"])
    assert long["state"] == "failed"
    assert "2048" in long["reason"] or "2,048" in long["reason"]
    assert good["state"] == "settled"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("{{ 'x' * 10**9 }}", "** is not available"),
        ("{{ 'x'|center(1000000000) }}", "there is no filter center"),
        ("{{ " + "(" * 900 + "1" + ")" * 900 + " }}", "nested too deeply"),
        (
            "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
            "{% set %} is not available",
        ),
        (
            "{% for a in N %}{% for b in N %}{{ person.name }}{% endfor %}{% endfor %}".replace(
                "N", f"[{'1,' * 400}]"
            ),
            "too much work",
        ),
    ],
)
async def test_a_bomb_that_was_stored_fails_its_run_at_once_and_holds_up_nobody(
    desk: Operations, service: Service, truth: Truth, stored: str, said: str
) -> None:
    await directory.synchronise(desk, None)
    bomb = order("harmless")
    bomb.message.content["text"] = stored
    run_ids = [await sending.send(desk, one) for one in (bomb, order("good", "manager4220"))]
    bad, good = [await final(desk, run_id) for run_id in run_ids]
    assert bad["state"] == "failed"
    assert said in bad["reason"]
    assert good["state"] == "settled"


async def test_a_batch_that_was_thrown_back_after_a_cancel_ends_with_its_run(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "errcode": 90018, "delay": 1, "times": 1})
    run_id = await send(desk, order("cancel me", "manager4220"))
    await until(lambda: _batch_is(desk, run_id, "sending"))
    await runs.cancel(desk, run_id)
    found = await final(desk, run_id)
    assert found["totals"] == {"canceled": 1}
    assert await truth.calls() == []


async def test_a_cancel_does_not_call_canceled_what_may_have_rung(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    run_id = await send(desk, order("may have rung", "manager4220"))
    await until(lambda: _batch_is(desk, run_id, "queued", lost=True))
    await runs.cancel(desk, run_id)
    found = await final(desk, run_id)
    assert found["totals"] == {"unknown": 1}
    assert await truth.rung() == {"manager4220": 1}


async def _batch_is(desk: Operations, run_id: int, state: str, *, lost: bool = False) -> bool:
    async with desk.pool.acquire() as connection:
        row = await connection.fetchrow(
            "select state, in_doubt_since from batches where run_id = $1", run_id
        )
    return bool(row) and row["state"] == state and (row["in_doubt_since"] is not None) == lost


async def test_a_call_that_was_lost_yesterday_is_not_sent_again_today(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    async with run_service():
        run_id = await send(desk, order("yesterday", "manager4220"))
        await until(lambda: _batch_is(desk, run_id, "queued", lost=True))
        async with desk.pool.acquire() as connection:
            await connection.execute(
                "update batches set in_doubt_since = in_doubt_since - interval '1 day'"
            )
        found = await final(desk, run_id)
    assert found["totals"] == {"unknown": 1}
    assert len(await truth.calls()) == 1


async def test_a_recall_survives_the_loss_of_its_job(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        found = await final(desk, await send(desk, order("take back", "manager4220")))
    await runs.recall(desk, found["id"])
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from dingbell_queue.jobs where entrypoint = 'recall'")
        await connection.execute(
            "update runs set recall_asked_at = recall_asked_at - interval '1 min'"
        )
    async with run_service():
        await until(lambda: runs.recalled(desk, found["id"]))
        assert (await final(desk, found["id"]))["state"] == "recalled"
    assert await truth.get("inbox/manager4220") == []


async def test_a_pace_lowered_below_a_batch_lets_it_go_alone(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    everyone = spec(soon(desk, 1.5), to=Audience(everyone=True))
    await schedules.put(desk, "s", everyone, source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await until(lambda: _planned(desk, run["id"]))
    async with desk.pool.acquire() as connection:
        await connection.execute("update apps set people_per_minute = 10")
    assert (await final(desk, run["id"]))["state"] == "settled"


async def test_a_loss_noticed_on_the_next_day_is_not_sent_again(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        found = await final(desk, await send(desk, order("over night", "manager4220")))
    async with transaction(desk.pool) as connection:
        await connection.execute("update runs set state = 'sending'")
        await connection.execute("update deliveries set state = 'planned'")
        row = await connection.fetchrow(
            "update batches set state = 'sending', sent_at = sent_at - interval '1 day' "
            "returning id, attempt, sent_at"
        )
        lost = Called(
            row["id"], found["id"], row["attempt"], row["sent_at"], False, "resend", Rank.NORMAL
        )
        assert await recover(connection, lost, desk.clock.now(), code="node_died")
    shown = await show(desk, found["id"])
    assert shown["batches"][0]["state"] == "unknown"
    assert shown["totals"] == {"unknown": 1}


async def test_a_node_acts_by_the_clock_of_the_database_from_the_start(
    desk: Operations, dsn: str
) -> None:
    clock = SystemClock()
    clock.offset = timedelta(hours=8)  # a hardware clock in local time
    lease = Lease(dsn, clock, name="test", version="0")
    await lease.acquire()
    assert abs(clock.now() - desk.clock.now()) < timedelta(seconds=1)
    await lease.release()
    await lease.close()
