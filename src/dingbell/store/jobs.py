"""Enqueueing on PgQueuer, in the transaction that writes the rows it wakes.

A job is only a wake-up; the rows are the truth. Every handler compares and swaps, so a job that
runs twice or never does no harm (a sweeper wakes rows that nobody moves).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from dingbell.store.connection import Connection

if TYPE_CHECKING:
    import asyncpg
    from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
    from pgqueuer.adapters.persistence.queries import Queries
    from pgqueuer.domain.settings import DBSettings

__all__ = ["CHANNEL", "Job", "enqueue", "prune_log", "queries", "queue_tables"]

CHANNEL = "dingbell_queue"
_QUEUE_SCHEMA = "dingbell_queue"
_PRUNE_STEP = 10_000


@lru_cache(maxsize=1)
def _settings() -> DBSettings:
    """PgQueuer's names, all given, so that no stray environment variable renames a table."""
    # PgQueuer is loaded where it is used: most commands enqueue nothing.
    from pgqueuer.domain.settings import DBSettings
    from pgqueuer.domain.types import Channel

    return DBSettings(
        prefix="",
        db_schema=_QUEUE_SCHEMA,
        channel=Channel(CHANNEL),
        function="changed",
        statistics_table="statistics",
        queue_status_type="status",
        queue_table="jobs",
        queue_table_log="log",
        trigger="changed",
        schedules_table="schedules",
    )


def queue_tables() -> str:
    """The SQL that creates PgQueuer's tables."""
    from pgqueuer.adapters.persistence.schema_ddl import render_install

    # Where the schema is there, its owner need not be allowed to make others.
    made = f"create schema if not exists {_QUEUE_SCHEMA};"
    given = f"if to_regnamespace('{_QUEUE_SCHEMA}') is null then {made} end if;"
    return render_install(_settings()).replace(
        f"CREATE SCHEMA IF NOT EXISTS {_QUEUE_SCHEMA};", f"do $$ begin {given} end $$;"
    )


def queries(connection: Connection, driver: type[AsyncpgDriver] | None = None) -> Queries:
    """PgQueuer's queries over one connection, by its driver or a kind of it."""
    from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
    from pgqueuer.adapters.persistence import qb
    from pgqueuer.adapters.persistence.queries import Queries

    settings = _settings()
    return Queries(
        (driver or AsyncpgDriver)(cast("asyncpg.Connection", connection)),
        qbe=qb.QueryBuilderEnvironment(settings),
        qbq=qb.QueryQueueBuilder(settings),
        qbs=qb.QuerySchedulerBuilder(settings),
    )


@dataclass(frozen=True, slots=True)
class Job:
    """A wake-up.

    Attributes:
        entrypoint: which handler runs.
        payload: what it is told, as JSON.
        at: when, by the database's clock; None is at once.
        dedupe: while a job with this key waits or runs, no second one is made.
        priority: higher ones are taken first.
    """

    entrypoint: str
    payload: Any
    at: datetime | None = None
    dedupe: str | None = None
    priority: int = 0


async def enqueue(connection: Connection, jobs: Sequence[Job]) -> None:
    """Enqueue jobs in the transaction that is open on this connection."""
    if not connection.is_in_transaction():
        raise RuntimeError("enqueue belongs into the transaction that writes the rows")
    if not jobs:
        return
    # PgQueuer adds the delay to the start of the transaction, so it is taken from there.
    start = await connection.fetchval("select now()")
    await queries(connection).enqueue(
        [job.entrypoint for job in jobs],
        [json.dumps(job.payload).encode() for job in jobs],
        [job.priority for job in jobs],
        [job.at - start if job.at else None for job in jobs],
        [job.dedupe for job in jobs],
        on_conflict="skip",
    )


async def prune_log(connection: Connection, before: datetime) -> int:
    """Delete one step of PgQueuer's log, which it never deletes itself; return the count."""
    status = await connection.execute(
        f"""
        delete from {_QUEUE_SCHEMA}.log where ctid = any(array(
            select ctid from {_QUEUE_SCHEMA}.log where created < $1 limit {_PRUNE_STEP}))
        """,
        before,
    )
    return int(status.rpartition(" ")[2])
