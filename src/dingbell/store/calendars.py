"""Tables `calendars` and `calendar_years`: the company's calendars, and what was imported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from dingbell.domain.calendar.calendars import Calendars
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.calendar.notice import Notice
from dingbell.store.connection import Connection

__all__ = [
    "ImportedYear",
    "delete",
    "imported",
    "known",
    "notices",
    "put",
    "put_year",
    "specs",
]


@dataclass(frozen=True, slots=True)
class ImportedYear:
    """A year of a calendar that somebody has imported.

    Attributes:
        source: the file or address it came from.
        version: how often its content has changed, from 1.
    """

    calendar: str
    year: int
    days: dict[str, dict[str, str]]
    source: str
    version: int
    imported_at: datetime
    imported_by: str | None

    @property
    def notice(self) -> Notice:
        """What it says."""
        return Notice.stored(self.year, self.days)


async def specs(connection: Connection) -> dict[str, dict[str, Any]]:
    """The company's calendars as they were written, by name."""
    rows = await connection.fetch("select name, spec from calendars order by name")
    return {row["name"]: row["spec"] for row in rows}


async def put(connection: Connection, name: str, spec: Mapping[str, Any]) -> None:
    """Keep a calendar; a repeat replaces it."""
    await connection.execute(
        """
        insert into calendars (name, spec) values ($1, $2)
        on conflict (name) do update set spec = excluded.spec
        """,
        name,
        dict(spec),
    )


async def delete(connection: Connection, name: str) -> None:
    """Forget a calendar."""
    await connection.execute("delete from calendars where name = $1", name)


async def imported(connection: Connection) -> list[ImportedYear]:
    """Every year that was imported, by calendar and year."""
    rows = await connection.fetch(
        """
        select calendar, year, days, source, version, imported_at, imported_by
        from calendar_years order by calendar, year
        """
    )
    return [ImportedYear(**dict(row)) for row in rows]


async def put_year(
    connection: Connection,
    calendar: str,
    notice: Notice,
    *,
    source: str,
    now: datetime,
    by: str | None,
) -> int:
    """Keep a year of a calendar, and return its version; the same content keeps the one it has."""
    version: int = await connection.fetchval(
        """
        insert into calendar_years as t (calendar, year, days, source, imported_at, imported_by)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (calendar, year) do update
            set version = t.version + (t.days <> excluded.days)::int, days = excluded.days,
                source = excluded.source, imported_at = excluded.imported_at,
                imported_by = excluded.imported_by
        returning version
        """,
        calendar,
        notice.year,
        notice.to_dict(),
        source,
        now,
        by,
    )
    return version


async def known(connection: Connection, *, strict: bool = False) -> Calendars:
    """Every calendar: the shipped ones, what was imported over them, and the company's own.

    Args:
        connection: where.
        strict: refuse what cannot be built; else it is not among them, so that only the schedules
            that use it are in trouble.

    Raises:
        InputError: they are built upon one another in a circle, or upon one that is not there.
    """
    rows = await connection.fetch(
        """
        select name, null as year, spec::text as content from calendars
        union all
        select calendar, year, days::text from calendar_years
        order by 1, 2 nulls first
        """
    )
    written = tuple((row["name"], row["year"], row["content"]) for row in rows)
    return _built(written, strict=strict)


# Tickers ask at every tick, and calendars change a few times a year.
@lru_cache(maxsize=8)
def _built(rows: tuple[tuple[str, int | None, str], ...], *, strict: bool) -> Calendars:
    """Build calendars of what the tables say."""
    own: dict[str, CalendarSpec] = {}
    found: dict[str, list[Notice]] = {}
    for name, year, content in rows:
        if year is None:
            with nullcontext() if strict else suppress(ValueError):
                own[name] = CalendarSpec.model_validate(json.loads(content))
        else:
            found.setdefault(name, []).append(Notice.stored(year, json.loads(content)))
    return Calendars.of(own, found, strict=strict)


def notices(years: Sequence[ImportedYear]) -> dict[str, list[Notice]]:
    """What was imported, by the name of the calendar."""
    found: dict[str, list[Notice]] = {}
    for one in years:
        found.setdefault(one.calendar, []).append(one.notice)
    return found
