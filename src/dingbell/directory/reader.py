"""Reading the directories of orgs: once where that was never done, again where they are old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dingbell.clients import Clients
from dingbell.clock import Clock
from dingbell.directory.sync import Progress, sync
from dingbell.domain.slots import Pace
from dingbell.store import directory
from dingbell.store.apps import App
from dingbell.store.connection import Connection, Pool, acquire

__all__ = ["DirectoryReader"]


def _quiet(_: int) -> None:
    """Tell nobody about progress."""


@dataclass(frozen=True, slots=True)
class DirectoryReader:
    """Reads what apps may see into the cache of their orgs.

    Attributes:
        pace: of apps that have none of their own.
    """

    pool: Pool
    clients: Clients
    clock: Clock
    pace: Pace

    async def ensure(
        self, app: App, *, younger_than: timedelta | None = None, progress: Progress = _quiet
    ) -> None:
        """Read the directory if it has never been read, or not for a given time.

        Raises:
            OutsideError: DingTalk could not be asked; the cache is as it was.
        """
        async with acquire(self.pool) as connection:
            if await self._is_fresh(connection, app, younger_than):
                return
            # Whoever reads it now need not be followed by everybody who waited for it.
            async with directory.reading(connection, app.org):
                if not await self._is_fresh(connection, app, younger_than):
                    await self.read(app, progress=progress)

    async def read(self, app: App, *, progress: Progress = _quiet) -> directory.Sync:
        """Read the directory an app may see, now.

        Raises:
            OutsideError: DingTalk could not be asked; the cache is as it was.
        """
        return await sync(
            self.pool,
            await self.clients.of(app.id),
            self.clock,
            app.org,
            calls_per_second=app.calls_per_second or self.pace.calls_per_second,
            progress=progress,
        )

    async def _is_fresh(
        self, connection: Connection, app: App, younger_than: timedelta | None
    ) -> bool:
        last = await directory.last_sync(connection, app.org)
        return last is not None and (
            younger_than is None or self.clock.now() - last.synced_at < younger_than
        )
