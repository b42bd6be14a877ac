"""A node: enters its lease, runs the stages, and drains on the way out."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from datetime import timedelta
from typing import Literal

from dingbell.clients import Clients
from dingbell.clock import Clock
from dingbell.domain.budget import READ_POLLS, Allowance
from dingbell.domain.slots import Pace
from dingbell.engine.node.context import Context, MessageFunction
from dingbell.engine.node.health import Health
from dingbell.engine.node.lease import Lease
from dingbell.engine.node.periodic import every
from dingbell.engine.node.queue import Handler, Worker
from dingbell.engine.path.planner.latecomers import Latecomers
from dingbell.engine.path.planner.planner import Planner
from dingbell.engine.path.sender.outcomes import Outcomes
from dingbell.engine.path.sender.sender import Sender
from dingbell.engine.path.settler.settler import Settler
from dingbell.engine.path.ticker import Ticker
from dingbell.engine.path.tracker import Tracker
from dingbell.engine.upkeep.archivist import FIRST_FORGETTING, FORGET_EVERY, Archivist
from dingbell.engine.upkeep.recaller import Recaller
from dingbell.engine.upkeep.releaser import Releaser
from dingbell.engine.upkeep.sentinel import WATCH_EVERY, Sentinel
from dingbell.engine.upkeep.sweeper import SWEEP_EVERY, Sweeper
from dingbell.errors import DingBellError
from dingbell.planning import wakeups
from dingbell.planning.sources import Sources
from dingbell.store import schedules
from dingbell.store.connection import Pool, connect, translated
from dingbell.telemetry import Event, Metrics, log, observe

__all__ = ["ROLES", "Node", "Role"]

# What a node does: a scheduler makes runs, a worker plans, sends and polls. Every node watches
# over what others leave behind.
Role = Literal["scheduler", "worker"]
ROLES: tuple[Role, ...] = ("scheduler", "worker")
_DRAIN_SECONDS = 9.0
# A wave sleeps from a second before its slots to the last of them: those of many apps overlap.
_WAVES_AT_ONCE = 200
_JOBS_AT_ONCE = 8
# Seconds after which a stage that ended with an error begins again.
_AGAIN = 0.5


class Node:
    """One running engine."""

    def __init__(
        self,
        *,
        dsn: str,
        pool: Pool,
        clock: Clock,
        clients: Clients,
        pace: Pace,
        sources: Sources,
        metrics: Metrics,
        version: str,
        functions: Mapping[str, MessageFunction] | None = None,
        polls: tuple[timedelta, ...] | None = None,
        allowance: Allowance = Allowance(),
        keep: timedelta = timedelta(days=180),
        keep_outbox: timedelta = timedelta(days=7),
        roles: Collection[Role] = ROLES,
    ) -> None:
        self._dsn = dsn
        self._clock = clock
        self._roles = roles
        self.lease = Lease(
            dsn,
            clock,
            name=f"{socket.gethostname()}:{os.getpid()}",
            version=version,
            roles=sorted(roles),
            functions=sorted(functions or {}),
        )
        context = Context(
            pool=pool,
            clock=clock,
            clients=clients,
            lease=self.lease,
            pace=pace,
            metrics=metrics,
            polls=READ_POLLS if polls is None else polls,
            trouble=Health(clock),
            sources=sources,
            functions=functions or {},
            allowance=allowance,
        )
        self._trouble = context.trouble
        self._metrics = metrics
        self._ticker = Ticker(context)
        self._outcomes = Outcomes(context)
        self._sender = Sender(context, self._outcomes)
        self._sweeper = Sweeper(context)
        self._sentinel = Sentinel(context)
        self._archivist = Archivist(context, keep=keep, keep_outbox=keep_outbox)
        self._planner = Planner(context)
        self._tracker = Tracker(context)
        self._workers = self._make_workers(context)
        self._tasks: list[asyncio.Task[None]] = []
        self._working: list[asyncio.Task[None]] = []

    def _make_workers(self, context: Context) -> tuple[Worker, ...]:
        if "worker" not in self._roles:
            return ()
        planner = self._planner
        rest: dict[str, Handler] = {
            wakeups.PLAN: planner.plan,
            wakeups.POLL: self._tracker.track,
            wakeups.SETTLE: Settler(context).report,
            wakeups.RECALL: Recaller(context).recall,
            wakeups.RELEASE: Releaser(context).release,
        }
        rest |= {wakeups.plan_of(one): planner.plan_apart for one in context.functions}
        return (
            self._worker(
                {wakeups.SEND: self._sender.send, wakeups.JOIN: Latecomers(context).join},
                at_once=_WAVES_AT_ONCE,
            ),
            self._worker(rest, at_once=_JOBS_AT_ONCE),
        )

    def _worker(self, handlers: dict[str, Handler], *, at_once: int) -> Worker:
        return Worker(self._dsn, self._clock, handlers, self._trouble, at_once=at_once)

    @property
    def healthy(self) -> bool:
        """Whether the node holds its lease and both workers are connected."""
        return self.lease.valid and all(worker.connected.is_set() for worker in self._workers)

    @property
    def trouble(self) -> str | None:
        """Why the node cannot do its work right now; None when all is well."""
        if not self.lease.valid:
            return self._trouble.current or "the lease could not be renewed: no database"
        if not self.healthy:
            return self._trouble.current or "a worker has no connection to the database"
        return self._trouble.current

    async def start(self) -> None:
        """Enter the node and start its stages; return when it fires schedules."""
        observe(self._metrics)
        await self.lease.acquire()
        runs = [self.lease.keep(), self._outcomes.run(), *self._upkeep()]
        if "scheduler" in self._roles:
            runs += [
                self._every(_AGAIN, self._ticker.run, "ticker", first=0),
                self._every(_AGAIN, self._listen, "listener", first=0),
            ]
        self._tasks = [asyncio.ensure_future(run) for run in runs]
        self._working = [asyncio.ensure_future(worker.run()) for worker in self._workers]
        for task in (*self._tasks, *self._working):
            task.add_done_callback(_report_death)
        await asyncio.gather(*(worker.connected.wait() for worker in self._workers))
        log(Event.NODE_STARTED, node=self.lease.node_id)

    async def stop(self) -> None:
        """Drain: take nothing new, let the calls in flight end, sign off."""
        log(Event.NODE_DRAINING, node=self.lease.node_id)
        self._sender.draining = True
        for worker in self._workers:
            worker.stop()
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await asyncio.gather(*self._working)
                await self._sender.drain()
                await self.lease.release()
        except (DingBellError, TimeoutError) as error:
            # The lease runs out by itself and others take over.
            log(Event.LEASE_LOST, level=logging.WARNING, error=type(error).__name__)
        await self._planner.stop()
        await self._tracker.stop()
        for task in (*self._tasks, *self._working):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._working, return_exceptions=True)
        await self.lease.close()
        log(Event.NODE_STOPPED, node=self.lease.node_id)

    def _upkeep(self) -> list[Coroutine[None, None, None]]:
        """What every node does now and then, whatever its roles."""
        return [
            self._every(SWEEP_EVERY, self._sweeper.sweep, "sweeper"),
            self._every(WATCH_EVERY, self._sentinel.watch, "sentinel"),
            self._every(FORGET_EVERY, self._archivist.forget, "archivist", first=FIRST_FORGETTING),
        ]

    def _every(
        self,
        seconds: float,
        work: Callable[[], Awaitable[object]],
        stage: str,
        *,
        first: float | None = None,
    ) -> Coroutine[None, None, None]:
        """Work of a stage for ever; what it raises is told under the stage's name."""

        def report(error: Exception) -> None:
            self._trouble.report(error, stage)

        return every(seconds, work, clock=self._clock, report=report, first=first)

    async def _listen(self) -> None:
        """Wake the ticker when a schedule changes, and at each connect; until it is cut."""
        connection = await connect(self._dsn)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            with translated():
                await connection.add_listener(
                    schedules.CHANNEL, lambda *_: self._ticker.changed.set()
                )
            self._ticker.changed.set()
            await lost.wait()
        finally:
            connection.terminate()


def _report_death(task: asyncio.Task[None]) -> None:
    """A stage that ends with an error is a bug: say so loudly."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log(Event.JOB_FAILED, level=logging.CRITICAL, stage=str(task.get_name()), error=repr(error))
