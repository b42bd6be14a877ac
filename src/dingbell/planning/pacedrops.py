"""Drops for pace: people whom DingTalk dropped in a full minute → queued once more, by itself."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from dingbell.domain.receipts import PACE_CODES
from dingbell.domain.slots import Pace
from dingbell.planning.resend import queue_resend
from dingbell.store.connection import Connection
from dingbell.store.ledger import resends
from dingbell.telemetry import Event, log

__all__ = ["queue_again"]

# People are sent to again after a window of DingTalk's, this many times.
_WINDOW = timedelta(seconds=60)
_MOST_REPAIRS = 5


async def queue_again(
    connection: Connection,
    batch_ids: Sequence[int],
    codes: Collection[str | None],
    default: Pace,
    *,
    now: datetime,
) -> None:
    """Queue those again whom DingTalk dropped because too many were sent to in a minute.

    Args:
        connection: in the transaction that has written their receipts, so that their run does
            not settle before.
        batch_ids: whose results came in.
        codes: what the results say of anybody; nothing is read where none of them is about pace.
        default: the pace of apps and orgs that have none of their own.
        now: the present instant.
    """
    if PACE_CODES.isdisjoint(codes):
        return
    people = await resends.dropped_for_pace(connection, batch_ids, most_generations=_MOST_REPAIRS)
    resent = await queue_resend(connection, people, default, not_before=now + _WINDOW, now=now)
    if resent:
        log(Event.BATCH_RESENT, level=logging.WARNING, people=resent)
