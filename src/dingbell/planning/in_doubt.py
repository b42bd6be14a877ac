"""Ambiguous calls: nobody knows whether DingTalk took the batch. See `domain.after_call`."""

from __future__ import annotations

from datetime import datetime

from dingbell.clients import CALL_TIMEOUT
from dingbell.domain.after_call import Called, after_loss
from dingbell.planning.aftermath import carry_out, known_of
from dingbell.store.connection import Connection

__all__ = ["recover"]


async def recover(
    connection: Connection, batch: Called, now: datetime, *, code: str | None
) -> bool:
    """Queue a lost batch again with the same bytes, or leave it to a person as `unknown`.

    Returns:
        Whether the batch was still this attempt's.
    """
    known = await known_of(connection, batch, again=True)
    decision = after_loss(batch, known, now, arrives_within=CALL_TIMEOUT)
    return await carry_out(connection, batch, decision, code=code)
