"""Releaser: held runs whose time has come → through the gates again, and due."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.gates import Gated, Rules, Skip, TurnedAway, decide
from dingbell.domain.misfire import latest_of
from dingbell.domain.run import Occurrence
from dingbell.engine.node.context import Context
from dingbell.planning import wakeups
from dingbell.planning.turning import turn_away
from dingbell.store import jobs, rules
from dingbell.store.connection import transaction
from dingbell.store.ledger import holds
from dingbell.store.ledger.runs import RunRow

__all__ = ["Releaser"]


class Releaser:
    """Lets held runs go."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def release(self, run_ids: Sequence[int]) -> None:
        """Let those go whose hold has ended; a repeat finds none."""
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            ended = await holds.ended(connection, run_ids, now)
            standing = Rules(await rules.quiet_hours(connection))
            away = _superseded(ended)
            for one in ended:
                if one.id in away:
                    continue
                decision = decide(
                    Gated(one.kind, one.spec, one.due_at, held=one.cause), now, standing
                )
                if isinstance(decision, TurnedAway):
                    away[one.id] = decision
            await turn_away(connection, away, now)
            released = await holds.let_go(
                connection, [one.id for one in ended if one.id not in away], now
            )
            await jobs.enqueue(
                connection, [wakeups.plan([one], function) for one, function in released]
            )


def _superseded(ended: Sequence[RunRow]) -> dict[int, TurnedAway]:
    """Of the occurrences of a schedule that quiet hours held, those its `catch_up` leaves out."""
    away: dict[int, TurnedAway] = {}
    held = [
        one
        for one in ended
        if one.cause is not None
        and one.cause.kind is CauseKind.QUIET_HOURS
        and isinstance(one.spec, Occurrence)
    ]
    held.sort(key=lambda one: (one.schedule_id or 0, one.due_at))
    for _, group in groupby(held, key=lambda one: one.schedule_id):
        own = list(group)
        newest = own[-1]
        assert isinstance(newest.spec, Occurrence)
        for one in own:
            cause = latest_of(newest.spec.misfire, newest=one is newest)
            if len(own) > 1 and cause is not None:
                away[one.id] = Skip(Cause(cause))
    return away
