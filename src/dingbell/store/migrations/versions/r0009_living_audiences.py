"""Whoever joins or leaves just before a notice is in it or out of it.

Each change of a directory raises its version; a run keeps the version it was planned by. The
version is raised by triggers, so that no way of writing can forget it.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0009"
down_revision = "0008"

_CHANGES = """
create table directory_versions (
    org text primary key,
    version bigint not null
);
-- Whoever writes has a search path of his own, a restore has none.
create function directory_changed() returns trigger language plpgsql
set search_path from current as $body$
begin
    insert into directory_versions (org, version)
    select org, 1 from changed group by org order by org
    on conflict (org) do update set version = directory_versions.version + 1;
    return null;
end $body$;
do $triggers$
declare
    noun text;
begin
    foreach noun in array array['people', 'departments', 'memberships', 'roles', 'role_members']
    loop
        execute format('create trigger directory_grew after insert on %I '
            'referencing new table as changed for each statement '
            'execute function directory_changed()', noun);
        execute format('create trigger directory_changed after update on %I '
            'referencing new table as changed for each statement '
            'execute function directory_changed()', noun);
        execute format('create trigger directory_shrank after delete on %I '
            'referencing old table as changed for each statement '
            'execute function directory_changed()', noun);
    end loop;
end $triggers$;
-- Null where nobody can join or leave: userids alone are named, or departments as they are.
alter table runs add directory_version bigint;
"""


def upgrade() -> None:
    """Add the versions; every row is kept."""
    execute_script(_CHANGES)
