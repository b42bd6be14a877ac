"""Operations on approvals: a second person for what reaches many, and letting go what is held.

They apply once the service has two accounts. On a local command line `--yes` is the approval.
"""

from __future__ import annotations

from datetime import datetime

from dingbell.domain.audience import Audience
from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.lifecycle import Firing
from dingbell.domain.misfire import too_late
from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations import reports
from dingbell.operations.desk import Desk
from dingbell.planning import wakeups
from dingbell.store import accounts, firings, holds, jobs, schedules
from dingbell.store.connection import Connection, acquire, transaction

__all__ = ["APPROVAL_OVER", "approve_firing", "approve_schedule", "is_large", "needed"]

# Above so many people, or for everyone, somebody has to say yes.
APPROVAL_OVER = 1_000


def is_large(audience: Audience, people: int) -> bool:
    """Whether a firing reaches so many that somebody has to say yes."""
    return audience.everyone or people > APPROVAL_OVER


async def needed(
    connection: Connection, audience: Audience, people: int, *, by: str | None
) -> bool:
    """Whether a second person has to approve what an account asks for; None is the local CLI."""
    large = by is not None and is_large(audience, people)
    return large and await accounts.count(connection) >= 2


async def approve_firing(desk: Desk, firing_id: int, *, by: str | None = None) -> None:
    """Let a held firing go now, whatever it is held for.

    Args:
        desk: where.
        firing_id: which.
        by: the account that approves; None is the local command line, which may approve anything.

    Raises:
        NotFoundError: there is no such firing, or no such account.
        ConflictError: it is not held, or whoever asked for it approves it.
    """
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        await _check_account(connection, by)
        found = await reports.find(connection, firing_id)
        if found.cause is not None and found.cause.kind is CauseKind.APPROVAL:
            _check_second(found.requested_by, by)
        released = await holds.let_go(connection, [firing_id], now, by=by or holds.LOCAL)
        if not released:
            raise ConflictError(
                Text(
                    "firing {id} is {state}, not held", "触发 {id} 的状态是 {state}, 并未挂起"
                ).format(id=firing_id, state=found.state)
            )
        await jobs.enqueue(connection, _plan_jobs(released))


async def approve_schedule(desk: Desk, name: str, *, by: str | None = None) -> None:
    """Approve the present revision of a schedule; what waited for it fires, within its grace.

    Raises:
        NotFoundError: there is no such schedule, or no such account.
        ConflictError: it needs no approval, or whoever changed it approves it.
    """
    async with transaction(desk.pool) as connection:
        await _check_account(connection, by)
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
        _check_second(schedule.requested_by, by)
        await schedules.approve(connection, schedule.id)
        await _let_go(connection, schedule, by, desk.clock.now())


async def _let_go(
    connection: Connection, schedule: schedules.Schedule, by: str | None, now: datetime
) -> None:
    """Let the occurrences go that waited for the approval; skip those that are too late."""
    waiting = await holds.waiting_for(connection, schedule.id, CauseKind.APPROVAL)
    grace = schedule.parsed().grace()
    late = [one.id for one in waiting if too_late(one.due_at, now, grace)]
    await firings.move(connection, late, Firing.SKIPPED, now, cause=Cause(CauseKind.APPROVAL_LATE))
    released = await holds.let_go(
        connection, [one.id for one in waiting if one.id not in late], now, by=by or holds.LOCAL
    )
    await jobs.enqueue(connection, _plan_jobs(released))


def _plan_jobs(released: list[tuple[int, str | None]]) -> list[jobs.Job]:
    return [wakeups.plan([firing_id], function, asked_for=True) for firing_id, function in released]


async def _check_account(connection: Connection, by: str | None) -> None:
    if by is not None and not await accounts.exists(connection, by):
        raise NotFoundError(
            Text("there is no account {name!r}", "没有账户 {name!r}").format(name=by)
        )


def _check_second(requested_by: str | None, by: str | None) -> None:
    if by is not None and by == requested_by:
        raise ConflictError(
            Text(
                "{name} asked for this and cannot approve it: another person has to",
                "{name} 是发起人, 不能自己审批: 需要另一个人",
            ).format(name=by)
        )


async def add_account(desk: Desk, name: str) -> None:
    """Add an account.

    Raises:
        InputError: the name is blank.
        ConflictError: there is one of that name.
    """
    if not name.strip():
        raise InputError(Text("an account needs a name", "账户需要名称"))
    async with transaction(desk.pool) as connection:
        if not await accounts.add(connection, name.strip(), desk.clock.now()):
            raise ConflictError(
                Text("there is an account {name!r} already", "账户 {name!r} 已存在").format(
                    name=name
                )
            )


async def remove_account(desk: Desk, name: str) -> None:
    """Remove an account.

    Raises:
        NotFoundError: there is none of that name.
    """
    async with transaction(desk.pool) as connection:
        if not await accounts.remove(connection, name):
            raise NotFoundError(
                Text("there is no account {name!r}", "没有账户 {name!r}").format(name=name)
            )


async def account_names(desk: Desk) -> list[str]:
    """Every account."""
    async with acquire(desk.pool) as connection:
        return await accounts.names(connection)
