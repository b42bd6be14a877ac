"""Operations on what did not arrive: send it once more, or say what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from dingbell.domain.lifecycle import Delivery, Run
from dingbell.errors import ConflictError, InputError, Text
from dingbell.operations import runs
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View
from dingbell.planning.resend import may_resend, queue_resend
from dingbell.store.connection import Connection, transaction
from dingbell.store.ledger import deliveries, recalls, resends
from dingbell.store.ledger.resends import Broken

__all__ = ["Kind", "Resent", "resend", "resolve"]

# Dropped because too many were sent to in a minute; failed; nobody knows.
Kind = Literal["pace", "failed", "unknown"]
KINDS: tuple[Kind, ...] = ("pace", "failed", "unknown")
_DEFAULT: tuple[Kind, ...] = ("pace", "failed")
RESOLVED = "by_hand"


class Resent(View):
    """Who is sent to once more.

    Attributes:
        run: the run.
        sent: whether they are; False where it was only asked who it would be.
    """

    run: int
    people: int
    userids: tuple[str, ...]
    sent: bool


async def resend(
    ops: Operations, run_id: int, kinds: tuple[Kind, ...] = _DEFAULT, *, dry_run: bool = False
) -> Resent:
    """Queue the people of a run once more, with the same bytes.

    Nobody is rung twice: who has the notice after all is dropped by DingTalk as a duplicate. What
    is `unknown` is covered by that on the day of its call only, and refused later.

    Args:
        ops: where, and who asks.
        run_id: which.
        kinds: whom: dropped for pace, failed, unknown.
        dry_run: only say who it would be.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it is still being planned, was canceled or recalled, or there is nobody.
    """
    ops.may(Operation.RUNS_RESEND)
    now = ops.clock.now()
    async with transaction(ops.pool) as connection:
        found = await runs.find(connection, run_id)
        if await recalls.asked(connection, run_id):
            raise ConflictError(
                Text("run {id} is being recalled", "发送 {id} 正在撤回").format(id=run_id)
            )
        if found.state not in (Run.SENDING, Run.SETTLED):
            raise ConflictError(
                Text(
                    "run {id} is {state}: only what was sent can be sent again",
                    "发送 {id} 的状态是 {state}: 只有已发送的才能重发",
                ).format(id=run_id, state=found.state)
            )
        people = await _wanted(connection, run_id, kinds, now)
        if not dry_run:
            await queue_resend(
                connection, people, ops.pace, not_before=now, now=now, actor=ops.actor.name
            )
    return Resent(
        run=run_id,
        people=len(people),
        userids=tuple(one.userid for one in people),
        sent=not dry_run,
    )


async def _wanted(
    connection: Connection, run_id: int, kinds: tuple[Kind, ...], now: datetime
) -> list[Broken]:
    people = [
        one
        for kind in dict.fromkeys(kinds)
        for one in await resends.of_run(connection, run_id, kind)
    ]
    if not people:
        raise ConflictError(
            Text(
                "run {id} has nobody to send to again ({kinds}): see `dingbell runs show {id}`",
                "发送 {id} 没有需要重发的人 ({kinds}): 见 `dingbell runs show {id}`",
            ).format(id=run_id, kinds=", ".join(kinds))
        )
    too_late = [
        one for one in people if one.in_doubt_since and not may_resend(now, one.in_doubt_since)
    ]
    if too_late:
        raise ConflictError(
            Text(
                "{count} people may have it since an earlier Beijing day: DingTalk would not "
                "notice the repeat. Ask them, then `dingbell runs resolve {id} --as "
                "delivered|failed`",
                "有 {count} 人可能在此前某天已收到: 钉钉不会识别重复。请询问后使用 "
                "`dingbell runs resolve {id} --as delivered|failed`",
            ).format(count=len(too_late), id=run_id)
        )
    return people


async def resolve(
    ops: Operations, run_id: int, *, delivered: bool, userids: tuple[str, ...] = ()
) -> int:
    """Say what became of people of whom nobody knows; return how many there were.

    Args:
        ops: where, and who asks.
        run_id: which.
        delivered: whether they got it.
        userids: whom; everybody who is `unknown` when empty.

    Raises:
        NotFoundError: there is no such run.
        InputError: somebody named is not unknown, or nobody is.
    """
    ops.may(Operation.RUNS_RESOLVE)
    target = Delivery.SENT if delivered else Delivery.FAILED
    async with transaction(ops.pool) as connection:
        await runs.find(connection, run_id)
        moved = await deliveries.resolve(
            connection,
            run_id,
            list(userids),
            target,
            code=RESOLVED,
            actor=ops.actor.name,
        )
        missing = sorted(set(userids) - set(moved))
        if missing or not moved:
            raise InputError(
                Text("not unknown in run {id}: {names}", "在发送 {id} 中并非未知: {names}").format(
                    id=run_id, names=", ".join(missing[:10]) or "-"
                )
            )
    return len(moved)
