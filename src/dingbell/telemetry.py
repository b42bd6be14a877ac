"""What a running DingBell says of itself: a closed catalogue of log events, and metrics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dingbell.display import visible, zone

__all__ = ["Event", "Metrics", "configure_logging", "count_runs", "log", "observe"]


class Event(StrEnum):
    """Every event that is logged; the value is what a machine matches."""

    BATCH_FAILED = "batch_failed"
    BATCH_GIVEN_BACK = "batch_given_back"
    BATCH_IN_DOUBT = "batch_in_doubt"
    BATCH_MOVED_BACK = "batch_moved_back"
    BATCH_UNKNOWN = "batch_unknown"
    APP_PAUSED = "app_paused"
    DATABASE_LOST = "database_lost"
    DIRECTORY_CHANGED = "directory_changed"
    DIRECTORY_STREAM_LOST = "directory_stream_lost"
    DIRECTORY_STREAM_OPENED = "directory_stream_opened"
    DIRECTORY_SYNCED = "directory_synced"
    DIRECTORY_SYNC_FAILED = "directory_sync_failed"
    RUN_CANCELED = "run_canceled"
    RUN_CREATED = "run_created"
    ALERT = "alert"
    ALERT_NOT_DELIVERED = "alert_not_delivered"
    BATCH_RESENT = "batch_resent"
    RUN_FAILED = "run_failed"
    RUN_FORGOTTEN = "run_forgotten"
    RUN_HELD = "run_held"
    RUN_REFUSED = "run_refused"
    RUN_RELEASED = "run_released"
    FOLLOW_UP_PLANNED = "follow_up_planned"
    RUN_PLANNED = "run_planned"
    RUN_RECALLED = "run_recalled"
    RUN_STARTED = "run_started"
    RUN_SETTLED = "run_settled"
    RUN_SKIPPED = "run_skipped"
    JOB_FAILED = "job_failed"
    LEASE_LOST = "lease_lost"
    NAMES_NOT_SPELLED = "names_not_spelled"
    POLL_FAILED = "poll_failed"
    NODE_DRAINING = "node_draining"
    NODE_STARTED = "node_started"
    NODE_STOPPED = "node_stopped"
    OUTCOME_REFUSED = "outcome_refused"
    RECALL_FAILED = "recall_failed"
    ROWS_WOKEN = "rows_woken"
    SCHEDULE_QUARANTINED = "schedule_quarantined"
    TOKEN_FAILED = "token_failed"  # noqa: S105  an event, not a secret


def log(event: Event, *, level: int = logging.INFO, **bound: Any) -> None:
    """Write one event; never hand it a secret."""
    structlog.get_logger("dingbell").log(level, event.value, **bound)


def _stamped(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The instant of an event, in the zone of everything that is shown, with its offset."""
    now = datetime.now(zone())  # noqa: TID251  a log tells the host's time
    event["timestamp"] = now.isoformat(timespec="milliseconds")
    return event


def configure_logging(level: str, *, unless_configured: bool = False) -> None:
    """Send the log to standard error: lines for people on a terminal, JSON elsewhere.

    Args:
        level: debug, info, warning or error.
        unless_configured: leave a program alone that has set structlog up itself.
    """
    if unless_configured and structlog.is_configured():
        return
    renderers: list[Any] = (
        [_shown, structlog.dev.ConsoleRenderer()]
        if sys.stderr.isatty()
        else [structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamped,
            structlog.processors.format_exc_info,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # What they have to say of a database that is away, the stages say in one line.
    for library in ("asyncpg", "pgqueuer"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _shown(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Let nothing that was said from outside steer the terminal of who reads the log."""
    return {
        name: visible(value) if isinstance(value, str) else value for name, value in event.items()
    }


class Metrics:
    """Counters of one node, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "dingbell_calls_total", "Send calls by outcome", ["outcome"], registry=self.registry
        )
        self.runs = Counter(
            "dingbell_runs_total", "Runs by final state", ["state"], registry=self.registry
        )
        self.alerts = Counter(
            "dingbell_alerts_total", "Alerts raised by kind", ["kind"], registry=self.registry
        )
        self.lateness = Histogram(
            "dingbell_call_lateness_seconds",
            "From the slot to the moment the call left",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "dingbell_calls_in_flight", "Send calls without an answer", registry=self.registry
        )

    def exposition(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self.registry)


# The metrics of the node whose tasks these are; a command line has none.
_METRICS: ContextVar[Metrics | None] = ContextVar("metrics", default=None)


def observe(metrics: Metrics) -> None:
    """Let this task, and those it starts from now on, count in these metrics."""
    _METRICS.set(metrics)


def count_runs(state: str, runs: int) -> None:
    """Count runs that have come to a final state."""
    metrics = _METRICS.get()
    if metrics is not None:
        metrics.runs.labels(state).inc(runs)
