"""Table `apps`: DingTalk apps, their names, their orgs, their pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from dingbell.domain.day_limit import DayLimit
from dingbell.store.connection import Connection

__all__ = ["App", "NewApp", "all_apps", "named", "pause", "put", "put_org", "reserve_polls"]


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app as it is given; unique by (oapi_url, agent_id)."""

    name: str
    org: str
    oapi_url: str
    api_url: str
    agent_id: int
    app_key: str
    app_secret: bytes = field(repr=False)
    people_per_minute: int | None = None
    calls_per_second: int | None = None
    per_person_per_day: int | None = None
    over_limit: str | None = None


@dataclass(frozen=True, slots=True)
class App:
    """An app as it is stored; the secret is encrypted."""

    id: int
    org: str
    oapi_url: str
    api_url: str
    agent_id: int
    app_key: str
    app_secret: bytes = field(repr=False)
    people_per_minute: int | None
    calls_per_second: int | None
    per_person_per_day: int | None
    over_limit: str | None
    org_people_per_minute: int | None
    paused_until: datetime | None
    paused_reason: str | None
    updated_at: datetime
    names: tuple[str, ...]

    @property
    def day_limit(self) -> DayLimit:
        """What it says of the notices a person gets on one day."""
        return DayLimit.model_validate(
            {"per_person_per_day": self.per_person_per_day, "over_limit": self.over_limit}
        )


_SELECT = """
    select a.id, a.org, a.oapi_url, a.api_url, a.agent_id, a.app_key, a.app_secret,
           a.people_per_minute, a.calls_per_second, a.per_person_per_day, a.over_limit,
           o.people_per_minute as org_people_per_minute,
           a.paused_until, a.paused_reason, a.updated_at,
           array(select n.name from app_names n where n.app_id = a.id order by n.name) as names
    from apps a join orgs o on o.name = a.org
"""


def _app(row: asyncpg.Record) -> App:
    values = dict(row)
    return App(**{**values, "names": tuple(values["names"])})


async def put_org(
    connection: Connection,
    name: str,
    people_per_minute: int | None = None,
    *,
    monthly_calls: int | None = None,
    hold_bulk_at: float | None = None,
) -> None:
    """Make an org known; what is given replaces what it had."""
    await connection.execute(
        """
        insert into orgs (name, people_per_minute, monthly_calls, hold_bulk_at)
        values ($1, $2, $3, $4)
        on conflict (name) do update
        set people_per_minute = coalesce(excluded.people_per_minute, orgs.people_per_minute),
            monthly_calls = coalesce(excluded.monthly_calls, orgs.monthly_calls),
            hold_bulk_at = coalesce(excluded.hold_bulk_at, orgs.hold_bulk_at)
        """,
        name,
        people_per_minute,
        monthly_calls,
        hold_bulk_at,
    )


async def all_orgs(connection: Connection) -> dict[str, dict[str, float | None]]:
    """What is set for each org, by name."""
    rows = await connection.fetch(
        "select name, people_per_minute, monthly_calls, hold_bulk_at from orgs order by name"
    )
    return {row["name"]: {k: v for k, v in row.items() if k != "name"} for row in rows}


async def put(connection: Connection, app: NewApp, now: datetime) -> int:
    """Store an app and its name; the same agent under another name is the same app."""
    await put_org(connection, app.org)
    app_id: int = await connection.fetchval(
        """
        insert into apps (org, oapi_url, api_url, agent_id, app_key, app_secret,
                          people_per_minute, calls_per_second, per_person_per_day, over_limit,
                          updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (oapi_url, agent_id) do update
        set org = excluded.org, api_url = excluded.api_url, app_key = excluded.app_key,
            app_secret = excluded.app_secret,
            people_per_minute = coalesce(excluded.people_per_minute, apps.people_per_minute),
            per_person_per_day = coalesce(excluded.per_person_per_day, apps.per_person_per_day),
            over_limit = coalesce(excluded.over_limit, apps.over_limit),
            calls_per_second = coalesce(excluded.calls_per_second, apps.calls_per_second),
            updated_at = excluded.updated_at
        returning id
        """,
        app.org,
        app.oapi_url,
        app.api_url,
        app.agent_id,
        app.app_key,
        app.app_secret,
        app.people_per_minute,
        app.calls_per_second,
        app.per_person_per_day,
        app.over_limit,
        now,
    )
    await connection.execute(
        """
        insert into app_names (name, app_id) values ($1, $2)
        on conflict (name) do update set app_id = excluded.app_id
        """,
        app.name,
        app_id,
    )
    return app_id


async def forget_secrets(connection: Connection, names: Sequence[str]) -> None:
    """Empty the secrets of some apps, by name; they stay known."""
    await connection.execute(
        """
        update apps set app_secret = '', updated_at = now()
        where id in (select app_id from app_names where name = any($1::text[]))
        """,
        list(names),
    )


async def all_apps(connection: Connection) -> list[App]:
    """Every app, in order of id."""
    return [_app(row) for row in await connection.fetch(f"{_SELECT} order by a.id")]


async def named(connection: Connection, name: str) -> App | None:
    """The app of a name."""
    row = await connection.fetchrow(
        f"{_SELECT} where a.id = (select app_id from app_names where name = $1)", name
    )
    return _app(row) if row else None


async def by_id(connection: Connection, app_id: int) -> App | None:
    """The app of an id."""
    row = await connection.fetchrow(f"{_SELECT} where a.id = $1", app_id)
    return _app(row) if row else None


async def by_ids(connection: Connection, app_ids: Sequence[int]) -> list[App]:
    """The apps of some ids, in order of id."""
    rows = await connection.fetch(
        f"{_SELECT} where a.id = any($1::bigint[]) order by a.id", list(app_ids)
    )
    return [_app(row) for row in rows]


async def paces(
    connection: Connection, app_ids: Sequence[int], *, lock: bool
) -> list[asyncpg.Record]:
    """The paces that apps and their orgs have of their own; locks the orgs, in order of name."""
    return await connection.fetch(
        f"""
        select a.id, a.org, a.people_per_minute, a.calls_per_second, a.paused_until,
               o.people_per_minute as org_people_per_minute
        from apps a join orgs o on o.name = a.org
        where a.id = any($1::bigint[]) order by o.name, a.id {"for update of o" if lock else ""}
        """,
        list(app_ids),
    )


async def pause(
    connection: Connection,
    *,
    until: datetime,
    reason: str,
    app_id: int | None = None,
    oapi_url: str | None = None,
) -> None:
    """Let an app, or all apps behind one address, make no calls until an instant."""
    await connection.execute(
        """
        update apps set paused_until = $1, paused_reason = $2
        where (id = $3 or oapi_url = $4) and coalesce(paused_until, '-infinity') < $1
        """,
        until,
        reason,
        app_id,
        oapi_url,
    )


async def reserve_polls(
    connection: Connection,
    counts: Sequence[tuple[int, int]],
    *,
    not_before: datetime,
    share: float,
    default_calls_per_second: int,
) -> dict[int, tuple[datetime, float]]:
    """Reserve instants for looks at results, spaced so that no app asks too fast.

    Args:
        connection: where the polls are written in the same transaction.
        counts: (app id, how many polls).
        not_before: the first instant allowed.
        share: which part of an app's calls per second its polls may take.
        default_calls_per_second: for apps that have no pace of their own.

    Returns:
        The first instant for each app, and the seconds between its polls.
    """
    rows = await connection.fetch(
        """
        with wanted as (
            select * from unnest($1::bigint[], $2::int[]) as w (app_id, polls)
        ), locked as (
            select a.id, w.polls,
                   greatest($3, least(a.next_poll_at, $3::timestamptz + interval '10 min'))
                       as first,
                   1 / (coalesce(a.calls_per_second, $5) * $4::float8) as step
            from apps a join wanted w on w.app_id = a.id order by a.id for update of a
        )
        update apps a set next_poll_at = l.first + make_interval(secs => l.polls * l.step)
        from locked l where a.id = l.id
        returning a.id, l.first, l.step
        """,
        [app_id for app_id, _ in counts],
        [count for _, count in counts],
        not_before,
        share,
        default_calls_per_second,
    )
    return {row["id"]: (row["first"], row["step"]) for row in rows}
