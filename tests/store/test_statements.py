"""Statements of the sending path read what they take, whatever PostgreSQL knows of its tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from dingbell.operations.context import Operations
from dingbell.store.connection import Connection
from dingbell.store.ledger import claims

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
_SCHEDULES, _PREPARED, _PAST = 100, 60, 40

_GIVEN = f"""
insert into runs (schedule_id, kind, key, app_id, org, spec, due_at, created_at, touched_at,
                     state)
select schedule, 'occurrence', occurrence::text, 1, 'o', '{{}}',
       $1::timestamptz + occurrence * interval '1 second', $1::timestamptz, $1::timestamptz,
       case when occurrence < 0 then 'settled' else 'planned' end
from generate_series(1, {_SCHEDULES}) as schedule,
     generate_series(-{_PAST}, {_PREPARED - 1}) as occurrence
order by occurrence, schedule
"""
_WITH_BATCHES = """
insert into batches (run_id, ordinal, app_id, org, body, body_hash, size, state, slot_at, wave)
select id, 0, 1, 'o', '', '', 1, case state when 'planned' then 'queued' else 'settled' end,
       due_at, 1
from runs order by id
"""
_TABLES = ("runs", "batches")


async def _plan_of(connection: Connection, ids: Sequence[int], mode: str) -> dict[str, Any]:
    """How PostgreSQL carries the look at candidates out."""
    seen: list[asyncpg.connection.LoggedQuery] = []
    with connection.query_logger(seen.append):
        found = await claims.candidates(connection, ids, doubt_since=NOON)
        await asyncio.sleep(0)  # loggers are called in the next round of the loop
    assert len(found) == len(ids)
    query = next(one.query for one in seen if "from batches" in one.query)
    await connection.execute(f"set local plan_cache_mode = {mode}")
    await connection.execute(f"prepare looked_at as {query}")
    explained = await connection.fetchval(
        "explain (analyze, format json) "
        f"execute looked_at('{{{','.join(map(str, ids))}}}', '{NOON.isoformat()}')"
    )
    await connection.execute("deallocate looked_at")
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _read(plan: dict[str, Any]) -> float:
    """How many rows of tables and indexes were looked at, in all."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in _nodes(plan)
        if "Scan" in node["Node Type"] and node["Node Type"] != "CTE Scan"
    )


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("known", [(), ("runs",), ("batches",), _TABLES])
async def test_a_claim_reads_what_it_takes_whatever_the_statistics(
    desk: Operations, known: tuple[str, ...], mode: str
) -> None:
    async with desk.pool.acquire() as connection:
        await connection.execute(_GIVEN, NOON)
        await connection.execute(_WITH_BATCHES)
        for table in known:
            await connection.execute(f"analyze {table}")
        ids = await connection.fetch(
            "select id from batches where state = 'queued' order by slot_at, id limit $1",
            _SCHEDULES,
        )
        async with connection.transaction():
            plan = await _plan_of(connection, [row["id"] for row in ids], mode)
    # Small tables may be read as a whole once or twice; never once for each batch.
    assert _read(plan) < 4 * _SCHEDULES * (_PAST + _PREPARED), json.dumps(plan, indent=1)
