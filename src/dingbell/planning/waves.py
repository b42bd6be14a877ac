"""Waves: batches whose slots lie in one second, woken by one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import floor

from dingbell.domain.priority import Rank
from dingbell.planning import wakeups
from dingbell.store.connection import Connection
from dingbell.store.jobs import Job
from dingbell.store.ledger import claims

__all__ = ["Waves", "cut"]

# Batches of one wave: as many as one node calls within a few seconds.
_MOST = 400


@dataclass(frozen=True, slots=True)
class Waves:
    """What batches were cut into.

    Attributes:
        numbers: the wave of each batch, in the order given.
        jobs: what wakes the sender for them.
    """

    numbers: list[int]
    jobs: list[Job]


async def cut(connection: Connection, slots: Sequence[tuple[datetime, Rank]]) -> Waves:
    """Cut batches into waves: by the second of their slots, and within it in the order given.

    Args:
        connection: in the transaction that writes the batches.
        slots: the slot of each batch, and its rank.
    """
    places = sorted(range(len(slots)), key=lambda place: floor(slots[place][0].timestamp()))
    parts = [
        second[start : start + _MOST]
        for _, group in groupby(places, key=lambda place: floor(slots[place][0].timestamp()))
        for second in [list(group)]
        for start in range(0, len(second), _MOST)
    ]
    numbers = [0] * len(slots)
    jobs = []
    for wave, part in zip(await claims.next_waves(connection, len(parts)), parts, strict=True):
        for place in part:
            numbers[place] = wave
        first, rank = min(slots[place][0] for place in part), min(slots[place][1] for place in part)
        jobs.append(wakeups.send(wave, first, rank))
    return Waves(numbers, jobs)
