"""Forecast, budget, holds, repair, follow-up, alerts, accounts, and totals that outlive their rows.

Columns have defaults or may be null, so that nodes of the version before go on beside this one.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0002"
down_revision = "0001"

_CHANGES = """
alter table orgs
    add monthly_calls integer check (monthly_calls > 0),
    add hold_bulk_at double precision check (hold_bulk_at between 0 and 1);

alter table schedules
    add requested_by text,
    add approved_revision integer;

alter table firings
    add parent_id bigint,
    add held_until timestamptz,
    add requested_by text,
    add approved_by text,
    add forecast jsonb,
    add totals jsonb,
    add calls integer,
    drop constraint firings_state_check,
    drop constraint firings_kind_check;
alter table firings
    add constraint firings_state_check check (state in (
        'due', 'held', 'planned', 'sending', 'settled', 'skipped', 'refused', 'failed',
        'canceled', 'recalled')),
    add constraint firings_kind_check check (kind in ('occurrence', 'run', 'send', 'follow_up'));
create index firings_held on firings (held_until) where state = 'held';
create index firings_of_parent on firings (parent_id) where parent_id is not null;
create index firings_to_forget on firings (settled_at) where totals is null;

alter table batches
    add priority smallint not null default 1,
    add moved integer not null default 0,
    add repairs bigint,
    add generation smallint not null default 0,
    add unknown boolean not null default false;
drop index batches_in_flight;
create index batches_in_flight on batches (owner) where owner is not null;
create index batches_unknown on batches (firing_id) where unknown;
drop index batches_to_send;
create index batches_to_send on batches (org, priority) where state = 'queued';
create index batches_of_day on batches (app_id, sent_at) where sent_at is not null;

-- State, code and instants are in no index: a receipt is written in place.
alter table deliveries add foreseen text;
alter table deliveries set (fillfactor = 70);
create index deliveries_of_person on deliveries (userid, firing_id);

alter table nodes
    add roles text[] not null default '{scheduler,worker}',
    add clock_offset double precision not null default 0;

create table outsiders (
    app_id bigint not null,
    userid text not null,
    seen_at timestamptz not null,
    primary key (app_id, userid)
);

create table spending (
    org text not null,
    month date not null,
    endpoint text not null,
    firing_id bigint not null,
    calls integer not null,
    primary key (org, month, endpoint, firing_id)
);

create table rules (
    name text primary key,
    content jsonb not null
);

create table accounts (
    name text primary key,
    created_at timestamptz not null
);

create table alerts (
    id bigint generated always as identity primary key,
    kind text not null,
    subject text not null,
    detail text not null,
    began_at timestamptz not null,
    seen_at timestamptz not null,
    ended_at timestamptz,
    told_at timestamptz
);
create unique index alerts_open on alerts (kind, subject) where ended_at is null;
create index alerts_to_tell on alerts (id) where told_at is null;
"""


def upgrade() -> None:
    """Add what is new; nothing is taken away."""
    execute_script(_CHANGES)
