"""The one place that builds everything: database, desk, engine, API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dingbell import display
from dingbell.clients import Clients
from dingbell.clock import Clock, SystemClock
from dingbell.directory.reader import DirectoryReader
from dingbell.domain.budget import Allowance
from dingbell.domain.slots import Pace
from dingbell.domain.triggers import parse_zone
from dingbell.errors import DatabaseError
from dingbell.operations import apps, keys
from dingbell.operations.actor import ENGINE, LOCAL_CLI, Actor
from dingbell.operations.context import Operations
from dingbell.planning.sources import Sources
from dingbell.settings import Settings
from dingbell.store import fitness, migrate, nodes, rules
from dingbell.store.connection import acquire, create_pool, transaction
from dingbell.store.server.embedded import EmbeddedServer
from dingbell.store.vault import Vault
from dingbell.telemetry import Event, Metrics, log
from dingbell.version import __version__

if TYPE_CHECKING:
    from dingbell.engine.node.context import MessageFunction
    from dingbell.engine.node.node import Role

__all__ = ["ENVIRONMENT_APP", "Service", "open_database", "open_desk"]

# The name under which the app given by the environment is known.
ENVIRONMENT_APP = "default"


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL that is there: its address, and the embedded server where it is ours."""

    dsn: str
    server: EmbeddedServer | None


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Start or attach to the embedded server, or use the one that is given; then migrate.

    Raises:
        InputError: the address is wrong or the data directory cannot be used.
        DatabaseError: PostgreSQL cannot be reached or started.
    """
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        await migrate.upgrade(dsn)
        yield Database(dsn, None)
        return
    server = EmbeddedServer(settings.data_dir)
    dsn = await server.start()
    try:
        await migrate.upgrade(dsn)
        yield Database(dsn, server)
    finally:
        await server.stop()


@asynccontextmanager
async def open_desk(
    settings: Settings,
    *,
    database: Database | None = None,
    clock: Clock | None = None,
    actor: Actor = LOCAL_CLI,
    any_key: bool = False,
) -> AsyncIterator[Operations]:
    """Build what operations need, over a database that is open or is opened for it.

    Nothing is written: not even the app that the environment gives, before it is used.

    Args:
        settings: what the environment says.
        database: one that is open already.
        clock: the time; this host's, corrected by the database's, if left out.
        actor: who asks; whoever runs this program if left out.
        any_key: do not mind that the secret key is not that of the database.

    Raises:
        InputError: the secrets of this database are locked with another key.
    """
    if database is None:
        async with (
            open_database(settings) as opened,
            open_desk(settings, database=opened, clock=clock, actor=actor, any_key=any_key) as desk,
        ):
            yield desk
        return
    clock = clock or SystemClock()
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    vault = Vault.open(key, settings.data_dir)
    pool = await create_pool(database.dsn, size=12)
    clients = Clients(pool, vault, clock, calls_per_address=settings.calls_per_address)
    desk = Operations(
        pool=pool,
        clock=clock,
        clients=clients,
        vault=vault,
        pace=Pace(settings.people_per_minute, settings.calls_per_second),
        sources=Sources(clock),
        actor=actor,
        oapi_url=settings.oapi_url,
        api_url=settings.api_url,
        default_app=ENVIRONMENT_APP if settings.has_app else None,
        environment_app=_environment_app(settings),
        allowance=Allowance(settings.daily_per_person, settings.monthly_calls),
        directory_stream=settings.directory_stream,
    )
    try:
        async with acquire(pool) as connection:
            if not any_key:
                await keys.check(connection, vault)
            display.show_in(parse_zone(await rules.zone_name(connection)))
        yield desk
    finally:
        await clients.close()
        await asyncio.wait_for(pool.close(), timeout=5)


def _environment_app(settings: Settings) -> apps.AppSpec | None:
    if not (settings.app_key and settings.app_secret and settings.agent_id):
        return None
    return apps.AppSpec(
        agent_id=settings.agent_id, app_key=settings.app_key, app_secret=settings.app_secret
    )


async def any_node_alive(desk: Operations, *, role: str | None = None) -> bool:
    """Whether some node, or one that has a role, is running on this database."""
    async with acquire(desk.pool) as connection:
        return await nodes.alive(connection, role=role) > 0


class Service:
    """A node with everything around it: engine, directory refresh, database watchdog."""

    def __init__(
        self,
        desk: Operations,
        database: Database,
        *,
        functions: Mapping[str, MessageFunction] | None = None,
        polls: tuple[timedelta, ...] | None = None,
        keep: timedelta = timedelta(days=180),
        keep_outbox: timedelta = timedelta(days=7),
        roles: Collection[Role] = ("scheduler", "worker"),
    ) -> None:
        # Loaded here: most commands need a desk and no engine.
        from dingbell.engine.node.node import Node
        from dingbell.engine.upkeep.database import DatabaseWatch
        from dingbell.engine.upkeep.directories import Directories
        from dingbell.engine.upkeep.streams import Streams

        self.desk = desk.as_(ENGINE)
        self.metrics = Metrics()
        self._tasks: list[asyncio.Task[None]] = []
        self.node = Node(
            dsn=database.dsn,
            pool=desk.pool,
            clock=desk.clock,
            clients=desk.clients,
            pace=desk.pace,
            sources=desk.sources,
            metrics=self.metrics,
            version=__version__,
            functions=functions,
            polls=polls,
            allowance=desk.allowance,
            keep=keep,
            keep_outbox=keep_outbox,
            roles=roles,
        )
        reader = DirectoryReader(desk.pool, desk.clients, desk.clock, desk.pace)
        self._directories = Directories(reader)
        self._streams = Streams(database.dsn, reader) if desk.directory_stream else None
        self._watch = DatabaseWatch(desk.pool, database.server, lambda: self.node.healthy)

    @property
    def trouble(self) -> str | None:
        """Why no notice can be sent right now; None when all is well."""
        return self.node.trouble or self._watch.unfit

    async def start(self, *, sync_first: bool = False) -> None:
        """Start; return when schedules are fired.

        Args:
            sync_first: read directories that were never read before anything is fired.

        Raises:
            DatabaseError: the database does not let a node work.
            InputError: its secrets are locked with another key.
        """
        from dingbell.engine.upkeep.database import EXAMINE_EVERY, REVIVE_EVERY
        from dingbell.engine.upkeep.directories import REFRESH_EVERY
        from dingbell.engine.upkeep.streams import TRY_EVERY

        async with acquire(self.desk.pool) as connection:
            if lacks := await fitness.lacks(connection):
                raise DatabaseError(lacks[0])
        async with transaction(self.desk.pool) as connection:
            await keys.bind(connection, self.desk.vault, self.desk.clock.now())
            await apps.introduce(self.desk, connection)
        if sync_first:
            await self._directories.read_unread(ENVIRONMENT_APP)
        await self.node.start()
        lost, unread = Event.DATABASE_LOST, Event.DIRECTORY_SYNC_FAILED
        cut = Event.DIRECTORY_STREAM_LOST
        self._tasks = [
            asyncio.ensure_future(work)
            for work in (
                self._every(REFRESH_EVERY, self._directories.refresh, unread),
                *([self._every(TRY_EVERY, self._streams.listen, cut)] if self._streams else ()),
                self._every(REVIVE_EVERY, self._watch.revive, lost),
                self._every(EXAMINE_EVERY, self._watch.examine, lost),
            )
        ]

    async def stop(self) -> None:
        """Drain and stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._directories.stop()
        await self.node.stop()

    def _every(
        self, seconds: float, work: Callable[[], Awaitable[object]], event: Event
    ) -> Coroutine[None, None, None]:
        from dingbell.engine.node.periodic import every

        def report(error: Exception) -> None:
            log(event, level=logging.WARNING, error=repr(error)[:200])

        return every(seconds, work, clock=self.desk.clock, report=report)
