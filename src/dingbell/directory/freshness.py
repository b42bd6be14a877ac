"""Freshness: when a directory that was read once is to be read again as a whole."""

from __future__ import annotations

from datetime import datetime, timedelta

from dingbell.clock import SHANGHAI
from dingbell.store.directory import Sync

__all__ = ["is_due"]

# Where nobody listens for changes.
_OLD = timedelta(hours=6)
# Events may have been missed; a line that comes and goes is no reason to read all the time.
_AFTER_A_GAP = timedelta(minutes=30)
# Where somebody listens, a check by night finds what was lost: between these hours in China.
_NIGHT = range(2, 5)
_SINCE_THE_LAST_NIGHT = timedelta(hours=12)
_OVERDUE = timedelta(hours=26)


def is_due(last: Sync, now: datetime) -> bool:
    """Whether the whole directory is read again now."""
    age = now - last.synced_at
    if last.streamed_since is None:
        return age >= _OLD
    if last.streamed_since > last.synced_at:
        return age >= _AFTER_A_GAP
    if now.astimezone(SHANGHAI).hour in _NIGHT:
        return age >= _SINCE_THE_LAST_NIGHT
    return age >= _OVERDUE
