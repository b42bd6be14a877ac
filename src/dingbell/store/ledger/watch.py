"""What the tables show to be wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from dingbell.domain.alarms import Alarm, AlarmKind, Noun
from dingbell.domain.causes import Cause
from dingbell.domain.lifecycle import Batch, Delivery, Run
from dingbell.store.connection import Connection
from dingbell.store.states import any_of

__all__ = ["failed", "missed", "quarantined", "stuck", "unreached"]

_MOST = 100


async def missed(connection: Connection, before: datetime) -> list[Alarm]:
    """Schedules whose occurrence came due before an instant and has no run."""
    rows = await connection.fetch(
        """
        select name, next_due_at, function from schedules
        where state = 'active' and problem is null and next_due_at < $1
        order by next_due_at limit $2
        """,
        before,
        _MOST,
    )
    return [
        Alarm(
            AlarmKind.OCCURRENCE_MISSED,
            Noun.SCHEDULE,
            row["name"],
            {"due": row["next_due_at"].isoformat(), "function": row["function"]},
        )
        for row in rows
    ]


async def quarantined(connection: Connection) -> list[Alarm]:
    """Schedules that do not fire because their rule raised."""
    rows = await connection.fetch(
        "select name, problem from schedules where problem is not null order by name limit $1",
        _MOST,
    )
    return [
        Alarm(
            AlarmKind.SCHEDULE_QUARANTINED, Noun.SCHEDULE, row["name"], {"problem": row["problem"]}
        )
        for row in rows
    ]


async def stuck(connection: Connection, now: datetime, patience: timedelta) -> list[Alarm]:
    """Runs that have not moved for too long in a state that should pass by itself.

    A pause of the app (a ban, a used-up month) is known elsewhere and no run's fault.
    """
    rows = await connection.fetch(
        f"""
        select id, state, due_at as since from runs
        where state = {Run.DUE:sql} and greatest(due_at, created_at, touched_at) < $1
        union all
        select b.run_id, b.state, min(b.slot_at)
        from batches b join apps a on a.id = b.app_id
        where b.state = {Batch.QUEUED:sql} and b.slot_at < $1
          and coalesce(a.paused_until, '-infinity') < $1
        group by 1, 2
        union all
        select b.run_id, b.state, min(b.sent_at)
        from batches b where b.state = {Batch.ACCEPTED:sql} and b.next_poll_at is not null
          and b.sent_at < $1 - interval '1 hour'
        group by 1, 2
        limit $2
        """,
        now - patience,
        _MOST,
    )
    return [
        Alarm(
            AlarmKind.RUN_STUCK,
            Noun.RUN,
            str(row["id"]),
            {"state": row["state"], "since": row["since"].isoformat()},
        )
        for row in rows
    ]


# The newest run of each schedule, and every run of none, that came to its end since an instant.
_NEWEST = """
    select distinct on (coalesce(schedule_id, -id)) id, schedule, state, cause, cause_params
    from runs where settled_at >= $1 and totals is null
    order by coalesce(schedule_id, -id), due_at desc, id desc
"""


def _of_run(row: object, kind: AlarmKind, params: dict[str, object]) -> Alarm:
    schedule: str | None = row["schedule"]  # type: ignore[index]  # a record
    if schedule is not None:
        return Alarm(kind, Noun.SCHEDULE, schedule, params)
    return Alarm(kind, Noun.RUN, str(row["id"]), params)  # type: ignore[index]  # a record


async def failed(connection: Connection, since: datetime) -> list[Alarm]:
    """Schedules whose newest run failed, and runs of none that did, since an instant."""
    rows = await connection.fetch(
        f"select * from ({_NEWEST}) f where state = {Run.FAILED:sql} order by id limit {_MOST}",
        since,
    )
    found = []
    for row in rows:
        cause = Cause.stored(row["cause"], row["cause_params"])
        said = cause.text() if cause else None
        words = {"en": str(said or ""), "zh": said.zh if said else "", "run": row["id"]}
        found.append(_of_run(row, AlarmKind.RUN_FAILED, words))
    return found


_NOT_REACHED = any_of((Delivery.DROPPED, Delivery.INVALID, Delivery.FAILED))


async def unreached(connection: Connection, since: datetime) -> list[Alarm]:
    """Schedules whose newest run was sent and reached nobody, and such runs of none."""
    rows = await connection.fetch(
        f"""
        select f.*, t.totals from ({_NEWEST}) f cross join lateral (
            select jsonb_object_agg(state, people) as totals,
                   bool_and(state in {_NOT_REACHED}) as nobody
            from (select state, sum(people)::int as people from deliveries
                  where run_id = f.id group by state) s) t
        where f.state = {Run.SETTLED:sql} and t.nobody order by f.id limit {_MOST}
        """,
        since,
    )
    return [
        _of_run(row, AlarmKind.NOBODY_REACHED, {"totals": row["totals"], "run": row["id"]})
        for row in rows
    ]
