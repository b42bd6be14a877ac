"""Streams: changes of directories as they happen. One node listens for all; another takes over.

An event is kept in the database before it is acknowledged, and applied afterwards: what a node has
kept and not applied, the next one applies.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from dingbell.dingtalk import errors
from dingbell.dingtalk.wire.stream import Disconnect, StreamEvent
from dingbell.directory.following import Follower
from dingbell.directory.reader import DirectoryReader
from dingbell.errors import DingBellError
from dingbell.store import apps, directory_events, duty
from dingbell.store.apps import App
from dingbell.store.connection import acquire, connect, transaction
from dingbell.store.directory_events import Subject
from dingbell.store.duty import Duty
from dingbell.telemetry import Event, log

if TYPE_CHECKING:
    from dingbell.dingtalk.client.stream import StreamConnection

__all__ = ["TRY_EVERY", "Streams"]

# How often a node that has not got the duty asks for it, and how often new orgs are looked for.
TRY_EVERY = 5.0
# Without any frame for so long a line may be dead, although its socket answers pings.
_IDLE = 600.0
# A line that tells nothing any more is held open beside the next one for so long.
_GRACE = 12.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
# A line that was held so long is no reason to wait before the next.
_STEADY = 60.0
# What could not be applied is tried again after this.
_AGAIN = 5.0
_PREFIXES = ("user_", "org_dept_", "label_")


class Streams:
    """Listens for changes of all directories while this node has the duty.

    Args:
        dsn: where a connection of its own carries the duty.
        reader: reads what has changed.
        idle: after how many silent seconds a line is replaced.
    """

    def __init__(self, dsn: str, reader: DirectoryReader, *, idle: float = _IDLE) -> None:
        self._dsn = dsn
        self._reader = reader
        self._idle = idle

    async def listen(self) -> None:
        """Take the duty, if no other node has it, and listen until the database is lost."""
        connection = await connect(self._dsn)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            if await duty.kept(connection, Duty.STREAM):
                await self._listen_to_all(lost)
        finally:
            connection.terminate()

    async def _listen_to_all(self, lost: asyncio.Event) -> None:
        """Listen for every org that has been read, also those that are read later."""
        listening: dict[str, tuple[int, asyncio.Task[None]]] = {}
        try:
            while not lost.is_set():
                wanted = await self._apps()
                for org, (app_id, task) in list(listening.items()):
                    if org not in wanted or wanted[org].id != app_id or task.done():
                        task.cancel()
                        del listening[org]
                for org, app in wanted.items():
                    if org not in listening:
                        work = _Listener(self._reader, app, self._idle).run()
                        listening[org] = app.id, asyncio.ensure_future(work)
                with suppress(TimeoutError):
                    async with asyncio.timeout(TRY_EVERY):
                        await lost.wait()
        finally:
            tasks = [task for _, task in listening.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _apps(self) -> dict[str, App]:
        """An app of each org whose directory has been read."""
        async with acquire(self._reader.pool) as connection:
            orgs = await directory_events.read_orgs(connection)
            found = {app.org: app for app in await apps.all_apps(connection) if app.names}
        return {org: app for org, app in found.items() if org in orgs}


class _Listener:
    """Listens for one org: a line, the next line before the last is closed, and the applying."""

    def __init__(self, reader: DirectoryReader, app: App, idle: float) -> None:
        self._reader = reader
        self._app = app
        self._idle = idle
        self._kept = asyncio.Event()
        self._complete = False  # nothing has been missed since the line was opened
        self._lines: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen for ever."""
        applying = asyncio.ensure_future(self._apply_for_ever())
        try:
            await self._follow_for_ever()
        finally:
            for task in (applying, *self._lines):
                task.cancel()
            await asyncio.gather(applying, *self._lines, return_exceptions=True)

    async def _follow_for_ever(self) -> None:
        """Hold a line; open the next one as soon as this one will end, slower if they soon do."""
        clock, pause = self._reader.clock, 0.0
        while True:
            began = clock.monotonic()
            orderly = await self._hold_a_line()
            if clock.monotonic() - began >= _STEADY:
                pause = 0.0
            if not orderly:
                pause = _longer(pause)
            await clock.sleep(pause)
            if orderly:
                pause = _longer(pause)

    async def _hold_a_line(self) -> bool:
        """Open a line and hold it until the next is wanted; whether it is still open then."""
        try:
            line = await self._open()
        except (errors.DingTalkError, DingBellError) as error:
            await self._note(error)
            return False
        superseded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._serve(line, superseded))
        self._lines.add(task)
        task.add_done_callback(self._lines.discard)
        return await superseded

    async def _open(self) -> StreamConnection:
        client = await self._reader.clients.of(self._app.id)
        line = await client.stream()
        if not self._complete:
            async with acquire(self._reader.pool) as connection:
                now = self._reader.clock.now()
                await directory_events.listening(connection, self._app.org, now)
            self._complete = True
            log(Event.DIRECTORY_STREAM_OPENED, org=self._app.org)
        return line

    async def _serve(self, line: StreamConnection, superseded: asyncio.Future[bool]) -> None:
        """Keep what a line tells until it ends; ask for the next one as soon as it will."""
        leaving = False
        try:
            while True:
                try:
                    frame = await line.receive(_GRACE if leaving else self._idle)
                except errors.Ambiguous as error:
                    if leaving:
                        return
                    # A line that was never told anything may just be quiet.
                    if error.code != "timeout" or line.heard:
                        await self._note(error)
                    if error.code != "timeout":
                        return
                    frame = Disconnect()
                if isinstance(frame, Disconnect):
                    leaving = True
                    _settle(superseded, True)
                else:
                    await self._keep(frame)
                    await line.acknowledge(frame)
        except (errors.DingTalkError, DingBellError) as error:
            await self._note(error)
        finally:
            _settle(superseded, False)
            await line.close()

    async def _keep(self, event: StreamEvent) -> None:
        """Keep an event of the directory; others are none of ours."""
        if not event.kind.startswith(_PREFIXES):
            return
        subject = Subject(event.userids, event.dept_ids, event.role_ids)
        now = self._reader.clock.now()
        async with transaction(self._reader.pool) as connection:
            await directory_events.keep(
                connection, self._app.org, event.event_id, event.kind, subject, now
            )
        self._kept.set()

    async def _note(self, error: Exception) -> None:
        """Events may be missed from now on: the whole directory is read again soon."""
        if not self._complete:
            return
        self._complete = False
        log(
            Event.DIRECTORY_STREAM_LOST,
            level=logging.WARNING,
            org=self._app.org,
            error=str(error)[:200],
        )
        with suppress(DingBellError):
            async with acquire(self._reader.pool) as connection:
                await directory_events.listening(connection, self._app.org, None)

    async def _apply_for_ever(self) -> None:
        """Apply what is kept, also what another node has left."""
        follower = Follower(self._reader, self._app)
        while True:
            self._kept.clear()
            try:
                await follower.catch_up()
            except (errors.DingTalkError, DingBellError) as error:
                log(Event.DIRECTORY_SYNC_FAILED, level=logging.WARNING, error=str(error)[:200])
                await self._reader.clock.sleep(_AGAIN)
                continue
            await self._kept.wait()


def _longer(pause: float) -> float:
    return min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)


def _settle(future: asyncio.Future[bool], result: bool) -> None:
    if not future.done():
        future.set_result(result)
