"""The lease of a node: who may make calls, and who counts as dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from dingbell.clock import Clock, SystemClock
from dingbell.engine.node.periodic import every
from dingbell.errors import DingBellError
from dingbell.store import nodes
from dingbell.store.connection import Connection, connect, translated
from dingbell.telemetry import Event, log

__all__ = ["Lease"]

_RENEW_EVERY = 3.0
# A node that could not renew for this long makes no calls: others may judge it dead at 15 s.
_VALID_FOR = 10.0


class Lease:
    """Enters a node, renews its lease, and knows for how long it may act on it.

    It has a connection of its own: however long the statements of others take, a node that lives
    is not taken for dead.
    """

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        *,
        name: str,
        version: str,
        roles: Sequence[str] = ("scheduler", "worker"),
        functions: Sequence[str] = (),
    ) -> None:
        self._roles = roles
        self._functions = functions
        self._dsn = dsn
        self._connection: Connection | None = None
        self._one_by_one = asyncio.Lock()
        self._clock = clock
        self._name = name
        self._version = version
        self._renewed = float("-inf")
        self._held_since = float("inf")
        self.node_id = 0

    async def acquire(self) -> None:
        """Enter the node."""
        began = self._clock.monotonic()
        async with self._connected() as connection:
            self.node_id = await self._register(connection)
        self._renewed = self._held_since = began
        await self.renew()

    @property
    def valid(self) -> bool:
        """Whether this node may make calls."""
        return self._clock.monotonic() - self._renewed < _VALID_FOR

    @property
    def judges(self) -> bool:
        """Whether this node has been connected for a whole lease, so that it may judge others."""
        held = self._clock.monotonic() - self._held_since
        return self.valid and held >= nodes.LEASE.total_seconds()

    async def keep(self) -> None:
        """Renew for ever; while the database is away the lease simply runs out."""
        await every(_RENEW_EVERY, self.renew, clock=self._clock, report=_report)

    async def renew(self) -> None:
        """Renew once, and learn the database's time on the way."""
        began = self._clock.monotonic()
        wall = self._clock.now()
        was_valid = self.valid
        async with self._connected() as connection:
            now = await nodes.renew(connection, self.node_id, clock_offset=self._clock_offset)
            if now is None:
                # The row was pruned while this host was away: enter again under a new id.
                self.node_id = await self._register(connection)
        self._renewed = began
        if not was_valid or now is None:
            self._held_since = began
        if now is not None and isinstance(self._clock, SystemClock):
            self._clock.learn(now, asked=wall, answered=self._clock.now())

    async def close(self) -> None:
        """Close the connection; without `release` the lease runs out by itself."""
        async with self._one_by_one:
            if self._connection is not None:
                self._connection.terminate()
                self._connection = None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """The connection, opened again where it broke."""
        async with self._one_by_one:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._dsn)
            with translated():
                yield self._connection

    async def _register(self, connection: Connection) -> int:
        return await nodes.register(
            connection,
            name=self._name,
            version=self._version,
            roles=self._roles,
            functions=self._functions,
        )

    @property
    def _clock_offset(self) -> float:
        """By how many seconds this host's clock is corrected."""
        clock = self._clock
        return clock.correction.total_seconds() if isinstance(clock, SystemClock) else 0.0

    async def release(self) -> None:
        """Sign the node off; it has nothing in flight any more."""
        self._renewed = float("-inf")
        async with self._connected() as connection:
            await nodes.delete(connection, self.node_id)


def _report(error: Exception) -> None:
    if isinstance(error, DingBellError):
        log(Event.LEASE_LOST, level=logging.WARNING, error=type(error).__name__)
    else:
        log(Event.JOB_FAILED, level=logging.CRITICAL, stage="lease", error=repr(error))
