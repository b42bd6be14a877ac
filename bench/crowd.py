"""What is put on the stage: apps, people and schedules, by the thousand and in few statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stage import Stage

from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations import apps
from dingbell.store import directory, schedules
from dingbell.store.connection import transaction

__all__ = ["once", "put_apps", "put_people", "put_schedules"]

ORG = "org{}"


async def put_apps(stage: Stage) -> list[tuple[str, int]]:
    """Make every app of the company known, each in an org of its own; return (name, id)."""
    found = []
    async with transaction(stage.desk.pool) as connection:
        for number, app in enumerate(await stage.company.apps()):
            spec = apps.AppSpec(
                agent_id=app["agent_id"],
                app_key=app["app_key"],
                app_secret=app["app_secret"],
                org=ORG.format(number),
            )
            await apps.store(stage.desk, connection, f"app{number}", spec)
            stored = await apps.find(stage.desk, connection, f"app{number}")
            found.append((f"app{number}", stored.id))
    return found


async def put_people(stage: Stage) -> int:
    """Put everybody of the company into the directory of the first org."""
    people = [
        directory.Person(one["userid"], one["name"], None, True, (1,), {})
        for one in await stage.company.people()
    ]
    departments = [directory.Department(1, "all", None)]
    async with transaction(stage.desk.pool) as connection:
        await directory.replace(
            connection,
            ORG.format(0),
            departments=departments,
            people=people,
            roles=[],
            now=datetime.now(UTC),
        )
        await connection.execute("analyze people")
    return len(people)


def once(at: float, userid: str, text: str) -> dict[str, Any]:
    """A schedule for one person at one instant."""
    due = datetime.fromtimestamp(at, UTC)
    spec = ScheduleSpec.model_validate(
        {"when": {"once": due.isoformat()}, "to": {"users": [userid]}, "message": {"text": text}}
    )
    return spec.to_dict()


async def put_schedules(
    stage: Stage, rows: Sequence[tuple[str, int, dict[str, Any]]], due_at: float
) -> None:
    """Store schedules (name, app id, spec) that are due first at an instant; wake the tickers."""
    due = datetime.fromtimestamp(due_at, UTC)
    now = datetime.now(UTC)
    ahead = ScheduleSpec.model_validate(rows[0][2]).lead if rows else timedelta(0)
    async with transaction(stage.desk.pool) as connection:
        await connection.execute(
            """
            insert into schedules (name, app_id, state, source, spec, next_due_at, wake_at,
                                   created_at, updated_at)
            select s.name, s.app_id, 'active', 'yaml', s.spec, $4, $5, $6, $6
            from unnest($1::text[], $2::bigint[], $3::jsonb[]) as s (name, app_id, spec)
            """,
            [name for name, _, _ in rows],
            [app_id for _, app_id, _ in rows],
            [spec for _, _, spec in rows],
            due,
            due - ahead,
            now,
        )
        await connection.execute(f"select pg_notify('{schedules.CHANNEL}', '')")
