"""Slots by rank: who takes whose, and who leaves what to whom. On the real tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dingbell.domain.priority import Rank
from dingbell.domain.slots import Pace
from dingbell.operations.desk import Desk
from dingbell.planning import pace
from dingbell.store import batches
from dingbell.store.connection import Connection, transaction

SLOW = Pace(people_per_minute=100, calls_per_second=20)


async def the_app(connection: Connection) -> int:
    return int(await connection.fetchval("select id from apps"))


async def reserve(desk: Desk, sizes: tuple[int, ...], rank: Rank, **options: Any) -> list[float]:
    """Reserve slots and keep them as queued batches; seconds from now."""
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app_id = await the_app(connection)
        paces = await pace.paces_of(connection, [app_id], SLOW, lock=True)
        wanted = pace.Wanted(app_id, now, sizes, rank, **options)
        (slots,) = await pace.reserve_slots(connection, [wanted], paces, now=now)
        firing_id = int(await connection.fetchval("select nextval('waves')")) + 10**6
        await batches.insert(
            connection,
            [
                batches.NewBatch(
                    firing_id=firing_id,
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


async def forget(desk: Desk) -> None:
    async with desk.pool.acquire() as connection:
        await connection.execute("delete from batches")


async def test_among_equals_the_first_comes_first(desk: Desk) -> None:
    assert await reserve(desk, (100,), Rank.NORMAL) == [0.0]
    assert (await reserve(desk, (100,), Rank.NORMAL))[0] > 59
    await forget(desk)


async def test_an_earlier_rank_takes_the_slots_promised_to_a_later_one(desk: Desk) -> None:
    large = await reserve(desk, (100, 100, 100), Rank.LARGE)
    assert large[0] == 0.0
    assert await reserve(desk, (10,), Rank.NORMAL) == [0.0]
    assert await reserve(desk, (10,), Rank.URGENT) == [0.0]
    # The other way round nothing is taken.
    assert (await reserve(desk, (100,), Rank.BULK))[0] > 180 - 1
    await forget(desk)


async def test_bulk_leaves_a_reserve_in_every_window(desk: Desk) -> None:
    slots = await reserve(desk, (95, 5), Rank.BULK)
    assert slots[0] == 0.0
    assert slots[1] > 59
    await forget(desk)


async def test_a_spread_lies_evenly_and_keeps_to_the_pace(desk: Desk) -> None:
    even = await reserve(desk, (10, 10, 10), Rank.NORMAL, spread=timedelta(seconds=30))
    assert even == [0.0, 10.0, 20.0]
    await forget(desk)
    paced = await reserve(desk, (100, 100), Rank.NORMAL, spread=timedelta(seconds=10))
    assert paced[1] > 59
    await forget(desk)


async def test_who_is_overtaken_is_moved_back_at_the_claim(desk: Desk) -> None:
    await reserve(desk, (100,), Rank.LARGE)
    await reserve(desk, (50,), Rank.URGENT)
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app_id = await the_app(connection)
        paces = await pace.paces_of(connection, [app_id], SLOW, lock=True)
        rows = await connection.fetch(
            "select id, firing_id, app_id, org, size, slot_at, wave, body_hash, lost_at, "
            "rank from batches"
        )
        queued = [pace.claims.Queued(**{**dict(row), "rank": Rank(row["rank"])}) for row in rows]
        large, urgent = sorted(queued, key=lambda one: -one.rank)
        alone = await pace.admit(connection, [large], paces, now=now)
        both = await pace.admit(connection, [large, urgent], paces, now=now)
    assert alone.early == [large]
    assert (both.admitted, both.early) == ([urgent], [large])
    await forget(desk)
