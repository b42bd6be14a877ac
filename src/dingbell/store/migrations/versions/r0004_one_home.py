"""One home for each concept: what earlier tables kept as sentences and JSON keys is columns now.

Version 0.1.0 is not released: nothing is kept for nodes of the version before, data is.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0004"
down_revision = "0003"

_CHANGES = """
select 1;
alter table batches add words jsonb;
update people
set attributes = attributes || jsonb_build_object(
        'hired_on', jsonb_build_object('$date', attributes -> 'hired_on'))
where jsonb_typeof(attributes -> 'hired_on') = 'string';
"""


def upgrade() -> None:
    """Change tables in place; every row is kept."""
    execute_script(_CHANGES)
