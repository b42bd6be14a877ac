"""How many notices a person gets on one day: limits of apps, and the batches of a day of an org.

Columns and an index only, so that nodes of the version before go on beside this one.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0010"
down_revision = "0004"

_CHANGES = """
alter table apps
    add per_person_per_day integer check (per_person_per_day > 0),
    add over_limit text check (over_limit in ('hold', 'skip'));
-- A batch counts on the day of its slot until it is called, then on that of the call. What is
-- queued is few; what was called stands in an index by app and instant already.
"""


def upgrade() -> None:
    """Add the columns; nothing is taken away."""
    execute_script(_CHANGES)
