"""Receipts: what DingTalk's results say about each person of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dingbell.domain.lifecycle import Delivery

__all__ = ["DUPLICATE", "PACE_CODES", "Finding", "attribute", "merge"]

# Same content to the same person on the same day (result page, read 2026-08).
DUPLICATE = "143106"
# Too many people in a minute, per app and per org: "retry later" (result page, read 2026-08).
PACE_CODES = frozenset({"143103", "143104"})

# A person known to have it under one task has it, whatever another task says.
_RANK = {
    Delivery.READ: 0,
    Delivery.UNREAD: 1,
    Delivery.FAILED: 2,
    Delivery.INVALID: 3,
    Delivery.DROPPED: 4,
}

_NOT_DELIVERED = frozenset({Delivery.DROPPED, Delivery.INVALID, Delivery.FAILED, Delivery.CANCELED})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one result says of one person."""

    state: Delivery
    code: str | None = None


def merge(results: Iterable[Mapping[str, Finding]]) -> dict[str, Finding]:
    """Put the results of all tasks of a batch together; the best news of a person holds."""
    merged: dict[str, Finding] = {}
    for result in results:
        for userid, finding in result.items():
            known = merged.get(userid)
            if known is None or _RANK[finding.state] < _RANK[known.state]:
                merged[userid] = finding
    return merged


def attribute(elsewhere: Collection[str], *, lost: bool) -> Finding:
    """Say what a duplicate means for a person of a batch.

    Args:
        elsewhere: states of that person's other deliveries of the same app, body and day.
        lost: whether a call of this batch went out and never came back.

    Returns:
        `dropped` when another one was delivered, or when nothing was lost; `sent` when none of the
        others can have been, so that the lost call has: without a task id it can be neither
        read-tracked nor recalled; `unknown` while another one may have been.
    """
    if not lost or any(Delivery(state).arrived for state in elsewhere):
        return Finding(Delivery.DROPPED, DUPLICATE)
    if _NOT_DELIVERED.issuperset(elsewhere):
        return Finding(Delivery.SENT, DUPLICATE)
    return Finding(Delivery.UNKNOWN, DUPLICATE)
