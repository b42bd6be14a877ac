"""Whose batches go first where an org's pace does not suffice for all."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from dingbell.domain.slots import Pace

__all__ = ["Priority", "Rank", "rank", "without_reserve"]

# What a schedule or a send may say.
Priority = Literal["urgent", "normal", "bulk"]

# Bulk leaves this part of every window to others: 250 people a minute and a call a second of
# DingTalk's documented 5,000 and 20.
_RESERVE = 20


class Rank(IntEnum):
    """The order in which batches are served; a lower rank takes slots promised to a higher one.

    Attributes:
        URGENT: waits for nobody.
        NORMAL: what fits into one window of people.
        LARGE: more people than that: what is smaller need not wait behind it.
        BULK: like LARGE, and leaves a reserve of every window to the others.
    """

    URGENT = 0
    NORMAL = 1
    LARGE = 2
    BULK = 3


def rank(priority: str, people: int, most_people: int) -> Rank:
    """The rank of a run.

    Args:
        priority: what its author said.
        people: how many it goes to.
        most_people: how many one window of its app and org holds.
    """
    if priority == "urgent":
        return Rank.URGENT
    if priority == "bulk":
        return Rank.BULK
    return Rank.LARGE if people > most_people else Rank.NORMAL


def without_reserve(pace: Pace) -> Pace:
    """The part of a pace that bulk may use."""
    return Pace(
        pace.people_per_minute - pace.people_per_minute // _RESERVE,
        max(pace.calls_per_second - max(pace.calls_per_second // _RESERVE, 1), 1),
    )
