"""Finding the occurrences of a schedule that are under way, however many there have been.

An index only, so that nodes of the version before go on beside this one.
"""

from __future__ import annotations

from dingbell.store.migrations import execute_script

revision = "0003"
down_revision = "0002"

_CHANGES = """
create index firings_under_way on firings (schedule_id, due_at)
    where state in ('planned', 'sending') and kind = 'occurrence';
"""


def upgrade() -> None:
    """Add the index; nothing is taken away."""
    execute_script(_CHANGES)
