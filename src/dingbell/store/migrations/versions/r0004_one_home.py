"""One home for each concept: what earlier tables kept as sentences and JSON keys is columns now.

Version 0.1.0 is not released: nothing is kept for nodes of the version before, data is.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0004"
down_revision = "0003"

_CHANGES = """
select 1;

-- By which key the secrets in here are locked; the key itself is never in the database.
create table secret_key (
    only_one boolean primary key default true check (only_one),
    fingerprint text not null,
    bound_at timestamptz not null
);

-- What the newest revision left here, so that it is noticed when somebody changes it.
create table schema_facts (fact text primary key);
"""


def upgrade() -> None:
    """Change tables in place; every row is kept."""
    execute_script(_CHANGES)
