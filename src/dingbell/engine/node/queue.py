"""PgQueuer's wiring: a worker with a connection of its own, rebuilt whenever it breaks.

Handlers never let an exception out: PgQueuer would delete the job. What went wrong is logged, the
rows are unchanged, and the sweeper wakes them again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.models import Job
from pgqueuer.types import Channel

from dingbell.clock import Clock
from dingbell.engine.node.health import Health
from dingbell.errors import DatabaseUnavailable
from dingbell.store import jobs
from dingbell.store.connection import connect, translated

__all__ = ["Handler", "Worker"]

Handler = Callable[[Any], Awaitable[None]]

_POLL = timedelta(milliseconds=150)
# A job of a dead node is found by a dequeue of a living one: 19 s after its death at the latest.
_HEARTBEAT_TIMEOUT = timedelta(seconds=15)
_DEQUEUE_TIMEOUT = timedelta(seconds=4)
_BATCH_SIZE = 4
_CHANGED = "table_changed_event"


class _Driver(AsyncpgDriver):
    """Passes on one notice of a change at a time.

    PgQueuer keeps all notices and takes one in each of its rounds. Every statement on the queue's
    table is one: on a busy node more come than are taken, and they would be kept for ever. The one
    that waits says all that the others would.
    """

    told = False

    async def add_listener(self, channel: str, callback: Callable[[Any], None]) -> None:
        def tell(payload: Any) -> None:
            if _CHANGED in payload:
                if self.told:
                    return
                self.told = True
            callback(payload)

        await super().add_listener(channel, tell)


class _Manager(QueueManager):
    """Asks for jobs no more often than every `_POLL`.

    Every statement on the queue's table wakes every worker, and each time it would ask again; a
    burst of jobs costs a few questions instead of a few for each.
    """

    _asked_at = float("-inf")
    notices: _Driver

    async def fetch_jobs(
        self,
        batch_size: int,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> AsyncGenerator[Job, None]:
        loop = asyncio.get_running_loop()
        rest = self._asked_at + _POLL.total_seconds() - loop.time()
        if rest > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.shutdown.wait(), rest)
        self._asked_at = loop.time()
        async for job in super().fetch_jobs(
            batch_size, global_concurrency_limit, heartbeat_timeout
        ):
            yield job
        # What changed meanwhile is seen by the look for what comes next, before the wait.
        self.notices.told = False


class Worker:
    """Runs handlers for jobs, so many side by side, until it is stopped."""

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        handlers: Mapping[str, Handler],
        trouble: Health,
        *,
        at_once: int,
    ) -> None:
        self._dsn = dsn
        self._trouble = trouble
        self._clock = clock
        self._handlers = handlers
        self._at_once = at_once
        self._stopping = False
        self._queue: QueueManager | None = None
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; connection and queue are rebuilt when they break."""
        pause = 0.2
        while not self._stopping:
            try:
                await self._work()
                pause = 0.2
            except Exception as error:  # noqa: BLE001  a worker is rebuilt, whatever broke it
                self._trouble.report(error, "queue")
            self.connected.clear()
            if not self._stopping:
                await self._clock.sleep(pause)
                pause = min(pause * 2, 5.0)

    def stop(self) -> None:
        """Take no more jobs; `run` returns when the handlers have ended."""
        self._stopping = True
        if self._queue is not None:
            self._queue.shutdown.set()

    async def _work(self) -> None:
        connection = await connect(self._dsn)
        try:
            queries = jobs.queries(connection, _Driver)
            queue = _Manager(queries=queries, channel=Channel(jobs.CHANNEL))
            queue.notices = cast("_Driver", queries.driver)
            queue.min_dequeue_poll_interval = _POLL
            for entrypoint, handler in self._handlers.items():
                queue.entrypoint(entrypoint, accepts_context=False)(self._guarded(handler))
            self._queue = queue
            if self._stopping:
                return
            self.connected.set()
            with translated():
                await queue.run(
                    batch_size=_BATCH_SIZE,
                    max_concurrent_tasks=self._at_once,
                    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
                    dequeue_timeout=_DEQUEUE_TIMEOUT,
                    log_aggregation_interval=timedelta(0),
                )
        finally:
            self._queue = None
            await _close(connection)

    def _guarded(self, handler: Handler) -> Callable[[Job], Awaitable[None]]:
        async def run(job: Job) -> None:
            try:
                await handler(json.loads(job.payload or b"null"))
            except Exception as error:  # noqa: BLE001  see the module's first lines
                self._trouble.report(error, job.entrypoint)

        return run


async def _close(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    try:
        with translated():
            await connection.close(timeout=2)
    except DatabaseUnavailable:
        connection.terminate()
    except asyncio.CancelledError:
        connection.terminate()
        raise
