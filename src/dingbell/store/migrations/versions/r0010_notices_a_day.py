"""How many notices a person gets on one day: the limits of apps.

Columns only, so that nodes of the version before go on beside this one.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0010"
down_revision = "0009"

_CHANGES = """
alter table apps
    add per_person_per_day integer check (per_person_per_day > 0),
    add over_limit text check (over_limit in ('hold', 'skip'));
"""


def upgrade() -> None:
    """Add the columns; nothing is taken away."""
    execute_script(_CHANGES)
