"""Rows of people: datasets with versions, each row with the person it is about."""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0006"
down_revision = "0005"

_CHANGES = """
-- One version of a table that somebody has imported; versions are never changed.
create table datasets (
    id bigint generated always as identity primary key,
    org text not null,
    name text not null,
    version integer not null check (version > 0),
    key text not null check (key in ('userid', 'mobile', 'job_number', 'name')),
    key_column text not null,
    columns text[] not null,
    -- What the rows say, and whose they were found to be.
    content text not null,
    matching text not null,
    people integer not null,
    unmatched integer not null,
    created_at timestamptz not null,
    created_by text,
    unique (org, name, version)
);
create table dataset_rows (
    dataset_id bigint not null references datasets on delete cascade,
    line integer not null,
    key text not null,
    userid text,
    fault text check (fault in ('unknown', 'left', 'ambiguous', 'empty')),
    -- One after the other, with U+001F between them, which no cell can hold: an array of texts
    -- takes the driver twice as long.
    cells text not null,
    primary key (dataset_id, line),
    check ((userid is null) <> (fault is null))
);
create unique index dataset_rows_of_people on dataset_rows (dataset_id, userid)
    where userid is not null;
-- The version that was read when the run was planned.
alter table runs add rows_version integer;
"""


def upgrade() -> None:
    """Add the tables."""
    execute_script(_CHANGES)
