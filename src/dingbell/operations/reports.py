"""Operations on firings: list, show, wait, cancel, recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from dingbell.clock import SHANGHAI
from dingbell.domain.causes import Cause, CauseKind, canceled
from dingbell.domain.lifecycle import Batch, Firing
from dingbell.domain.preflight import came_true, expectation
from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations.desk import Desk
from dingbell.planning import wakeups
from dingbell.store import batches, deliveries, firings, jobs, summaries
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.summaries import Summary

__all__ = ["cancel", "cancel_all", "listed", "recall", "show", "troubles", "watch"]

# `recall` works for 24 h (recall page, read 2026-08).
RECALL_WINDOW = timedelta(hours=24)
_LOOK_EVERY = 0.3


def instant(value: datetime | None) -> str | None:
    return value.astimezone(SHANGHAI).isoformat() if value else None


def present(summary: Summary, totals: dict[str, int]) -> dict[str, Any]:
    """A firing as JSON."""
    return {
        "id": summary.id,
        "schedule": summary.schedule,
        "kind": summary.kind,
        "app": summary.app,
        "due_at": instant(summary.due_at),
        "state": summary.state,
        "reason": str(summary.cause.text()) if summary.cause else None,
        "cause": _cause(summary.cause),
        "occurrences": summary.occurrences,
        "parent": summary.parent_id,
        "held_until": instant(summary.held_until),
        "requested_by": summary.requested_by,
        # People are forgotten one day, totals are not.
        "totals": totals if summary.totals is None else summary.totals,
        "forecast": summary.forecast,
        "created_at": instant(summary.created_at),
        "planned_at": instant(summary.planned_at),
        "started_at": instant(summary.started_at),
        "settled_at": instant(summary.settled_at),
    }


def _cause(cause: Cause | None) -> dict[str, Any] | None:
    return {"kind": cause.kind.value, **cause.params} if cause else None


async def listed(
    desk: Desk,
    *,
    limit: int = 20,
    schedule: str | None = None,
    state: str | None = None,
    unknown: bool = False,
) -> list[dict[str, Any]]:
    """The newest firings first; with `unknown`, those with people of whom nobody knows.

    Raises:
        InputError: there is no such state.
    """
    if state is not None and state not in {one.value for one in Firing}:
        raise InputError(
            Text(
                "there is no state {state!r}: there are {known}", "没有状态 {state!r}: 可用 {known}"
            ).format(state=state, known=", ".join(one.value for one in Firing))
        )
    async with acquire(desk.pool) as connection:
        found = await summaries.newest(
            connection, limit=limit, schedule=schedule, state=state, unknown=unknown
        )
        totals = await deliveries.totals(connection, [one.id for one in found])
    return [present(one, totals[one.id]) for one in found]


async def find(connection: Connection, firing_id: int) -> Summary:
    """A firing.

    Raises:
        NotFoundError: there is no such firing.
    """
    found = await summaries.find(connection, firing_id)
    if found is None:
        raise NotFoundError(
            Text(
                "there is no firing {id}: see `dingbell firings list`",
                "没有触发 {id}: 见 `dingbell firings list`",
            ).format(id=firing_id)
        )
    return found


async def overview(desk: Desk, firing_id: int) -> dict[str, Any]:
    """A firing with its totals, without its people."""
    async with acquire(desk.pool) as connection:
        summary = await find(connection, firing_id)
        totals = await deliveries.totals(connection, [firing_id])
    return present(summary, totals[firing_id])


async def show(desk: Desk, firing_id: int) -> dict[str, Any]:
    """A firing with its batches and its people.

    Raises:
        NotFoundError: there is no such firing.
    """
    async with (
        acquire(desk.pool) as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        summary = await find(connection, firing_id)
        totals = await deliveries.totals(connection, [firing_id])
        own = await batches.of_firing(connection, firing_id)
        people = await deliveries.of_firing(connection, firing_id)
        odd = await deliveries.surprises(connection, firing_id)
    return {
        **present(summary, totals[firing_id]),
        "batches": [
            {
                "ordinal": row["ordinal"],
                "state": row["state"],
                "task_id": row["task_id"],
                "slot_at": instant(row["slot_at"]),
                "sent_at": instant(row["sent_at"]),
                "size": row["size"],
                "attempts": row["attempt"],
                "code": row["code"],
                "recall_code": row["recall_code"],
                "words": _words(row["words"]),
            }
            for row in own
        ],
        "deliveries": [delivery(dict(row)) for row in people],
        "surprises": [
            _surprise(dict(row)) for row in odd if came_true(row["foreseen"], row["state"]) is False
        ],
    }


def _words(kept: Mapping[str, str] | None) -> Text | None:
    """What exactly was wrong, in both languages."""
    return Text(kept["en"], kept["zh"]) if kept else None


def _surprise(row: Mapping[str, Any]) -> dict[str, Any]:
    """Somebody of whom the forecast was wrong."""
    return {
        "userid": row["userid"],
        "expected": expectation(row["foreseen"]).expected,
        "state": row["state"],
        "code": row["code"],
    }


def delivery(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the ledger as JSON."""
    expected = expectation(row["foreseen"])
    return {
        "userid": row["userid"],
        "name": row["name"],
        "state": row["state"],
        "code": row["code"],
        "task_id": row["task_id"],
        "sent_at": instant(row["sent_at"]),
        "read_at": instant(row["read_at"]),
        "attempt": row["attempt"],
        "expected": expected.expected,
        "words": _words(row["words"]),
    }


async def watch(desk: Desk, firing_id: int) -> AsyncIterator[dict[str, Any]]:
    """Follow a firing: yield it whenever it changed, until it is final."""
    last: dict[str, Any] | None = None
    while True:
        found = await overview(desk, firing_id)
        if found != last:
            yield found
        if Firing(found["state"]).final and not await _open_batches(desk, firing_id):
            return
        last = found
        await desk.clock.sleep(_LOOK_EVERY)


async def _open_batches(desk: Desk, firing_id: int) -> bool:
    async with acquire(desk.pool) as connection:
        rows = await batches.of_firing(connection, firing_id)
    return any(not Batch(row["state"]).final for row in rows)


async def troubles(desk: Desk, firing_id: int) -> dict[str, int]:
    """Codes of calls that did not work and will be made again, and of how many batches."""
    async with acquire(desk.pool) as connection:
        rows = await batches.of_firing(connection, firing_id)
    return dict(
        Counter(row["code"] for row in rows if row["state"] == Batch.QUEUED and row["code"])
    )


async def cancel(desk: Desk, firing_id: int) -> dict[str, Any]:
    """Cancel what has not been claimed yet; what is claimed counts as sent.

    Raises:
        NotFoundError: there is no such firing.
        ConflictError: there is nothing left to cancel.
    """
    async with transaction(desk.pool) as connection:
        summary = await find(connection, firing_id)
        moved = await firings.move(
            connection,
            [firing_id],
            Firing.CANCELED,
            desk.clock.now(),
            cause=canceled(None),
        )
        if not moved:
            raise ConflictError(
                Text(
                    "firing {id} is {state}: there is nothing left to cancel",
                    "触发 {id} 已是 {state}: 没有可取消的内容",
                ).format(id=firing_id, state=summary.state)
            )
        await batches.cancel_queued(connection, [firing_id])
    return await overview(desk, firing_id)


async def cancel_all(desk: Desk) -> list[int]:
    """Cancel everything that has not been sent, of every firing on its way; return which."""
    async with acquire(desk.pool) as connection:
        waiting = await firings.cancelable(connection)
    canceled = []
    for firing_id in waiting:
        try:
            await cancel(desk, firing_id)
        except ConflictError:
            continue  # it has come to its end meanwhile
        canceled.append(firing_id)
    return canceled


async def recall(desk: Desk, firing_id: int) -> None:
    """Have every batch of a firing taken off the phones; the engine does it.

    Raises:
        NotFoundError: there is no such firing.
        ConflictError: nothing was sent, or it was more than 24 h ago.
    """
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        summary = await find(connection, firing_id)
        rows = await batches.of_firing(connection, firing_id)
        sent = [
            row for row in rows if row["state"] in (Batch.ACCEPTED, Batch.SETTLED, Batch.SENDING)
        ]
        if not any(row["sent_at"] and now - row["sent_at"] < RECALL_WINDOW for row in sent):
            raise ConflictError(
                Text(
                    "firing {id} ({state}) has nothing to recall: DingTalk recalls what was sent "
                    "in the last 24 hours",
                    "触发 {id} ({state}) 没有可撤回的内容: 钉钉只能撤回 24 小时内发送的通知",
                ).format(id=firing_id, state=summary.state)
            )
        await firings.move(
            connection, [firing_id], Firing.CANCELED, now, cause=Cause(CauseKind.RECALLED)
        )
        await batches.cancel_queued(connection, [firing_id])
        await batches.clear_recall_codes(connection, firing_id)
        await firings.ask_recall(connection, firing_id, now)
        await jobs.enqueue(connection, [wakeups.recall(firing_id)])


async def recalled(desk: Desk, firing_id: int) -> bool:
    """Whether a recall has been carried out: every batch is recalled or says why not."""
    async with acquire(desk.pool) as connection:
        return not await firings.recall_pending(connection, firing_id)
