"""What all tests share: PostgreSQL from the wheel, a database per module, sandboxes, desks."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest

from dingbell.bootstrap import Database, open_desk
from dingbell.clock import beijing_day
from dingbell.operations import apps
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox
from dingbell.settings import Settings
from dingbell.store import migrate
from dingbell.store.connection import transaction
from dingbell.store.server.embedded import EmbeddedServer

# Nothing is kept on disk or depends on the machine's speed, and a red run can be repeated.
hypothesis.settings.register_profile("house", deadline=None, database=None, derandomize=True)
hypothesis.settings.load_profile("house")

for _name in [name for name in os.environ if name.startswith("DINGBELL_")]:
    del os.environ[_name]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much `tests/crash` breaks, and cron is tried; `make chaos` says more than `make test`."""
    for name, default, what in (
        ("seeds", 1, "how many seeds"),
        ("seconds", 12, "how long it plays with each"),
        ("runs", 12, "how many runs come due meanwhile"),
        ("people", 60, "how many people each goes to"),
        ("nodes", 2, "how many nodes there are"),
        ("failpoints", 4, "at how many commits a node dies; 0 is at all"),
        ("soak", 0, "for how many minutes a busy node must not grow; 0 is not at all"),
    ):
        parser.addoption(f"--chaos-{name}", type=int, default=default, help=what)
    parser.addoption(
        "--cron-expressions",
        type=int,
        default=60,
        help="how many expressions are compared with a watched clock; 10000 meet every change",
    )


# How long one story of a tier takes at most, in seconds, where it is told by the wall clock.
_LONGEST = {"engine": 45, "surfaces": 45, "crash": 150}


# Files of the crash tier, those that take longest first: they wait for most of their time.
_WAITING = ("processes", "database", "failpoints", "poison", "monkey", "soak")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that wait run beside files that compute: two begin, the others come in between."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = sorted(
        (path for path in files if path.parent.name == "crash"),
        key=lambda path: (*_WAITING, path.stem.removeprefix("test_")).index(
            path.stem.removeprefix("test_")
        ),
    )
    ordered = [path for path in files if path not in waiting]
    apart = max(len(ordered) // max(len(waiting), 1), 1)
    for place, path in enumerate(waiting):
        ordered.insert(max(place - 1, 0) * apart + min(place, 1), path)
    items[:] = [item for path in ordered for item in files[path]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A story that would run over the end of a Beijing day begins after it.

    DingTalk's rules are by the day: over its end a repeat is no duplicate any more, and a call in
    doubt rightly stays `unknown`. What is told of that moves its rows a day back.
    """
    longest = _LONGEST.get(item.path.parent.name, 0)
    if longest == _LONGEST["crash"]:
        longest += item.config.getoption("--chaos-seconds")
    now = datetime.now(UTC)
    left = (beijing_day(now) + timedelta(days=1) - now).total_seconds()
    if left < longest:
        time.sleep(left + 1)


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    """The data directory of the session's PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="dingbell-tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_dsn(server_dir: Path) -> Iterator[str]:
    """A running PostgreSQL for this session."""
    import asyncio

    server = EmbeddedServer(server_dir)
    yield asyncio.run(server.start())
    asyncio.run(server.stop())


def on_database(dsn: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@pytest.fixture
def fresh_database(server_dsn: str) -> Iterator[str]:
    """The address of an empty database, not migrated."""
    import asyncio

    name = f"f_{os.urandom(6).hex()}"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute(f"create database {name}"))
    yield on_database(server_dsn, name)
    asyncio.run(execute(f"drop database if exists {name} with (force)"))


@pytest.fixture(scope="module")
def dsn(server_dsn: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh, migrated database for this module."""
    import asyncio

    name = f"t_{abs(hash(request.node.nodeid)):x}"

    async def create() -> str:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(f"drop database if exists {name} with (force)")
        await connection.execute(f"create database {name}")
        await connection.close()
        fresh = on_database(server_dsn, name)
        await migrate.upgrade(fresh)
        return fresh

    async def drop() -> None:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(f"drop database if exists {name} with (force)")
        await connection.close()

    yield asyncio.run(create())
    asyncio.run(drop())


async def empty(dsn: str) -> None:
    """Forget everything in a database."""
    connection = await asyncpg.connect(dsn)
    tables = await connection.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables "
        "where schemaname in ('dingbell', 'dingbell_queue') "
        "and tablename not in ('alembic_version', 'schema_facts')"
    )
    names = ", ".join(row["name"] for row in tables)
    await connection.execute(f"truncate {names} restart identity cascade")
    await connection.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A pretend DingTalk of 40 people."""
    async with Sandbox(people=40, seed=7) as running:
        yield running


OpenDesk = Callable[..., AbstractAsyncContextManager[Operations]]


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    """Settings that point to the sandbox."""
    return Settings.load(
        _env_file=None,
        data_dir=tmp_path,
        oapi_url=sandbox.url,
        api_url=sandbox.url,
        app_key=sandbox.app_key,
        app_secret=sandbox.app_secret,
        agent_id=sandbox.agent_id,
    )


@pytest.fixture
def begin_anew(dsn: str) -> Callable[[], Awaitable[None]]:
    """Forget everything in this module's database, in the middle of a test."""
    return lambda: empty(dsn)


@pytest.fixture
async def database(dsn: str) -> Database:
    """This module's database, empty."""
    await empty(dsn)
    return Database(dsn, None)


@pytest.fixture
async def desk(database: Database, settings: Settings) -> AsyncIterator[Operations]:
    """A desk over this module's database and the sandbox, whose app is known."""
    async with open_desk(settings, database=database) as opened:
        async with transaction(opened.pool) as connection:
            await apps.introduce(opened, connection)
        yield opened


@asynccontextmanager
async def running_desk(settings: Settings, dsn: str) -> AsyncIterator[Operations]:
    """A desk like another node would have it."""
    async with open_desk(settings, database=Database(dsn, None)) as opened:
        yield opened
