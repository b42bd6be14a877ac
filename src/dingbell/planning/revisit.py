"""Revisiting: what is prepared and not called, after a rule or an audience has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dingbell.domain.causes import CauseKind
from dingbell.domain.lifecycle import Run
from dingbell.planning import wakeups
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import holds, runs

__all__ = ["revisit"]


async def revisit(connection: Connection, now: datetime) -> int:
    """Have prepared runs planned again, and those that quiet hours hold asked about again.

    Whoever has been called already is left as he is; who is queued in a run that has begun is asked
    about at the claim, as far as the deny-list goes.

    Args:
        connection: in the transaction that changes the rule.
        now: the present instant.

    Returns:
        How many runs are looked at again.
    """
    planned = await runs.in_state(connection, Run.PLANNED)
    again = await runs.withdraw_batches(connection, planned, now)
    held = await holds.held_for(connection, CauseKind.QUIET_HOURS)
    released = await holds.let_go(connection, held, now)
    due = [(one.id, one.function) for one in again] + released
    # The job that planned them before may not have ended yet, and would stand for this one.
    woken = [replace(wakeups.plan([run_id], function), dedupe=None) for run_id, function in due]
    await jobs.enqueue(connection, woken)
    return len(again) + len(released)
