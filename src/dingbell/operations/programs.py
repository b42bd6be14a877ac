"""Operations on programs: what a process registers as its own."""

from __future__ import annotations

from collections.abc import Mapping

from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations import schedules
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.store import schedules as rows
from dingbell.store.connection import transaction

__all__ = ["register"]


async def register(ops: Operations, program: str, specs: Mapping[str, ScheduleSpec]) -> None:
    """Create or change the schedules of a program, all or none; those it has no more are orphaned.

    Raises:
        ConflictError: a name belongs to another program, or to a file.
        InputError: a schedule would never fire.
    """
    ops.may(Operation.SCHEDULES_PUT)
    async with transaction(ops.pool) as connection:
        await rows.reserve(connection, sorted(specs))
        for name, spec in sorted(specs.items()):
            await schedules.store(ops, connection, name, spec, source="python", program=program)
        await rows.mark_orphans(connection, program, sorted(specs))
