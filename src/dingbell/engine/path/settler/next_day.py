"""Next day: those of settled runs who are over `per_person_per_day` → a run of their own, held.

Made when the run has settled, as follow-ups are: what is withdrawn and planned again, or canceled,
leaves nobody behind who would be sent to twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dingbell.domain.audience import Audience
from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.lifecycle import Run
from dingbell.domain.run import Kind, Manual, Occurrence
from dingbell.engine.node.context import Context
from dingbell.planning import wakeups
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import day_counts, runs

__all__ = ["put_off"]


async def put_off(connection: Connection, context: Context, settled: Sequence[int]) -> None:
    """Make the runs of the next day of runs that have just settled; a repeat changes nothing."""
    waiting = await day_counts.put_off(connection, settled)
    if not waiting:
        return
    parents = await runs.of_ids(connection, sorted(waiting))
    made = [_run(parent, *waiting[parent.id]) for parent in parents]
    created = await runs.create(
        connection, [one for one in made if one is not None], context.clock.now()
    )
    held = [(run_id, one.held_until) for run_id, one in created]
    await jobs.enqueue(
        connection, [wakeups.release([run_id], until) for run_id, until in held if until]
    )


def _run(parent: runs.RunRow, until: datetime, userids: Sequence[str]) -> runs.NewRun | None:
    """The same notice for those people, who are held once only."""
    spec = parent.spec
    if not isinstance(spec, Occurrence | Manual):
        return None
    said = {name: getattr(spec, name) for name in Manual.model_fields}
    own = said | {"to": Audience(users=tuple(userids)), "over_limit": "skip"}
    return runs.NewRun(
        schedule_id=parent.schedule_id,
        schedule=parent.schedule,
        revision=0,
        kind=Kind.SEND if parent.schedule_id is None else Kind.RUN,
        key=f"{parent.id}:next_day",
        app_id=parent.app_id,
        org=parent.org,
        function=parent.function,
        spec=Manual.model_construct(**own),
        due_at=parent.due_at,
        state=Run.HELD,
        cause=Cause(CauseKind.DAY_LIMIT),
        parent_id=parent.id,
        held_until=until,
    )
