"""What did not arrive: sent once more with the same bytes, or settled by a person."""

from __future__ import annotations

from typing import Any

import pytest

from dingbell.bootstrap import Service
from dingbell.errors import ConflictError, InputError
from dingbell.operations import directory, resends, runs
from dingbell.operations.context import Operations
from dingbell.planning.resend import queue_resend
from dingbell.store.connection import transaction
from dingbell.store.ledger import recalls
from dingbell.store.ledger import resends as resend_rows

from .conftest import RunService, Truth, final, until
from .given import SEND, listed, order, overview, send, show


async def generations(desk: Operations, run_id: int) -> list[dict[str, Any]]:
    async with desk.pool.acquire() as connection:
        rows = await connection.fetch(
            "select state, generation, size, moved from batches where run_id = $1 order by ordinal",
            run_id,
        )
    return [dict(row) for row in rows]


async def come_due(desk: Operations) -> None:
    """Let what waits a minute go now: its job is lost, and the sweeper finds it overdue."""
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from dingbell_queue.jobs where entrypoint = 'send'")
        await connection.execute(
            "update batches set slot_at = now() - interval '6 s' where state = 'queued'"
        )


async def test_who_was_dropped_for_pace_is_sent_to_again_by_itself(
    desk: Operations, service: Service, truth: Truth
) -> None:
    # This DingTalk lets fewer people pass than its documents say.
    await truth.post("limits", {"people_per_minute": 25, "window_seconds": 3})
    run_id = await send(desk, order("too many"))

    async def resent() -> bool:
        return len(await generations(desk, run_id)) == 2

    await until(resent)
    shown = await show(desk, run_id)
    assert shown["state"] == "sending"
    assert shown["totals"].get("planned") == 15
    await come_due(desk)
    found = await final(desk, run_id)
    rung = await truth.rung()
    assert len(rung) == 40
    assert set(rung.values()) == {1}
    assert set(found["totals"]) <= {"unread", "read"}
    assert await generations(desk, run_id) == [
        {"state": "settled", "generation": 0, "size": 40, "moved": 15},
        {"state": "settled", "generation": 1, "size": 15, "moved": 0},
    ]
    bodies = {str(call["msg"]) for call in await truth.calls()}
    assert len(bodies) == 1


async def test_who_failed_is_sent_to_again_when_a_person_says_so(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("people/manager4220", {"unreachable": True})
    found = await final(desk, await send(desk, order("failed", "manager4220", "manager7675")))
    assert {d["userid"]: d["state"] for d in found["deliveries"]}["manager4220"] == "failed"
    await truth.post("people/manager4220", {"unreachable": False})
    planned = await resends.resend(desk, found["id"], dry_run=True)
    assert planned.userids == ("manager4220",)
    assert (await overview(desk, found["id"]))["state"] == "settled"
    await resends.resend(desk, found["id"])
    again = await final(desk, found["id"])
    assert await truth.rung() == {"manager4220": 1, "manager7675": 1}
    assert set(again["totals"]) <= {"unread", "read"}
    with pytest.raises(ConflictError, match="nobody"):
        await resends.resend(desk, found["id"])
    async with desk.pool.acquire() as connection:
        noted = await connection.fetch(
            "select noun, actor from outbox where new in ('planned', 'sending') "
            "and actor is not null order by noun"
        )
    assert [tuple(row) for row in noted] == [("delivery", "cli"), ("run", "cli")]


async def test_a_refused_batch_is_sent_again_whole(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "errcode": 41028, "times": 1})
    found = await final(desk, await send(desk, order("refused", "manager4220")))
    assert found["totals"] == {"failed": 1}
    await resends.resend(desk, found["id"], ("failed",))
    await final(desk, found["id"])
    assert await truth.rung() == {"manager4220": 1}


async def test_what_is_unknown_is_sent_again_the_same_day_and_rings_nobody_twice(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    found = await final(desk, await send(desk, order("held", "manager4220", on_ambiguous="hold")))
    assert found["totals"] == {"unknown": 1}
    assert [one["id"] for one in await listed(desk, unknown=True)] == [found["id"]]
    await resends.resend(desk, found["id"], ("unknown",))
    again = await final(desk, found["id"])
    assert await truth.rung() == {"manager4220": 1}
    # Only the in-doubt call can have reached them.
    assert [(d["state"], d["code"]) for d in again["deliveries"]] == [("sent", "143106")]
    assert await listed(desk, unknown=True) == []


async def test_what_is_unknown_since_yesterday_is_left_to_a_person(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    one = order("old", "manager4220", "manager7675", on_ambiguous="hold")
    found = await final(desk, await send(desk, one))
    async with desk.pool.acquire() as connection:
        await connection.execute("update batches set sent_at = sent_at - interval '1 day'")
    with pytest.raises(ConflictError, match="earlier Beijing day"):
        await resends.resend(desk, found["id"], ("unknown",))
    with pytest.raises(InputError, match="stranger"):
        await resends.resolve(desk, found["id"], delivered=True, userids=("stranger",))
    await resends.resolve(desk, found["id"], delivered=True, userids=("manager4220",))
    await resends.resolve(desk, found["id"], delivered=False)
    shown = await show(desk, found["id"])
    assert [(d["state"], d["code"]) for d in shown["deliveries"]] == [
        ("sent", "by_hand"),
        ("failed", "by_hand"),
    ]
    assert len(await truth.calls()) == 1


async def test_a_recalled_run_is_not_sent_again(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("people/manager4220", {"unreachable": True})
    found = await final(desk, await send(desk, order("gone", "manager4220", "manager7675")))
    await runs.recall(desk, found["id"])
    await until(lambda: runs.recalled(desk, found["id"]))
    with pytest.raises(ConflictError, match="recalled"):
        await resends.resend(desk, found["id"])


async def test_a_repair_under_way_survives_the_death_of_its_node(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        await directory.synchronise(desk, None)
        await truth.post("people/manager4220", {"unreachable": True})
        found = await final(desk, await send(desk, order("later", "manager4220")))
        await truth.post("people/manager4220", {"unreachable": False})
    await resends.resend(desk, found["id"])
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from dingbell_queue.jobs")
        await connection.execute("update batches set slot_at = slot_at - interval '6 s'")
    async with run_service():
        await final(desk, found["id"])
    assert await truth.rung() == {"manager4220": 1}


async def test_a_call_that_was_lost_days_ago_is_not_sent_again(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    async with run_service():
        run_id = await send(desk, order("days ago", "manager4220"))

        async def lost() -> bool:
            async with desk.pool.acquire() as connection:
                return bool(
                    await connection.fetchval(
                        "select in_doubt_since is not null and state = 'queued' from batches"
                    )
                )

        await until(lost)
        async with desk.pool.acquire() as connection:
            await connection.execute(
                "update batches set in_doubt_since = in_doubt_since - interval '3 days'"
            )
        found = await final(desk, run_id)
    assert found["totals"] == {"unknown": 1}
    assert len(await truth.calls()) == 1


async def test_nothing_is_repaired_in_a_run_that_was_canceled_or_is_being_recalled(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("people/manager4220", {"unreachable": True})
    found = await final(desk, await send(desk, order("stop", "manager4220", "manager7675")))
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        wanted = await resend_rows.of_run(connection, found["id"], "failed")
        assert len(wanted) == 1
        # Somebody recalls it while the repair waits for the lock.
        await recalls.ask(connection, found["id"], now)
        assert await queue_resend(connection, wanted, desk.pace, not_before=now, now=now) == 0
    with pytest.raises(ConflictError, match="recalled"):
        await resends.resend(desk, found["id"])
    async with desk.pool.acquire() as connection:
        await recalls.ask(connection, found["id"], None)


async def test_who_may_have_it_is_kept_apart_from_who_has_not(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    one = order("apart", "manager4220", "manager7675", on_ambiguous="hold")
    found = await final(desk, await send(desk, one))
    await resends.resolve(desk, found["id"], delivered=False, userids=("manager4220",))
    await resends.resend(desk, found["id"], ("failed", "unknown", "failed"))
    again = await final(desk, found["id"])
    assert await truth.rung() == {"manager4220": 1, "manager7675": 1}
    states = {d["userid"]: (d["state"], d["code"]) for d in again["deliveries"]}
    # Of the one who was unknown the in-doubt call is known; a person was wrong about the other.
    assert states == {"manager4220": ("dropped", "143106"), "manager7675": ("sent", "143106")}


async def test_who_may_have_it_stays_unknown_when_the_resend_is_refused(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await truth.post("faults", {"path": SEND, "reset": "after", "times": 1})
    one = order("refused again", "manager4220", on_ambiguous="hold")
    found = await final(desk, await send(desk, one))
    await truth.post("faults", {"path": SEND, "errcode": 41028, "times": 1})
    await resends.resend(desk, found["id"], ("unknown",))
    again = await final(desk, found["id"])
    assert again["totals"] == {"unknown": 1}
