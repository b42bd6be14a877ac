"""Words: saved templates with their versions, and the files that messages name."""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0007"
down_revision = "0006"

_CHANGES = """
-- A template is its newest version; the older ones stay for the runs that used them.
create table templates (
    name text primary key,
    version int not null
);
create table template_versions (
    name text not null,
    version int not null,
    content jsonb not null,
    created_at timestamptz not null,
    created_by text,
    primary key (name, version)
);
-- Which words a run used, where they are a template's.
alter table runs add template text, add template_version int;

-- Files are kept here so that every node can upload them.
create table media (
    digest text primary key,
    content bytea not null,
    kept_at timestamptz not null
);
alter table media alter content set storage external;
-- What DingTalk calls a file, by app; a node that is uploading it says so until an instant.
create table media_uploads (
    app_id bigint not null references apps on delete cascade,
    kind text not null,
    reference text not null,
    media_id text,
    uploaded_at timestamptz,
    claimed_until timestamptz,
    primary key (app_id, kind, reference)
);
"""


def upgrade() -> None:
    """Add what words need."""
    execute_script(_CHANGES)
