"""Operations on alerts: what needs a person."""

from __future__ import annotations

from typing import Any

from dingbell.operations import paging
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View, Words
from dingbell.store.connection import acquire
from dingbell.store.ledger import alerts

__all__ = ["AlertPage", "AlertView", "listed", "page"]


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


class AlertPage(View):
    """A page of alerts; `next` is the cursor of the page after it."""

    items: tuple[AlertView, ...]
    next: str | None


async def page(
    ops: Operations, *, limit: int = 100, after: str | None = None, only_open: bool = True
) -> AlertPage:
    """The newest alerts first, so many at a time.

    Raises:
        InputError: the cursor is none.
    """
    ops.may(Operation.ALERTS_SEE)
    before = paging.after_id(after)
    async with acquire(ops.pool) as connection:
        found = await alerts.listed(connection, limit=limit + 1, only_open=only_open, before=before)
    more, found = len(found) > limit, found[:limit]
    return AlertPage(
        items=tuple(_view(one) for one in found), next=str(found[-1].id) if more else None
    )


async def listed(
    ops: Operations, *, limit: int = 100, only_open: bool = True
) -> tuple[AlertView, ...]:
    """The newest alerts first: the first page of them."""
    return (await page(ops, limit=limit, only_open=only_open)).items


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
