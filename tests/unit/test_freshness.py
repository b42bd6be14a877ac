"""A directory is read again when changes may have been missed, and by night."""

from datetime import UTC, datetime, timedelta

import pytest

from dingbell.directory.freshness import is_due
from dingbell.store.directory import Sync

# Noon in China, and the night after.
NOON = datetime(2026, 11, 25, 4, tzinfo=UTC)
NIGHT = NOON + timedelta(hours=15)


@pytest.mark.parametrize(
    ("now", "age", "streamed_before_reading", "due"),
    [
        (NOON, 5, None, False),
        (NOON, 6, None, True),
        (NOON, 0.4, -1, False),  # the line was opened after the reading: something is missing
        (NOON, 0.6, -0.1, True),
        (NOON, 20, 1, False),
        (NOON, 27, 1, True),
        (NIGHT, 11, 1, False),
        (NIGHT, 15, 1, True),
    ],
)
def test_when_a_directory_is_read_again(
    now: datetime, age: float, streamed_before_reading: float | None, due: bool
) -> None:
    read = now - timedelta(hours=age)
    since = (
        None if streamed_before_reading is None else read - timedelta(hours=streamed_before_reading)
    )
    assert is_due(Sync(read, 1, 1, since), now) is due
