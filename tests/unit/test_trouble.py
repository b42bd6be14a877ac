"""A stage that fails says whether the database is away or something is wrong in the house."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from dingbell.clock import VirtualClock
from dingbell.engine.node.health import Health
from dingbell.errors import DatabaseUnavailable, InputError, Text

_NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


async def test_a_database_that_is_away_is_a_warning_and_remembered_for_a_while() -> None:
    error = DatabaseUnavailable(Text("away", "不在"))
    clock = VirtualClock(_NOW)
    trouble = Health(clock)
    with capture_logs() as said:
        trouble.report(error, "sweeper")
    assert said == [
        {
            "event": "database_lost",
            "log_level": "warning",
            "stage": "sweeper",
            "error": repr(error),
        }
    ]
    assert trouble.current == "away"
    clock.advance(timedelta(seconds=16))
    assert trouble.current is None


@pytest.mark.parametrize(
    "error",
    [
        KeyError("id"),
        asyncpg.UndefinedTableError('relation "runs" does not exist'),
        asyncpg.UniqueViolationError("duplicate key"),
        InputError(Text("wrong", "错误")),
    ],
)
async def test_anything_else_is_said_loudly_and_does_not_make_the_node_unready(
    error: Exception,
) -> None:
    trouble = Health(VirtualClock(_NOW))
    with capture_logs() as said:
        trouble.report(error, "plan")
    assert said == [
        {"event": "job_failed", "log_level": "critical", "stage": "plan", "error": repr(error)}
    ]
    assert trouble.current is None
