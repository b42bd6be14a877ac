"""A running service over the module's database and the sandbox."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from dingbell.bootstrap import Database, Service
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox
from dingbell.store.ledger import audit

from .given import show

POLLS = tuple(timedelta(seconds=seconds) for seconds in (3, 4, 5, 6, 8, 10, 20))
FINAL = ("settled", "refused", "failed", "skipped", "canceled", "recalled")


class Truth:
    """What the sandbox saw."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, path: str) -> Any:
        async with self._session.get(f"/_sandbox/{path}") as answer:
            return await answer.json()

    async def post(self, path: str, body: object) -> Any:
        async with self._session.post(f"/_sandbox/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def delete(self, path: str) -> None:
        async with self._session.delete(f"/_sandbox/{path}") as answer:
            assert answer.status == 200, await answer.text()

    async def calls(self) -> list[dict[str, Any]]:
        return list(await self.get("calls"))

    async def rung(self) -> Counter[str]:
        return Counter(userid for call in await self.calls() for userid in call["delivered"])


@pytest.fixture
async def truth(sandbox: Sandbox) -> AsyncIterator[Truth]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield Truth(session)


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Ask again and again until the answer is true; fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return found


async def final(desk: Operations, run_id: int, seconds: float = 30) -> dict[str, Any]:
    """Wait until a run is final; return it with its people."""

    async def there() -> dict[str, Any] | None:
        found = await show(desk, run_id)
        open_batches = [
            b for b in found["batches"] if b["state"] in ("queued", "sending", "accepted")
        ]
        return found if found["state"] in FINAL and not open_batches else None

    found: dict[str, Any] = await until(there, seconds)
    return found


@pytest.fixture(autouse=True)
async def ledger_adds_up(desk: Operations) -> AsyncIterator[None]:
    """Walk the database after every test: one state each, and the totals add up."""
    yield
    async with desk.pool.acquire() as connection:
        assert await audit.discrepancies(connection, desk.clock.now() - timedelta(days=40)) == {}


RunService = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def run_service(database: Database, desk: Operations) -> RunService:
    """Run a service for a while."""

    @asynccontextmanager
    async def run(at: Operations | None = None, **options: Any) -> AsyncIterator[Service]:
        service = Service(at or desk, database, polls=POLLS, **options)
        await service.start()
        try:
            yield service
        finally:
            await service.stop()

    return run


@pytest.fixture
async def service(run_service: RunService) -> AsyncIterator[Service]:
    """A running service."""
    async with run_service() as running:
        yield running
