"""One home for each concept: what earlier tables kept as sentences and JSON keys is columns now.

Version 0.1.0 is not released: nothing is kept for nodes of the version before, data is.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0004"
down_revision = "0003"

_CHANGES = """
-- What SQL asks of a run stands in columns.
alter table firings
    add on_ambiguous text not null default 'resend',
    add expires_after interval,
    add follows_up boolean not null default false,
    add poll_lead interval,
    add cause text,
    add cause_params jsonb,
    drop constraint firings_kind_check;
update firings set
    kind = case when kind = 'send' and key like 'alert:%' then 'alert' else kind end,
    on_ambiguous = coalesce(spec ->> 'on_ambiguous', 'resend'),
    expires_after = (spec ->> 'useless_after')::interval,
    follows_up = kind <> 'follow_up' and spec ? 'follow_up',
    poll_lead = make_interval(secs => coalesce((spec ->> 'look_lead')::float8, 0)),
    spec = spec - 'useless_after' - 'look_lead'
        || case when spec ? 'useless_after'
                then jsonb_build_object('expires_after', spec -> 'useless_after')
                else '{}' end
        || case when spec ? 'look_lead'
                then jsonb_build_object('poll_lead', (spec ->> 'look_lead') || 's')
                else '{}' end,
    cause = case
        when reason is null then null
        when state = 'held' and reason like 'approval:%' then 'approval'
        when state = 'held' and reason like 'budget:%' then 'budget'
        when state = 'held' and reason like 'cool-down:%' then 'cool_down'
        when state = 'held' and reason like 'quiet hours %' then 'quiet_hours'
        when state = 'held' and kind = 'follow_up' then 'follow_up'
        else 'input' end,
    cause_params = case
        when reason is null then null
        when state = 'held' and reason like 'quiet hours %' then jsonb_build_object(
            'start', substr(reason, 13, 5), 'end', substr(reason, 19, 5))
        when state = 'held' and kind = 'follow_up' then jsonb_build_object(
            'step', split_part(reason, ':', 1))
        when state = 'held' and reason ~ '^(approval|budget|cool-down):' then '{}'
        else jsonb_build_object('en', reason, 'zh', reason) end;
alter table firings
    drop column reason,
    add constraint firings_kind_check check (
        kind in ('occurrence', 'run', 'send', 'follow_up', 'alert'));
update schedules set spec = spec - 'useless_after'
    || jsonb_build_object('expires_after', spec -> 'useless_after')
    where spec ? 'useless_after';

-- `priority` is what an author writes, `rank` what the engine computes.
alter table batches rename column priority to rank;
alter table batches add recall_code text;
update batches set recall_code = substr(code, 8), code = null where code like 'recall:%';

-- An alert says what is wrong with what; its sentence is made when it is read.
drop index alerts_open, alerts_to_tell;
alter table alerts add noun text, add params jsonb, add notify_after timestamptz;
alter table alerts rename column told_at to notified_at;
update alerts set
    noun = case kind when 'occurrence_missed' then 'schedule' when 'schedule_broken' then 'schedule'
                     when 'budget_low' then 'org' when 'clock_jumped' then 'node'
                     when 'token_failing' then 'app' else 'run' end,
    subject = regexp_replace(subject, '^(firing|app|node) ', ''),
    -- What is still wrong is found again, and said in the new form.
    kind = 'note',
    params = jsonb_build_object('en', kind || ': ' || detail, 'zh', kind || ': ' || detail),
    ended_at = coalesce(ended_at, seen_at),
    notified_at = coalesce(notified_at, seen_at);
alter table alerts drop column detail, alter noun set not null, alter params set not null;
create unique index alerts_open on alerts (kind, noun, subject) where ended_at is null;
create index alerts_to_notify on alerts (id) where notified_at is null;

-- Every change of a state, written with the change: live pages, webhooks and the audit read it.
create table outbox (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    noun text not null check (noun in ('run', 'batch', 'delivery')),
    run_id bigint not null,
    batch_ids bigint[],
    people integer,
    old text,
    new text,
    cause text,
    cause_params jsonb,
    actor text
);
create index outbox_of_run on outbox (run_id, id);
create index outbox_to_forget on outbox (at);
alter table batches add words jsonb;
update people
set attributes = attributes || jsonb_build_object(
        'hired_on', jsonb_build_object('$date', attributes -> 'hired_on'))
where jsonb_typeof(attributes -> 'hired_on') = 'string';

-- By which key the secrets in here are locked; the key itself is never in the database.
create table secret_key (
    only_one boolean primary key default true check (only_one),
    fingerprint text not null,
    bound_at timestamptz not null
);

-- What an account is trusted with; those that are there may do everything, as they could before.
alter table accounts add roles text[] not null default '{owner}';
-- The program whose process has registered a Python schedule's function, and whether its newest
-- start no longer has it. Nodes say which functions they have.
alter table schedules add program text, add orphaned boolean not null default false;
alter table nodes add functions text[] not null default '{}';
-- What the newest revision left here, so that it is noticed when somebody changes it.
create table schema_facts (fact text primary key);

-- The field's words: a firing is a run, a look a poll, a lost call is in doubt.
alter table firings rename to runs;
alter sequence firings_id_seq rename to runs_id_seq;
alter table batches rename column firing_id to run_id;
alter table batches rename column looks to polls;
alter table batches rename column next_look_at to next_poll_at;
alter table batches rename column lost_at to in_doubt_since;
alter table batches rename column repairs to resend_of;
alter table deliveries rename column firing_id to run_id;
alter table deliveries rename column foreseen to predicted;
alter table spending rename column firing_id to run_id;
alter table apps rename column next_look_at to next_poll_at;
alter table calls drop constraint calls_outcome_check;
update calls set outcome = 'in_doubt' where outcome = 'lost';
alter table calls add constraint calls_outcome_check check (
    outcome in ('accepted', 'refused', 'in_doubt', 'not_sent'));
alter index batches_to_look rename to batches_to_poll;
alter index batches_lost rename to batches_in_doubt;
do $rename$
declare
    one record;
begin
    for one in select indexname as name from pg_indexes
               where schemaname = current_schema() and indexname like 'firings%' loop
        execute format('alter index %I rename to %I', one.name,
                       replace(one.name, 'firings', 'runs'));
    end loop;
    for one in select conname as name from pg_constraint
               where conrelid = 'runs'::regclass and conname like 'firings%' loop
        execute format('alter table runs rename constraint %I to %I', one.name,
                       replace(one.name, 'firings', 'runs'));
    end loop;
end $rename$;
"""


def upgrade() -> None:
    """Change tables in place; every row is kept."""
    execute_script(_CHANGES)
