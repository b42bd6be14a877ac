"""Table `rules`: what holds for everything: the deny-list, quiet hours, where alerts go."""

from __future__ import annotations

from typing import Any

from dingbell.domain.alerting import Alerting
from dingbell.domain.audience import Audience
from dingbell.domain.day_limit import DayLimit
from dingbell.domain.quiet import QuietHours
from dingbell.domain.zones import DEFAULT, ServiceZone
from dingbell.store.connection import Connection

__all__ = [
    "ALERTS",
    "DAY_LIMIT",
    "DENY",
    "QUIET_HOURS",
    "TIMEZONE",
    "alerting",
    "all_rules",
    "day_limit",
    "delete",
    "deny",
    "put",
    "quiet_hours",
    "zone_name",
]

ALERTS = "alerts"
DAY_LIMIT = "per_person_per_day"
DENY = "deny"
TIMEZONE = "timezone"
QUIET_HOURS = "quiet_hours"


async def all_rules(connection: Connection) -> dict[str, Any]:
    """Every rule, by name."""
    rows = await connection.fetch("select name, content from rules order by name")
    return {row["name"]: row["content"] for row in rows}


async def put(connection: Connection, name: str, content: Any) -> None:
    """Set a rule; a repeat replaces it."""
    await connection.execute(
        """
        insert into rules (name, content) values ($1, $2)
        on conflict (name) do update set content = excluded.content
        """,
        name,
        content,
    )


async def delete(connection: Connection, name: str) -> None:
    """Drop a rule."""
    await connection.execute("delete from rules where name = $1", name)


async def _content(connection: Connection, name: str) -> Any:
    return await connection.fetchval("select content from rules where name = $1", name)


async def deny(connection: Connection) -> Audience | None:
    """Who is never sent to."""
    content = await _content(connection, DENY)
    return None if content is None else Audience.model_validate(content)


async def day_limit(connection: Connection) -> DayLimit | None:
    """How many notices a person gets on one day."""
    content = await _content(connection, DAY_LIMIT)
    return None if content is None else DayLimit.model_validate(content)


async def quiet_hours(connection: Connection) -> QuietHours | None:
    """When nobody is rung."""
    content = await _content(connection, QUIET_HOURS)
    return None if content is None else QuietHours.model_validate(content)


async def alerting(connection: Connection) -> Alerting | None:
    """Whom to tell when something needs a person."""
    content = await _content(connection, ALERTS)
    return None if content is None else Alerting.model_validate(content)


async def zone_name(connection: Connection) -> str:
    """The zone of what is sent by hand, and of what is shown."""
    content = await _content(connection, TIMEZONE)
    return DEFAULT if content is None else ServiceZone.model_validate(content).name
