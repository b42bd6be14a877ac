"""Audit: whether the ledger adds up. What is found here is a defect of DingBell's."""

from __future__ import annotations

from datetime import datetime

from dingbell.domain.lifecycle import Batch, Delivery, Run
from dingbell.store.connection import Connection
from dingbell.store.states import BATCH_OPEN, BATCH_POLLED, BATCH_UNSENT, RUN_UNDER_WAY, any_of

__all__ = ["discrepancies"]

_ENDED = any_of((Run.SETTLED, Run.REFUSED, Run.FAILED, Run.SKIPPED))
# Each finds ids of what must not be. `f` are the runs that are looked at.
_LAWS = {
    "a final run with batches still to send": f"""
        select f.id from f join batches b on b.run_id = f.id
        where f.state in {_ENDED}
          and b.state in {BATCH_UNSENT}""",
    "a batch whose people do not add up": """
        select b.id from f join batches b on b.run_id = f.id
        left join deliveries d on d.batch_id = b.id
        group by b.id having coalesce(sum(d.people), 0) + b.moved <> b.size""",
    "a delivery that is not in a batch of its run": """
        select f.id from f join deliveries d on d.run_id = f.id
        left join batches b on b.id = d.batch_id
        where b.run_id is distinct from d.run_id""",
    "a settled batch with people nobody accounted for": f"""
        select b.id from f join batches b on b.run_id = f.id
        join deliveries d on d.batch_id = b.id
        where b.state not in {BATCH_OPEN}
          and (d.state = {Delivery.PLANNED:sql}
               or (d.state = {Delivery.SENT:sql} and d.code is null))""",
    "an accepted batch without a task": f"""
        select b.id from f join batches b on b.run_id = f.id
        where b.state in {BATCH_POLLED} and b.task_id is null""",
    "an accepted batch nobody will look at": f"""
        select b.id from f join batches b on b.run_id = f.id
        where b.state = {Batch.ACCEPTED:sql} and b.next_poll_at is null""",
    "a queued batch of a run that is not on its way": f"""
        select b.id from f join batches b on b.run_id = f.id
        where b.state = {Batch.QUEUED:sql} and f.state not in {RUN_UNDER_WAY}""",
}
_MOST = 20


async def discrepancies(connection: Connection, since: datetime) -> dict[str, list[int]]:
    """What does not add up in the runs made since an instant: the law → ids that break it."""
    found: dict[str, list[int]] = {}
    for law, query in _LAWS.items():
        rows = await connection.fetch(
            f"""
            with f as materialized (
                select id, state from runs where created_at >= $1 and totals is null)
            select distinct id from ({query}) as broken order by id limit {_MOST}
            """,
            since,
        )
        if rows:
            found[law] = [row["id"] for row in rows]
    return found
