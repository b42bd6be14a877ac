"""Operations on approvals: a second person for what reaches many, and letting go what is held.

They apply once the service has two accounts. On a local command line `--yes` is the approval.
"""

from __future__ import annotations

from dingbell.domain.audience import Audience
from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.lifecycle import Run
from dingbell.domain.misfire import too_late
from dingbell.errors import ConflictError, NotFoundError, Text
from dingbell.operations import runs
from dingbell.operations.actor import Actor, Operation
from dingbell.operations.context import Operations
from dingbell.planning import wakeups
from dingbell.store import accounts, jobs, schedules
from dingbell.store.connection import Connection, transaction
from dingbell.store.ledger import holds
from dingbell.store.ledger import runs as run_rows

__all__ = ["APPROVAL_OVER", "approve_run", "approve_schedule", "is_large", "needed"]

# Above so many people, or for everyone, somebody has to say yes.
APPROVAL_OVER = 1_000


def is_large(audience: Audience, people: int) -> bool:
    """Whether a run reaches so many that somebody has to say yes."""
    return audience.everyone or people > APPROVAL_OVER


async def needed(connection: Connection, audience: Audience, people: int, *, actor: Actor) -> bool:
    """Whether a second person has to approve what an account asks for.

    Who is no account is the machine itself: its yes is the approval.
    """
    large = actor.account is not None and is_large(audience, people)
    return large and await accounts.count(connection) >= 2


async def approve_run(ops: Operations, run_id: int) -> None:
    """Let a held run go now, whatever it is held for.

    Args:
        ops: where, and who asks.
        run_id: which.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it is not held, or whoever asked for it approves it.
    """
    ops.may(Operation.RUNS_APPROVE)
    now = ops.clock.now()
    async with transaction(ops.pool) as connection:
        found = await runs.find(connection, run_id)
        if found.cause is not None and found.cause.kind is CauseKind.APPROVAL:
            _check_second(found.requested_by, ops.actor)
        released = await holds.let_go(connection, [run_id], now, by=ops.actor.name)
        if not released:
            raise ConflictError(
                Text(
                    "run {id} is {state}, not held", "发送 {id} 的状态是 {state}, 并未挂起"
                ).format(id=run_id, state=found.state)
            )
        await jobs.enqueue(connection, _plan_jobs(released))


async def approve_schedule(ops: Operations, name: str) -> None:
    """Approve the present revision of a schedule; what waited for it fires, within its grace.

    Raises:
        NotFoundError: there is no such schedule.
        ConflictError: it needs no approval, or whoever changed it approves it.
    """
    ops.may(Operation.SCHEDULES_APPROVE)
    async with transaction(ops.pool) as connection:
        schedule = await schedules.named(connection, name, lock=True)
        if schedule is None:
            raise NotFoundError(
                Text("there is no schedule {name!r}", "没有日程 {name!r}").format(name=name)
            )
        if schedule.approved:
            raise ConflictError(
                Text("schedule {name!r} needs no approval", "日程 {name!r} 无需审批").format(
                    name=name
                )
            )
        _check_second(schedule.requested_by, ops.actor)
        await schedules.approve(connection, schedule.id)
        await _let_go(ops, connection, schedule)


async def _let_go(ops: Operations, connection: Connection, schedule: schedules.Schedule) -> None:
    """Let the occurrences go that waited for the approval; skip those that are too late."""
    now = ops.clock.now()
    waiting = await holds.waiting_for(connection, schedule.id, CauseKind.APPROVAL)
    grace = schedule.parsed().grace()
    late = [one.id for one in waiting if too_late(one.due_at, now, grace)]
    await run_rows.move(
        connection,
        late,
        Run.SKIPPED,
        now,
        cause=Cause(CauseKind.APPROVAL_LATE),
        actor=ops.actor.name,
    )
    released = await holds.let_go(
        connection, [one.id for one in waiting if one.id not in late], now, by=ops.actor.name
    )
    await jobs.enqueue(connection, _plan_jobs(released))


def _plan_jobs(released: list[tuple[int, str | None]]) -> list[jobs.Job]:
    return [wakeups.plan([run_id], function, asked_for=True) for run_id, function in released]


def _check_second(requested_by: str | None, actor: Actor) -> None:
    if actor.account is not None and actor.account == requested_by:
        raise ConflictError(
            Text(
                "{name} asked for this and cannot approve it: another person has to",
                "{name} 是发起人, 不能自己审批: 需要另一个人",
            ).format(name=actor.account)
        )
