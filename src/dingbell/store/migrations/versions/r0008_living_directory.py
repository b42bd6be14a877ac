"""A living directory: changes as they happen, names as they are typed, groups of roles."""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0008"
down_revision = "0007"

_CHANGES = """
alter table people
    add job_number text generated always as (attributes ->> 'job_number') stored;
alter table roles add group_name text not null default '';

create index memberships_of_person on memberships (org, userid);
create index role_members_of_person on role_members (org, userid);

-- How names are typed; a name has the same letters in every org.
create table name_spellings (
    name text primary key,
    pinyin text not null,
    initials text not null
);

-- What DingTalk told of changes, once each: kept before it is acknowledged, applied afterwards.
create table directory_events (
    org text not null,
    event_id text not null,
    kind text not null,
    subject jsonb not null,
    seen_at timestamptz not null,
    applied_at timestamptz,
    primary key (org, event_id)
);
create index directory_events_pending on directory_events (org, seen_at) where applied_at is null;

-- Since when nothing can have been missed; null where nobody listens.
alter table directory_syncs add streamed_since timestamptz;
"""


def upgrade() -> None:
    """Make the change."""
    execute_script(_CHANGES)
