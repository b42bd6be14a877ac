"""Directories: those in use that have grown old are read again, each with an app of its org."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from dingbell.directory.reader import DirectoryReader
from dingbell.errors import DingBellError
from dingbell.store import apps, directory
from dingbell.store.connection import acquire
from dingbell.telemetry import Event, log

__all__ = ["REFRESH_EVERY", "Directories"]

REFRESH_EVERY = 600.0  # seconds
_OLD = timedelta(hours=6)
_FIRST_PATIENCE = 5.0


class Directories:
    """Keeps the cache of directories fresh."""

    def __init__(self, reader: DirectoryReader) -> None:
        self._reader = reader
        self._reading: set[asyncio.Task[None]] = set()

    async def refresh(self) -> None:
        """Read again those that were read once and are old now."""
        async with acquire(self._reader.pool) as connection:
            orgs = {
                app.org: app
                for app in await apps.all_apps(connection)
                if await directory.last_sync(connection, app.org) is not None
            }
        for app in orgs.values():
            await self._read(app, younger_than=_OLD)

    async def read_unread(self, name: str) -> None:
        """Read the directory of an app for the first time.

        What takes longer than a moment goes on in the background.
        """
        async with acquire(self._reader.pool) as connection:
            app = await apps.named(connection, name)
        if app is not None:
            reading = asyncio.ensure_future(self._read(app))
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)
            await asyncio.wait({reading}, timeout=_FIRST_PATIENCE)

    async def stop(self) -> None:
        """Leave what is being read."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _read(self, app: apps.App, *, younger_than: timedelta | None = None) -> None:
        """Read a directory; one that cannot be read is tried again and keeps no other waiting."""
        try:
            await self._reader.ensure(app, younger_than=younger_than)
        except DingBellError as error:
            log(Event.DIRECTORY_SYNC_FAILED, level=logging.WARNING, error=str(error)[:200])
        except Exception as error:  # noqa: BLE001  whatever was in it, there is a next time
            log(Event.DIRECTORY_SYNC_FAILED, level=logging.ERROR, error=repr(error)[:200])
