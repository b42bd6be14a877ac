"""Database: the embedded server is started again when it died; one that fails is noticed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dingbell.errors import DingBellError
from dingbell.store import fitness
from dingbell.store.connection import Pool, acquire
from dingbell.store.server.embedded import EmbeddedServer
from dingbell.telemetry import Event, log

__all__ = ["EXAMINE_EVERY", "REVIVE_EVERY", "DatabaseWatch"]

# Seconds.
EXAMINE_EVERY = 5.0
REVIVE_EVERY = 2.0


class DatabaseWatch:
    """Watches over the database below a node.

    Attributes:
        unfit: what keeps the database from letting a node work, though it answers.
    """

    def __init__(
        self, pool: Pool, server: EmbeddedServer | None, healthy: Callable[[], bool]
    ) -> None:
        self._pool = pool
        self._server = server
        self._healthy = healthy
        self.unfit: str | None = None

    async def examine(self) -> None:
        """Notice when the database no longer lets a node work, though it answers."""
        async with acquire(self._pool) as connection:
            lacks = await fitness.lacks(connection)
        self.unfit = str(lacks[0]) if lacks else None
        if lacks:
            log(Event.DATABASE_LOST, level=logging.ERROR, error=str(lacks[0])[:200])

    async def revive(self) -> None:
        """Start the embedded server again when it has died."""
        if self._server is None or self._healthy():
            return
        try:
            await self._server.ensure()
        except DingBellError as error:
            log(Event.DATABASE_LOST, level=logging.ERROR, error=str(error)[:200])
