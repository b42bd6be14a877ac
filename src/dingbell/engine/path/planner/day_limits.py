"""Notices a day: drafted runs without those who have had as many as `per_person_per_day` allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dingbell.domain.run import AlertNotice, FollowUpStep, Kind, Occurrence
from dingbell.engine.path.planner.booking import Drafted
from dingbell.planning.day_limits import Planned, keep_within
from dingbell.store.connection import Connection

__all__ = ["within_day_limits"]

_OF_SCHEDULE = (Kind.OCCURRENCE, Kind.RUN)


async def within_day_limits(
    connection: Connection, drafted: Sequence[Drafted], now: datetime
) -> list[Drafted]:
    """Set aside who is over a limit, in the order in which the runs fall due; urgent ones first.

    Args:
        connection: in the planner's transaction, under the locks of the orgs.
        drafted: the runs.
        now: the present instant.
    """
    if not drafted:
        return []
    ordered = sorted(drafted, key=lambda one: (not _is_exempt(one), one.run.due_at, one.run.id))
    kept = await keep_within(connection, [_planned(one, now) for one in ordered])
    return [replace(one, drafts=list(drafts)) for one, drafts in zip(ordered, kept, strict=True)]


def _planned(entry: Drafted, now: datetime) -> Planned:
    run, spec = entry.run, entry.run.spec
    expires = spec.expires_after if isinstance(spec, Occurrence) else None
    return Planned(
        run.org,
        run.app_id,
        run.schedule if run.kind in _OF_SCHEDULE else None,
        max(run.due_at, now),
        spec.day_limit,
        entry.drafts,
        exempt=_is_exempt(entry),
        # A reminder is about its own day.
        may_wait=not isinstance(spec, FollowUpStep),
        expires=None if expires is None else run.due_at + expires,
    )


def _is_exempt(entry: Drafted) -> bool:
    """What is urgent, what tells of an alert, and what a person let go before its next day came."""
    run, spec = entry.run, entry.run.spec
    let_go = run.parent_id is not None and run.approved_by is not None
    return isinstance(spec, AlertNotice) or spec.priority == "urgent" or let_go
