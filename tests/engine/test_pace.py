"""Pace on the real tables: whose slots are whose, and what is late keeps to it all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dingbell.bootstrap import Database, Service, open_desk
from dingbell.domain.audience import Audience
from dingbell.domain.priority import Rank
from dingbell.domain.run import Kind
from dingbell.domain.slots import Pace
from dingbell.engine.path.sender.claiming import claim
from dingbell.operations import directory, runs, schedules
from dingbell.operations.context import Operations
from dingbell.planning import reservation
from dingbell.settings import Settings
from dingbell.store.connection import Connection, transaction
from dingbell.store.ledger import batches, calls, claims
from dingbell.store.ledger import runs as run_rows

from .conftest import RunService, Truth, final, until
from .given import SEND, order, send, soon, spec

RESULT = "/topapi/message/corpconversation/getsendresult"
SLOW = Pace(people_per_minute=100, calls_per_second=20)


async def the_app(connection: Connection) -> int:
    return int(await connection.fetchval("select id from apps"))


async def reserve(
    desk: Operations, sizes: tuple[int, ...], rank: Rank, **options: Any
) -> list[float]:
    """Reserve slots and keep them as queued batches; seconds from now."""
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app_id = await the_app(connection)
        paces = await reservation.paces_of(connection, [app_id], SLOW, lock=True)
        wanted = reservation.Wanted(app_id, now, sizes, rank, **options)
        (slots,) = await reservation.reserve_slots(connection, [wanted], paces, now=now)
        run_id = int(await connection.fetchval("select nextval('waves')")) + 10**6
        await batches.insert(
            connection,
            [
                batches.NewBatch(
                    run_id=run_id,
                    ordinal=ordinal,
                    app_id=app_id,
                    org="default",
                    body=b"x",
                    body_hash=b"x",
                    size=size,
                    target=None,
                    slot_at=slot,
                    wave=1,
                    rank=rank,
                )
                for ordinal, (size, slot) in enumerate(zip(sizes, slots, strict=True))
            ],
        )
    return [round((slot - now).total_seconds(), 1) for slot in slots]


async def forget(desk: Operations) -> None:
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from batches")


async def test_among_equals_the_first_comes_first(desk: Operations) -> None:
    assert await reserve(desk, (100,), Rank.NORMAL) == [0.0]
    assert (await reserve(desk, (100,), Rank.NORMAL))[0] > 59
    await forget(desk)


async def test_an_earlier_rank_takes_the_slots_promised_to_a_later_one(desk: Operations) -> None:
    large = await reserve(desk, (100, 100, 100), Rank.LARGE)
    assert large[0] == 0.0
    assert await reserve(desk, (10,), Rank.NORMAL) == [0.0]
    assert await reserve(desk, (10,), Rank.URGENT) == [0.0]
    # The other way round nothing is taken.
    assert (await reserve(desk, (100,), Rank.BULK))[0] > 180 - 1
    await forget(desk)


async def test_bulk_leaves_a_reserve_in_every_window(desk: Operations) -> None:
    slots = await reserve(desk, (95, 5), Rank.BULK)
    assert slots[0] == 0.0
    assert slots[1] > 59
    await forget(desk)


async def test_a_spread_lies_evenly_and_keeps_to_the_pace(desk: Operations) -> None:
    even = await reserve(desk, (10, 10, 10), Rank.NORMAL, spread=timedelta(seconds=30))
    assert even == [0.0, 10.0, 20.0]
    await forget(desk)
    paced = await reserve(desk, (100, 100), Rank.NORMAL, spread=timedelta(seconds=10))
    assert paced[1] > 59
    await forget(desk)


async def test_who_is_overtaken_is_moved_back_at_the_claim(desk: Operations) -> None:
    await reserve(desk, (100,), Rank.LARGE)
    await reserve(desk, (50,), Rank.URGENT)
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app_id = await the_app(connection)
        paces = await reservation.paces_of(connection, [app_id], SLOW, lock=True)
        rows = await connection.fetch(
            "select id, run_id, app_id, org, size, slot_at, wave, body_hash, in_doubt_since, "
            "rank from batches"
        )
        queued = [
            reservation.claims.Queued(**{**dict(row), "rank": Rank(row["rank"])}) for row in rows
        ]
        large, urgent = sorted(queued, key=lambda one: -one.rank)
        alone = await reservation.admit(connection, [large], paces, now=now)
        both = await reservation.admit(connection, [large, urgent], paces, now=now)
    assert alone.early == [large]
    assert (both.admitted, both.early) == ([urgent], [large])
    await forget(desk)


async def test_a_call_holds_its_place_until_it_is_answered(desk: Operations) -> None:
    """As in a claim that follows another before DingTalk has answered."""
    await reserve(desk, (1,) * 40, Rank.NORMAL)
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app_id = await the_app(connection)
        paces = await reservation.paces_of(connection, [app_id], SLOW, lock=True)
        await connection.execute("update batches set slot_at = $1", now - timedelta(seconds=70))
        late = await claims.of_wave(connection, 1)
        first = await reservation.admit(connection, late[:25], paces, now=now)
        assert len(first.admitted) == 20
        await connection.execute(
            "insert into calls (batch_id, app_id, org, size, attempt, node_id, sent_at) "
            "select id, app_id, org, 1, 1, 0, $2 from batches where id = any($1::bigint[])",
            [batch.id for batch in first.admitted],
            now,
        )
        await connection.execute(
            "update batches set state = 'sending' where id = any($1::bigint[])",
            [batch.id for batch in first.admitted],
        )
        soon_after = now + timedelta(seconds=0.1)
        assert (
            await reservation.admit(connection, late[25:], paces, now=soon_after)
        ).admitted == []
        ids = await connection.fetch("select id from calls")
        await calls.complete(
            connection,
            [calls.Answer(row["id"], "refused", soon_after, code="90018") for row in ids],
        )
        later = soon_after + timedelta(seconds=1.06)
        assert (await reservation.admit(connection, late[25:], paces, now=later)).admitted == late[
            25:
        ]
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from calls")
    await forget(desk)


async def test_late_waves_that_all_wake_at_once_on_two_nodes_keep_the_pace(
    desk: Operations, truth: Truth, run_service: RunService, settings: Settings, database: Database
) -> None:
    """As after an outage: every body is a call of its own, and the answers take a while."""
    await truth.post("faults", {"path": SEND, "probability": 1, "delay": 0.4})
    await directory.synchronise(desk, None)
    async with run_service():
        for text in ("one", "two"):
            each = spec(
                soon(desk, 40), f"{text} {{{{ person.userid }}}}", to=Audience(everyone=True)
            )
            await schedules.put(desk, text, each, source="yaml")

        async def planned() -> bool:
            found = [one.to_json() for one in (await runs.listed(desk, limit=10)).items]
            return [one["state"] for one in found] == ["planned"] * 2

        await until(planned)
    async with desk.pool.acquire() as connection:
        past = "- interval '90 s'"
        await connection.execute(f"update batches set slot_at = slot_at {past}")
        await connection.execute(f"update runs set due_at = due_at {past}")
        await connection.execute(
            "update dingbell_queue.jobs set execute_after = now(), status = 'queued'"
        )
    async with open_desk(settings, database=database) as other, run_service(), run_service(other):

        async def everybody() -> bool:
            return sum((await truth.rung()).values()) == 80

        await until(everybody, 40)
    stats = await truth.get("stats")
    assert stats["calls"][SEND] == 80, f"some were made twice: {stats}"
    arrivals = sorted(call["received_at"] for call in await truth.calls())
    assert all(b - a >= 1.0 for a, b in zip(arrivals, arrivals[20:], strict=False))


async def test_polls_that_an_outage_made_late_keep_the_pace_too(
    desk: Operations, truth: Truth, run_service: RunService, settings: Settings, database: Database
) -> None:
    await directory.synchronise(desk, None)
    async with run_service():
        run_id = await send(desk, order("read me, {{ person.userid }}"))
        await final(desk, run_id)
    async with desk.pool.acquire() as connection:
        await connection.execute(
            "update batches set next_poll_at = now() - interval '1 min', owner = null, polls = 0"
        )
        await connection.execute("delete from dingbell_queue.jobs")
    before = (await truth.get("stats"))["calls"][RESULT]

    async def polled(least: int) -> bool:
        return (await truth.get("stats"))["calls"][RESULT] - before >= least

    async def all_missed() -> bool:
        # A batch under way is kept for two minutes from its turn on.
        async with desk.pool.acquire() as connection:
            return bool(
                await connection.fetchval(
                    "select bool_and(next_poll_at < now() + interval '119.3 s') from batches"
                )
            )

    async with open_desk(settings, database=database) as other, run_service(), run_service(other):
        await until(lambda: polled(1))
        async with transaction(desk.pool) as connection:
            await connection.execute("lock table deliveries in exclusive mode")
            await until(all_missed)
        await until(lambda: polled(40))
    assert (await truth.get("stats"))["errors"].get("90018") is None


async def test_what_was_moved_into_the_future_meanwhile_is_not_claimed_early(
    desk: Operations, service: Service
) -> None:
    """As a wave that waited for its turn while another claim moved all that is late."""
    await directory.synchronise(desk, None)
    await schedules.put(desk, "s", spec(soon(desk, 30)), source="yaml")

    async def queued() -> list[claims.Queued]:
        async with desk.pool.acquire() as connection:
            waves = await connection.fetch("select distinct wave from batches")
            return [b for row in waves for b in await claims.of_wave(connection, row["wave"])]

    assert await claim(service.node._sender._context, await until(queued)) == []
    assert len(await queued()) == 1


async def test_all_that_is_late_moves_together_once_and_in_order(
    desk: Operations, service: Service
) -> None:
    await reserve(desk, (1,) * 100, Rank.NORMAL)
    now = desk.clock.now()
    async with desk.pool.acquire() as connection:
        begun = run_rows.NewRun(
            None,
            None,
            0,
            Kind.SEND,
            "late",
            await the_app(connection),
            "default",
            None,
            order("late", "manager4220").spec(),
            now,
        )
        ((run_id, _),) = await run_rows.create(connection, [begun], now)
        await connection.execute("update runs set state = 'sending'")
        await connection.execute(
            "update batches set run_id = $1, slot_at = slot_at - interval '70 s'", run_id
        )
        waiting = await claims.of_wave(connection, 1)
        # Another twenty have just been called.
        await connection.execute(
            "insert into calls (batch_id, app_id, org, size, attempt, node_id, sent_at) "
            "select 0, $2, 'default', 1, 1, 0, $1 from generate_series(1, 20)",
            now,
            begun.app_id,
        )
    assert await claim(service.node._sender._context, waiting[40:60]) == []
    async with desk.pool.acquire() as connection:
        rows = await connection.fetch("select id from batches order by slot_at, id")
        late = await connection.fetchval("select count(*) from batches where slot_at < $1", now)
        await connection.execute("delete from calls")
        await connection.execute("delete from runs")
    assert late == 0
    assert [row["id"] for row in rows] == [batch.id for batch in waiting]
    await forget(desk)
