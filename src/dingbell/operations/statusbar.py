"""Operations on status bars: change what OA notices show after they were sent."""

from __future__ import annotations

import re
from datetime import timedelta

from dingbell.clients import patiently
from dingbell.dingtalk import Client
from dingbell.domain.lifecycle import Batch
from dingbell.errors import ConflictError, InputError, Text
from dingbell.operations import runs
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View
from dingbell.store import spending
from dingbell.store.connection import acquire, transaction
from dingbell.store.ledger import batches, calls

__all__ = ["WINDOW", "StatusBarReport", "update"]

# The status bar of a notice can be changed for 7 days (status bar page, read 2026-08; its FAQ says
# 24 h).
WINDOW = timedelta(days=7)
_COLOR = re.compile(r"0x[0-9A-Fa-f]{8}")
_TRIES = 6
_SHARE = 0.9


class ChangedBatch(View):
    """A batch whose status bar was to change; `code` says why it did not."""

    ordinal: int
    task_id: int
    code: str | None


class StatusBarReport(View):
    """What became of a change of status bars.

    Attributes:
        run: the run.
    """

    run: int
    changed: int
    failed: int
    batches: tuple[ChangedBatch, ...]


async def update(
    ops: Operations, run_id: int, value: str, background: str | None = None
) -> StatusBarReport:
    """Change the status bar of every batch of a run; a repeat is harmless.

    Args:
        ops: where, and who asks.
        run_id: of OA notices that were sent with a status bar.
        value: the text.
        background: the colour, `0xAARRGGBB`.

    Raises:
        InputError: the colour is none.
        NotFoundError: there is no such run.
        ConflictError: nothing of it can be changed.
    """
    ops.may(Operation.RUNS_STATUS_BAR)
    if background is not None and not _COLOR.fullmatch(background):
        raise InputError(
            Text(
                "{color!r} is no colour: write 0xAARRGGBB, such as 0xFF78C06E",
                "{color!r} 不是颜色: 请写 0xAARRGGBB, 例如 0xFF78C06E",
            ).format(color=background)
        )
    app_id, org, tasks = await _tasks(ops, run_id)
    client = await ops.clients.of(app_id)
    told = [
        ChangedBatch(
            ordinal=ordinal,
            task_id=task_id,
            code=await _update(ops, client, task_id, value, background),
        )
        for ordinal, task_id in tasks
    ]
    async with transaction(ops.pool) as connection:
        spent = [(org, spending.STATUS_BAR, run_id)] * len(told)
        await spending.add(connection, spent, ops.clock.now())
    failed = sum(one.code is not None for one in told)
    return StatusBarReport(
        run=run_id,
        changed=len(told) - failed,
        failed=failed,
        batches=tuple(told),
    )


async def _tasks(ops: Operations, run_id: int) -> tuple[int, str, list[tuple[int, int]]]:
    """The app and org of a run, and (ordinal, task id) of what may still be changed."""
    now = ops.clock.now()
    async with acquire(ops.pool) as connection:
        await runs.find(connection, run_id)
        rows = [
            row
            for row in await batches.of_run(connection, run_id)
            if row["state"] in (Batch.ACCEPTED, Batch.SETTLED)
            and row["sent_at"]
            and now - row["sent_at"] < WINDOW
        ]
        if not rows:
            raise ConflictError(
                Text(
                    "run {id} has no notice of the last 7 days whose status bar could change",
                    "发送 {id} 没有 7 天内可更新状态栏的通知",
                ).format(id=run_id)
            )
        tasks = await calls.tasks(connection, [row["id"] for row in rows])
        app_id, org = await batches.sender_of(connection, rows[0]["id"])
    found = [(row["ordinal"], task) for row in rows for task in tasks.get(row["id"], [])]
    return app_id, org, found


async def _update(
    ops: Operations, client: Client, task_id: int, value: str, background: str | None
) -> str | None:
    """Change one; return DingTalk's code where that did not work."""
    await ops.clock.sleep(1 / (ops.pace.calls_per_second * _SHARE))
    return await patiently(
        lambda: client.update_status_bar(task_id, value, background), ops.clock, tries=_TRIES
    )
