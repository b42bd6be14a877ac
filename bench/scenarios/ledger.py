"""Questions to a ledger of many rows: whether their cost grows with it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from crowd import ORG, put_apps
from figures import Figure
from options import Options
from stage import Stage, open_stage

from dingbell.operations import runs
from dingbell.store.ledger import deliveries

TITLE = "ledger: questions to a ledger of many deliveries, its pages in memory"
FLOOR = (
    "the same questions in the same run, of the ledger's first 121,000 rows: one run to 100,000 "
    "people, 1,000 runs to one person, 20 runs to 1,000 people"
)
REPEAT = 2
REPEAT_FULL = 1

_COMPANY = 100_000
_PART = 1_000
# Runs by their order. Everybody gets the first; one person alone the next, so that there are
# more notices of that person than are listed from the beginning on; the same person and 999 others
# get each later one.
_TO_ALL = 1
_TO_ONE = range(2, 1_002)
_FIRST_PARTS = range(1_002, 1_022)
_PERSON = "manager4220"
_NEWEST_NOTICES = 50
_NEWEST_RUNS = 20
_SAMPLES = 15
# More rows in one statement would be one long transaction.
_CHUNK = 500
_PATIENCE = 300.0

# Ids are computed, so that no statement has to look up what another has written.
_RUNS = """
    insert into runs (id, kind, key, app_id, org, spec, due_at, created_at, planned_at,
                         started_at, settled_at, touched_at, state)
    overriding system value
    select n, 'send', n::text, $3::bigint, $4::text,
           '{"to": {"everyone": true}, "message": {"text": "notice"}}',
           at, at, at, at, at + interval '1 minute', at, 'settled'
    from generate_series($1::bigint, $2::bigint) as n,
         lateral (select timestamptz '2026-01-01' + n * interval '10 minutes' as at)
"""
_BATCHES = """
    insert into batches (id, run_id, ordinal, app_id, org, body, body_hash, size, state, slot_at,
                         wave, attempt, task_id, sent_at, polls)
    overriding system value
    select n * 1000 + ordinal, n, ordinal, $4::bigint, $5::text,
           convert_to('{"msgtype":"text","text":{"content":"notice ' || n || '"}}', 'UTF8'),
           decode(md5(n::text), 'hex'), least($3::int, 100), 'settled', at, n, 1,
           n * 1000 + ordinal, at + ordinal * interval '1 second', 3
    from generate_series($1::bigint, $2::bigint) as n,
         generate_series(0, ($3::int - 1) / 100) as ordinal,
         lateral (select timestamptz '2026-01-01' + n * interval '10 minutes' as at)
"""
_DELIVERIES = """
    insert into deliveries (run_id, userid, batch_id, state, code, sent_at, read_at)
    select n, case when place = 0 then $4::text
                   else 'u' || lpad(((n * 1000 + place) % $5::int)::text, 6, '0') end,
           n * 1000 + place / 100, state, case when state = 'dropped' then '143106' end, at,
           case when state = 'read' then at + interval '5 minutes' end
    from generate_series($1::bigint, $2::bigint) as n,
         generate_series(0, $3::int - 1) as place,
         lateral (select timestamptz '2026-01-01' + n * interval '10 minutes'
                         + place / 100 * interval '1 second' as at,
                         case when place % 100 = 1 then 'dropped'
                              when place % 4 = 0 then 'unread' else 'read' end as state)
"""
_PEOPLE = """
    insert into people (org, userid, name, active, attributes)
    select $1::text, case when n = 0 then $3::text else 'u' || lpad(n::text, 6, '0') end,
           'person ' || n, true, '{}'
    from generate_series(0, $2::int - 1) as n
"""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked, and how many rows must come back."""

    name: str
    ask: Callable[[], Awaitable[int]]
    rows: int


async def measure(options: Options) -> list[Figure]:
    """The same questions twice: of the ledger's beginning, and when it is full."""
    rows = 10_000_000 if options.full else 1_000_000
    begun = _COMPANY + len(_TO_ONE) + _PART * len(_FIRST_PARTS)
    rest = range(_FIRST_PARTS.stop, _FIRST_PARTS.stop + (rows - begun) // _PART)
    async with open_stage() as stage:
        ((_, app_id),) = await put_apps(stage)
        await _execute(stage, _PEOPLE, ORG.format(0), _COMPANY, _PERSON)
        await _fill(stage, app_id, range(_TO_ALL, _TO_ALL + 1), _COMPANY)
        await _fill(stage, app_id, _TO_ONE, 1)
        await _fill(stage, app_id, _FIRST_PARTS, _PART)
        floor = await _answer(stage, _FIRST_PARTS.start, options)
        began = time.monotonic()
        await _fill(stage, app_id, rest, _PART)
        found = await _answer(stage, rest[len(rest) // 2], options)
        seconds = time.monotonic() - began
        size = await stage.value(
            "select pg_total_relation_size('deliveries') + pg_total_relation_size('batches')"
        )
    options.remarks.append(f"ledger: {rows:,} rows were put in and asked for in {seconds:.0f} s")
    return [
        *(Figure(f"{rows:,} rows: {name}", found[name], floor[name]) for name in found),
        Figure(f"{rows:,} rows: bytes a person in a run, with indexes", size / rows),
    ]


async def _execute(stage: Stage, statement: str, *arguments: object) -> None:
    async with stage.desk.pool.acquire() as connection:
        await connection.execute(statement, *arguments, timeout=_PATIENCE)


async def _fill(stage: Stage, app_id: int, numbers: range, people: int) -> None:
    """Put runs that have settled into the tables, with their batches and their people."""
    org = ORG.format(0)
    for start in range(numbers.start, numbers.stop, _CHUNK):
        part = (start, min(start + _CHUNK, numbers.stop) - 1)
        await _execute(stage, _RUNS, *part, app_id, org)
        await _execute(stage, _BATCHES, *part, people, app_id, org)
        await _execute(stage, _DELIVERIES, *part, people, _PERSON, _COMPANY)


async def _answer(stage: Stage, run: int, options: Options) -> dict[str, float]:
    """Milliseconds that each question takes, asked of tables that are at rest."""
    # What autovacuum would do in a minute, and would do in the middle of the measurement.
    for table in ("runs", "batches", "deliveries", "people"):
        await _execute(stage, f"vacuum (analyze) {table}")
    await _execute(stage, "checkpoint")
    found = {}
    for question in _questions(stage, run):
        found[question.name], rows = await _timed(question)
        if rows != question.rows:
            options.wrong.append(f"ledger: {question.name}: {rows} rows, not {question.rows}")
    return found


async def _timed(question: _Question) -> tuple[float, int]:
    """The median of several executions after one that is not counted."""
    rows = await question.ask()
    taken = []
    for _ in range(_SAMPLES):
        began = time.perf_counter()
        rows = await question.ask()
        taken.append((time.perf_counter() - began) * 1_000)
    return median(taken), rows


def _questions(stage: Stage, run: int) -> list[_Question]:
    pool, desk = stage.desk.pool, stage.desk

    async def totals() -> int:
        async with pool.acquire() as connection:
            return sum((await deliveries.totals(connection, [_TO_ALL]))[_TO_ALL].values())

    async def of_run() -> int:
        async with pool.acquire() as connection:
            everybody = deliveries.Filter()
            return len(await deliveries.of_run(connection, run, everybody, limit=_COMPANY))

    async def of_person() -> int:
        async with pool.acquire() as connection:
            return len(await deliveries.of_person(connection, _PERSON, limit=_NEWEST_NOTICES))

    async def listed() -> int:
        return len((await runs.listed(desk, limit=_NEWEST_RUNS)).items)

    return [
        _Question(f"totals of a run to {_COMPANY:,} (ms)", totals, _COMPANY),
        _Question(f"ledger of a run to {_PART:,} (ms)", of_run, _PART),
        _Question(f"newest {_NEWEST_NOTICES} of a person (ms)", of_person, _NEWEST_NOTICES),
        _Question(f"newest {_NEWEST_RUNS} runs, with totals (ms)", listed, _NEWEST_RUNS),
    ]
