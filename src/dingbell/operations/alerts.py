"""Operations on alerts: what needs a person."""

from __future__ import annotations

from typing import Any

from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View, Words
from dingbell.store.connection import acquire
from dingbell.store.ledger import alerts

__all__ = ["AlertView", "listed"]


class AlertView(View):
    """Something is wrong, since when, and whether it still is.

    Attributes:
        noun: what kind of thing it is about.
        subject: its name or id.
        params: what the sentence is made of.
        detail: the sentence.
    """

    id: int
    kind: str
    noun: str
    subject: str
    params: dict[str, Any]
    detail: Words
    began_at: Instant
    seen_at: Instant
    ended_at: Instant | None


async def listed(
    ops: Operations, *, limit: int = 100, only_open: bool = True
) -> tuple[AlertView, ...]:
    """The newest alerts first."""
    ops.may(Operation.ALERTS_SEE)
    async with acquire(ops.pool) as connection:
        found = await alerts.listed(connection, limit=limit, only_open=only_open)
    return tuple(_view(one) for one in found)


def _view(one: alerts.Alert) -> AlertView:
    return AlertView(
        id=one.id,
        kind=one.alarm.kind.value,
        noun=one.alarm.noun.value,
        subject=one.alarm.subject,
        params=dict(one.alarm.params),
        detail=one.alarm.text(),
        began_at=one.began_at,
        seen_at=one.seen_at,
        ended_at=one.ended_at,
    )
