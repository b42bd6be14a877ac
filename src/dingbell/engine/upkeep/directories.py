"""Directories: those in use that have grown old are read again, each with an app of its org."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from dingbell.directory.freshness import is_due
from dingbell.directory.reader import DirectoryReader
from dingbell.directory.spelling import spell_new
from dingbell.errors import DingBellError
from dingbell.store import apps, directory, directory_events
from dingbell.store.connection import acquire
from dingbell.telemetry import Event, log

__all__ = ["REFRESH_EVERY", "Directories"]

REFRESH_EVERY = 600.0  # seconds
# Another node may have read it a moment ago.
_JUST_READ = timedelta(minutes=20)
# Events that were applied are known for so long, so that one that comes late is no news.
_REMEMBERED = timedelta(days=7)
_FIRST_PATIENCE = 5.0


class Directories:
    """Keeps the cache of directories fresh."""

    def __init__(self, reader: DirectoryReader) -> None:
        self._reader = reader
        self._reading: set[asyncio.Task[None]] = set()

    async def refresh(self) -> None:
        """Read again those that were read once and are old now; learn how new names are typed."""
        now = self._reader.clock.now()
        async with acquire(self._reader.pool) as connection:
            await directory_events.forget(connection, now - _REMEMBERED)
            orgs = {app.org: app for app in await apps.all_apps(connection)}
            known = {org: await directory.last_sync(connection, org) for org in orgs}
        for org, last in known.items():
            if last is not None and is_due(last, now):
                await self._read(orgs[org], younger_than=_JUST_READ)
            if last is not None:
                await spell_new(self._reader.pool, org)

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
