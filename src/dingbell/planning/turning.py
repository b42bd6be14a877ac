"""Turning away: what the gates said of runs, written down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dingbell.domain.causes import Cause
from dingbell.domain.gates import Hold, Refuse, TurnedAway
from dingbell.domain.lifecycle import Run
from dingbell.planning import wakeups
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import batches, holds, runs

__all__ = ["turn_away"]


async def turn_away(
    connection: Connection, decided: Mapping[int, TurnedAway], now: datetime
) -> None:
    """Hold, skip or refuse runs; what had been queued of those that end is canceled.

    Args:
        connection: in a transaction that has locked them.
        decided: what becomes of which run.
        now: the present instant.
    """
    ended: list[int] = []
    for decision, ids in _alike(decided):
        if isinstance(decision, Hold):
            held = await holds.hold(
                connection, ids, until=decision.until, cause=decision.cause, now=now
            )
            if held and decision.until is not None:
                await jobs.enqueue(connection, [wakeups.release(held, decision.until)])
        else:
            target = Run.REFUSED if isinstance(decision, Refuse) else Run.SKIPPED
            ended += await runs.move(connection, ids, target, now, cause=decision.cause)
    if ended:
        await batches.cancel_queued(connection, sorted(ended))


def _alike(decided: Mapping[int, TurnedAway]) -> list[tuple[TurnedAway, list[int]]]:
    """The runs of which the same was decided, together."""
    found: dict[tuple[object, ...], tuple[TurnedAway, list[int]]] = {}
    for run_id, decision in sorted(decided.items()):
        until = decision.until if isinstance(decision, Hold) else None
        key = (type(decision), *_key(decision.cause), until)
        found.setdefault(key, (decision, []))[1].append(run_id)
    return list(found.values())


def _key(cause: Cause) -> tuple[str, str]:
    return cause.kind.value, repr(sorted(cause.params.items()))
