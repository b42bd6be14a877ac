"""Operations on runs: list, show, wait, cancel, recall."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from dingbell.domain.causes import Cause, CauseKind, canceled
from dingbell.domain.forecast import came_true
from dingbell.domain.lifecycle import Delivery, Run
from dingbell.errors import ConflictError, InputError, NotFoundError, OutsideError, Text
from dingbell.operations import paging
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.run_views import (
    BatchView,
    MispredictionView,
    RunPage,
    RunReport,
    RunView,
    batch_view,
    cursor_behind,
    delivery_view,
    misprediction_view,
    run_fields,
    run_view,
)
from dingbell.planning import wakeups
from dingbell.store import jobs, nodes
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import batches, deliveries, recalls, runs, summaries
from dingbell.store.ledger.summaries import Summary

__all__ = [
    "People",
    "cancel",
    "cancel_all",
    "listed",
    "not_recalled",
    "overview",
    "recall",
    "recalled",
    "show",
    "troubles",
    "watch",
]

# `recall` works for 24 h (recall page, read 2026-08).
RECALL_WINDOW = timedelta(hours=24)
_LOOK_EVERY = 0.3
# So many of those who ended otherwise than expected are named.
_SURPRISES = 100


@dataclass(frozen=True, slots=True)
class People:
    """Which people of a run are meant.

    Attributes:
        state: those in this state.
        departments: those in one of these departments, or below.
    """

    state: str | None = None
    departments: tuple[int, ...] = ()

    def filter(self) -> deliveries.Filter:
        """The filter as the tables know it.

        Raises:
            InputError: there is no such state.
        """
        known = [one.value for one in Delivery]
        if self.state is not None and self.state not in known:
            raise InputError(_no_state(self.state, known))
        return deliveries.Filter(Delivery(self.state) if self.state else None, self.departments)


EVERYBODY = People()


def _no_state(state: str, known: list[str]) -> Text:
    return Text(
        "there is no state {state!r}: there are {known}", "没有状态 {state!r}: 可用 {known}"
    ).format(state=state, known=", ".join(known))


async def listed(
    ops: Operations,
    *,
    limit: int = 20,
    after: str | None = None,
    schedule: str | None = None,
    state: str | None = None,
    unknown: bool = False,
) -> RunPage:
    """The newest runs first; with `unknown`, those with people of whom nobody knows.

    Raises:
        InputError: there is no such state, or the cursor is none.
    """
    ops.may(Operation.RUNS_SEE)
    known = [one.value for one in Run]
    if state is not None and state not in known:
        raise InputError(_no_state(state, known))
    before = paging.after_id(after)
    async with acquire(ops.pool) as connection:
        found = await summaries.newest(
            connection,
            limit=limit + 1,
            schedule=schedule,
            state=state,
            unknown=unknown,
            before=before,
        )
        more, found = len(found) > limit, found[:limit]
        totals = await deliveries.totals(connection, [one.id for one in found])
    return RunPage(
        items=tuple(run_view(one, totals[one.id]) for one in found),
        next=str(found[-1].id) if more else None,
    )


async def find(connection: Connection, run_id: int) -> Summary:
    """A run.

    Raises:
        NotFoundError: there is no such run.
    """
    found = await summaries.find(connection, run_id)
    if found is None:
        raise NotFoundError(
            Text(
                "there is no run {id}: see `dingbell runs list`",
                "没有发送 {id}: 见 `dingbell runs list`",
            ).format(id=run_id)
        )
    return found


async def overview(ops: Operations, run_id: int) -> RunView:
    """A run with its totals, without its people.

    Raises:
        NotFoundError: there is no such run.
    """
    ops.may(Operation.RUNS_SEE)
    async with acquire(ops.pool) as connection:
        return await _overview(connection, run_id)


async def _overview(connection: Connection, run_id: int) -> RunView:
    summary = await find(connection, run_id)
    totals = await deliveries.totals(connection, [run_id])
    return run_view(summary, totals[run_id])


async def show(
    ops: Operations,
    run_id: int,
    people: People = EVERYBODY,
    *,
    limit: int = 100,
    after: str | None = None,
    after_batch: int | None = None,
) -> RunReport:
    """A run with a page of its batches and a page of its people.

    Args:
        ops: where, and who asks.
        run_id: which.
        people: whom to tell of.
        limit: how many batches, and how many people.
        after: the cursor that the page of people before ended with.
        after_batch: likewise for batches.

    Raises:
        NotFoundError: there is no such run.
        InputError: there is no such state, or the cursor is none.
    """
    ops.may(Operation.RUNS_SEE)
    wanted, behind = people.filter(), paging.after_key(after)
    async with (
        acquire(ops.pool) as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        summary = await find(connection, run_id)
        totals = await deliveries.totals(connection, [run_id])
        own = await batches.of_run(connection, run_id, after=after_batch, limit=limit + 1)
        rows = await deliveries.of_run(connection, run_id, wanted, limit=limit + 1, after=behind)
        mispredictions, surprised = await _surprises(connection, run_id)
    return RunReport(
        **run_fields(summary, totals[run_id]),
        batches=tuple(batch_view(dict(row)) for row in own[:limit]),
        next_batch=own[limit - 1]["ordinal"] if len(own) > limit else None,
        deliveries=tuple(delivery_view(dict(row)) for row in rows[:limit]),
        next=cursor_behind(dict(rows[limit - 1])) if len(rows) > limit else None,
        mispredictions=mispredictions,
        surprised=surprised,
    )


async def _surprises(
    connection: Connection, run_id: int
) -> tuple[tuple[MispredictionView, ...], int]:
    """The first of those who ended otherwise than expected, and how many they are."""
    wrong = [
        row
        for row in await deliveries.endings(connection, run_id)
        if came_true(row["predicted"], row["state"]) is False
    ]
    if not wrong:
        return (), 0
    endings = [(row["predicted"], row["state"]) for row in wrong]
    rows = await deliveries.ended(connection, run_id, endings, limit=_SURPRISES)
    return tuple(misprediction_view(dict(row)) for row in rows), sum(row["people"] for row in wrong)


async def watch(ops: Operations, run_id: int) -> AsyncIterator[RunView]:
    """Follow a run: yield it whenever it changed, until it is final.

    Raises:
        NotFoundError: there is no such run.
        OutsideError: it waits for a function of a program that is not running.
    """
    ops.may(Operation.RUNS_SEE)
    last: RunView | None = None
    while True:
        async with acquire(ops.pool) as connection:
            found = await _overview(connection, run_id)
            over = found.final and not await batches.any_open(connection, run_id)
        if found != last:
            yield found
        if found.state == Run.DUE:
            await _check_attended(ops, run_id)
        if over:
            return
        last = found
        await ops.clock.sleep(_LOOK_EVERY)


async def _check_attended(ops: Operations, run_id: int) -> None:
    """See that a run which waits for an author's function has somebody to call it."""
    async with acquire(ops.pool) as connection:
        function = await nodes.unattended(connection, run_id)
    if function is not None:
        raise OutsideError(
            Text(
                "run {id} waits for a program that is not running: {function} makes its "
                "message. It goes on when the program is there again",
                "发送 {id} 在等待未运行的程序: 其消息由 {function} 生成; 程序恢复运行后会继续",
            ).format(id=run_id, function=function)
        )


async def troubles(ops: Operations, run_id: int) -> dict[str, int]:
    """Codes of calls that did not work and will be made again, and of how many batches."""
    ops.may(Operation.RUNS_SEE)
    async with acquire(ops.pool) as connection:
        return await batches.waiting_codes(connection, run_id)


async def cancel(ops: Operations, run_id: int) -> RunView:
    """Cancel what has not been claimed yet; what is claimed counts as sent.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: there is nothing left to cancel.
    """
    ops.may(Operation.RUNS_CANCEL)
    async with transaction(ops.pool) as connection:
        summary = await find(connection, run_id)
        moved = await runs.move(
            connection,
            [run_id],
            Run.CANCELED,
            ops.clock.now(),
            cause=canceled(ops.actor.account),
            actor=ops.actor.name,
        )
        if not moved:
            raise ConflictError(
                Text(
                    "run {id} is {state}: there is nothing left to cancel",
                    "发送 {id} 已是 {state}: 没有可取消的内容",
                ).format(id=run_id, state=summary.state)
            )
        await batches.cancel_queued(connection, [run_id], actor=ops.actor.name)
        return await _overview(connection, run_id)


async def cancel_all(ops: Operations) -> tuple[int, ...]:
    """Cancel everything that has not been sent, of every run on its way; return which."""
    ops.may(Operation.RUNS_CANCEL)
    async with acquire(ops.pool) as connection:
        waiting = await runs.cancelable(connection)
    stopped = []
    for run_id in waiting:
        try:
            await cancel(ops, run_id)
        except ConflictError:
            continue  # it has come to its end meanwhile
        stopped.append(run_id)
    return tuple(stopped)


async def recall(ops: Operations, run_id: int) -> None:
    """Have every batch of a run taken off the phones; the engine does it.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: nothing was sent, or it was more than 24 h ago.
    """
    ops.may(Operation.RUNS_RECALL)
    now = ops.clock.now()
    async with transaction(ops.pool) as connection:
        summary = await find(connection, run_id)
        if not await batches.sent_since(connection, run_id, now - RECALL_WINDOW):
            raise ConflictError(
                Text(
                    "run {id} ({state}) has nothing to recall: DingTalk recalls what was sent "
                    "in the last 24 hours",
                    "发送 {id} ({state}) 没有可撤回的内容: 钉钉只能撤回 24 小时内发送的通知",
                ).format(id=run_id, state=summary.state)
            )
        await runs.move(
            connection,
            [run_id],
            Run.CANCELED,
            now,
            cause=Cause(CauseKind.RECALLED, {"by": ops.actor.account}),
            actor=ops.actor.name,
        )
        await batches.cancel_queued(connection, [run_id], actor=ops.actor.name)
        await batches.clear_recall_codes(connection, run_id)
        await recalls.ask(connection, run_id, now)
        await jobs.enqueue(connection, [wakeups.recall(run_id)])


async def recalled(ops: Operations, run_id: int) -> bool:
    """Whether a recall has been carried out: every batch is recalled or says why not."""
    ops.may(Operation.RUNS_SEE)
    async with acquire(ops.pool) as connection:
        return not await recalls.pending(connection, run_id)


async def not_recalled(ops: Operations, run_id: int) -> tuple[BatchView, ...]:
    """The batches that could not be recalled."""
    ops.may(Operation.RUNS_SEE)
    async with acquire(ops.pool) as connection:
        rows = await batches.of_run(connection, run_id)
    return tuple(batch_view(dict(row)) for row in rows if row["recall_code"])
