"""What every stage of the engine needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from dingbell.clients import Clients
from dingbell.clock import Clock
from dingbell.domain.budget import Allowance
from dingbell.domain.slots import Pace
from dingbell.engine.node.authors import Authors
from dingbell.engine.node.back_pressure import BackPressure
from dingbell.engine.node.health import Health
from dingbell.engine.node.lease import Lease
from dingbell.planning.denial import DenyList
from dingbell.planning.sources import Sources
from dingbell.store.connection import Pool
from dingbell.telemetry import Metrics

__all__ = ["POLL_BEFORE", "POLL_SHARE", "Context", "MessageFunction"]

# A Python function that makes a message when its schedule is prepared: it takes nothing or `due`,
# and may be a coroutine.
MessageFunction = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of the stages of one node.

    Attributes:
        pace: what an app or org may send that has no pace of its own.
        functions: what this process has registered for its own Python schedules, by the key in
            column `function`.
        trouble: why the stages cannot do their work.
        back_pressure: whether sends are under way.
        sources: the company's own addresses that say whom an audience means.
        deny: who is never sent to.
        authors: calls those functions.
        polls: when results are polled after they are complete, counted from the call, while
            calls are plentiful.
        allowance: what DingTalk allows where an org does not say otherwise.
    """

    pool: Pool
    clock: Clock
    clients: Clients
    lease: Lease
    pace: Pace
    metrics: Metrics
    polls: tuple[timedelta, ...]
    trouble: Health
    sources: Sources
    allowance: Allowance = Allowance()
    functions: Mapping[str, MessageFunction] = field(default_factory=dict)
    back_pressure: BackPressure = field(default_factory=BackPressure)
    deny: DenyList = field(default_factory=DenyList)
    authors: Authors = field(default_factory=Authors)


# The fresh look comes so long before a follow-up: time enough for its turn, and to be true still.
POLL_BEFORE = timedelta(seconds=30)
# Looks take this part of an app's calls per second; each is at most one call per API and task.
POLL_SHARE = 0.9
