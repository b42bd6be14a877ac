"""The path of a notice: apps, people, schedules, firings, batches, calls, deliveries, nodes.

Foreign keys stand between the small tables only: the ledger is written by the hundred thousand
rows, and what belongs to a firing is written and deleted in the firing's own transaction.
"""

from __future__ import annotations

from dingbell.store.jobs import queue_tables
from dingbell.store.migrations import execute_script

revision = "0001"
down_revision = None


_FIRING = "'due', 'planned', 'sending', 'settled', 'skipped', 'failed', 'canceled', 'recalled'"
_BATCH = "'queued', 'sending', 'accepted', 'settled', 'failed', 'unknown', 'canceled', 'recalled'"
_DELIVERY = (
    "'planned', 'sent', 'unread', 'read', 'dropped', 'invalid', 'failed', 'unknown', 'canceled', "
    "'recalled', 'untracked'"
)

_TABLES = f"""
create table orgs (
    name text primary key,
    people_per_minute integer check (people_per_minute > 0)
);

create table apps (
    id bigint generated always as identity primary key,
    org text not null references orgs,
    oapi_url text not null,
    api_url text not null,
    agent_id bigint not null,
    app_key text not null,
    app_secret bytea not null,
    people_per_minute integer check (people_per_minute > 0),
    calls_per_second integer check (calls_per_second > 0),
    paused_until timestamptz,
    paused_reason text,
    next_look_at timestamptz not null default '-infinity',
    updated_at timestamptz not null,
    unique (oapi_url, agent_id)
);

create table app_names (
    name text primary key,
    app_id bigint not null references apps on delete cascade
);

create table tokens (
    oapi_url text not null,
    app_key text not null,
    token bytea not null,
    expires_at timestamptz not null,
    primary key (oapi_url, app_key)
);

create table departments (
    org text not null,
    dept_id bigint not null,
    name text not null,
    parent_id bigint,
    primary key (org, dept_id)
);

create table people (
    org text not null,
    userid text not null,
    name text not null,
    mobile text,
    active boolean not null,
    attributes jsonb not null,
    left_at timestamptz,
    primary key (org, userid)
);
create index people_by_mobile on people (org, mobile);

create table memberships (
    org text not null,
    dept_id bigint not null,
    userid text not null,
    primary key (org, dept_id, userid)
);

create table roles (
    org text not null,
    role_id bigint not null,
    name text not null,
    primary key (org, role_id)
);

create table role_members (
    org text not null,
    role_id bigint not null,
    userid text not null,
    primary key (org, role_id, userid)
);

create table directory_syncs (
    org text primary key,
    synced_at timestamptz not null,
    people integer not null,
    departments integer not null
);

create table audiences (
    name text primary key,
    spec jsonb not null
);

create table schedules (
    id bigint generated always as identity primary key,
    name text not null unique,
    app_id bigint not null references apps,
    state text not null check (state in ('active', 'paused')),
    source text not null check (source in ('yaml', 'python')),
    revision integer not null default 1,
    spec jsonb not null,
    function text,
    next_due_at timestamptz,
    wake_at timestamptz,
    problem text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index schedules_to_wake on schedules (wake_at) where state = 'active' and problem is null;

create table firings (
    id bigint generated always as identity primary key,
    schedule_id bigint,
    schedule text,
    revision integer not null default 0,
    kind text not null check (kind in ('occurrence', 'run', 'send')),
    key text not null,
    app_id bigint not null,
    org text not null,
    function text,
    spec jsonb not null,
    due_at timestamptz not null,
    created_at timestamptz not null,
    planned_at timestamptz,
    started_at timestamptz,
    settled_at timestamptz,
    state text not null check (state in ({_FIRING})),
    reason text,
    occurrences integer not null default 1,
    tries integer not null default 0,
    touched_at timestamptz not null,
    recall_asked_at timestamptz
);
create unique index firings_identity on firings (coalesce(schedule_id, 0), kind, key);
create index firings_of_schedule on firings (schedule_id, due_at);
create index firings_to_recall on firings (recall_asked_at) where recall_asked_at is not null;
create index firings_by_name on firings (schedule, id);
create index firings_open on firings (state, due_at) where state in ('due', 'planned', 'sending');

create sequence waves;

create table batches (
    id bigint generated always as identity primary key,
    firing_id bigint not null,
    ordinal integer not null,
    app_id bigint not null,
    org text not null,
    body bytea not null,
    body_hash bytea not null,
    size integer not null,
    target jsonb,
    state text not null check (state in ({_BATCH})),
    slot_at timestamptz not null,
    wave bigint not null,
    attempt integer not null default 0,
    owner bigint,
    task_id bigint,
    sent_at timestamptz,
    lost_at timestamptz,
    code text,
    looks integer not null default 0,
    next_look_at timestamptz,
    unique (firing_id, ordinal)
);
create index batches_of_wave on batches (wave) where state = 'queued';
create index batches_to_send on batches (org, slot_at) where state = 'queued';
create index batches_late on batches (slot_at) where state = 'queued';
create index batches_in_flight on batches (owner) where state = 'sending';
create index batches_to_look on batches (next_look_at) where next_look_at is not null;
create index batches_same_words on batches (app_id, body_hash);
create index batches_lost on batches (app_id, lost_at) where lost_at is not null;

create table calls (
    id bigint generated always as identity primary key,
    batch_id bigint not null,
    app_id bigint not null,
    org text not null,
    size integer not null,
    attempt integer not null,
    node_id bigint not null,
    sent_at timestamptz not null,
    answered_at timestamptz,
    outcome text check (outcome in ('accepted', 'refused', 'lost', 'not_sent')),
    task_id bigint,
    code text
);
create index calls_of_batch on calls (batch_id);
create index calls_by_org on calls (org, sent_at);

create table deliveries (
    firing_id bigint not null,
    userid text not null,
    batch_id bigint not null,
    people integer not null default 1,
    state text not null check (state in ({_DELIVERY})),
    code text,
    sent_at timestamptz,
    read_at timestamptz,
    primary key (firing_id, userid)
);
create index deliveries_of_batch on deliveries (batch_id);

create table nodes (
    id bigint generated always as identity primary key,
    name text not null,
    version text not null,
    started_at timestamptz not null,
    lease_until timestamptz not null
);
"""


def upgrade() -> None:
    """Create the tables, and those of the queue in a schema of their own."""
    execute_script(_TABLES)
    execute_script(queue_tables())
