"""Calendars: the company's own, and what was published for a year and imported."""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0005"
down_revision = "0004"

_CHANGES = """
create table calendars (
    name text primary key,
    spec jsonb not null
);

-- What was imported stands in place of what the wheel has for the same year; every other content
-- of a year is a version of its own.
create table calendar_years (
    calendar text not null,
    year integer not null,
    days jsonb not null,
    source text not null,
    version integer not null default 1,
    imported_at timestamptz not null,
    imported_by text,
    primary key (calendar, year)
);
"""


def upgrade() -> None:
    """Add tables; nothing that is there changes."""
    execute_script(_CHANGES)
