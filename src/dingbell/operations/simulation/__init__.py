"""Operations on simulations: what schedules would do between two days; nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time

from dingbell.clock import SHANGHAI
from dingbell.domain.simulation import Simulated, Subject, World, simulate
from dingbell.errors import InputError, Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.simulation.gathering import gather
from dingbell.operations.simulation.proposal import Proposal
from dingbell.operations.simulation.views import SimulationView, present

__all__ = ["LONGEST", "Proposal", "SimulationView", "look", "of"]

# So many days are simulated at once: two years, and a day that is left over.
LONGEST = 732


async def of(
    ops: Operations,
    first: date,
    last: date,
    *,
    proposal: Proposal | None = None,
) -> SimulationView:
    """Say what schedules would do from one day to another, both included.

    Args:
        ops: where, and who asks.
        first: the first Beijing day; what is past of today has happened.
        last: the last one.
        proposal: schedules, and what they stand on, that are not stored; None takes those that are.

    Raises:
        InputError: the days are the wrong way round, too many, or hold too many occurrences.
    """
    found = await look(ops, first, last, proposal=proposal)
    return await asyncio.to_thread(present, found, first, last)


async def look(
    ops: Operations,
    first: date,
    last: date,
    *,
    proposal: Proposal | None = None,
) -> Simulated:
    """The same as values of the domain."""
    ops.may(Operation.FORECASTS_SEE)
    _check(first, last)
    now = ops.clock.now()
    world, subjects = await gather(ops, first, last, proposal)
    # A year takes seconds: it is walked through beside the loop.
    return await asyncio.to_thread(_walk, world, subjects, first, last, now)


def _walk(
    world: World, subjects: Sequence[Subject], first: date, last: date, now: datetime
) -> Simulated:
    today = now.astimezone(SHANGHAI).date()
    begin = now if first == today else datetime.combine(first, time(), SHANGHAI)
    return simulate(world, subjects, first, last, begin=begin)


def _check(first: date, last: date) -> None:
    if last < first:
        raise InputError(
            Text(
                "{last} lies before {first}: write the earlier day first",
                "{last} 早于 {first}: 请先写较早的日期",
            ).format(first=first, last=last)
        )
    if (last - first).days >= LONGEST:
        raise InputError(
            Text("at most {most} days are simulated at once", "一次最多模拟 {most} 天").format(
                most=LONGEST
            )
        )
