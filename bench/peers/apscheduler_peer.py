"""A durable peer in a process of its own: APScheduler 3 with its job store in PostgreSQL.

    apscheduler_peer.py herd FILE  one-off jobs, stored ahead, due at one instant
    apscheduler_peer.py beat FILE  interval jobs that fire every second

What to do is read as JSON from the file; what came of it is printed as JSON. The jobs are stored
while the scheduler is paused: it would otherwise look at the store after each of them. It takes
a job out of the store, or moves it on, before the coroutine of that job has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import sys
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobSubmissionEvent,
)
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from notice import IN_FLIGHT, Order, body, due_instant, iso, read_order, recipients, sending_path

_TABLE = "bench_apscheduler"
_STORED_PER_SECOND = 100
_LEAD = 2
_PATIENCE = 300.0


class _Peer:
    """The client, its tokens, and how many sends are left."""

    def __init__(self, session: aiohttp.ClientSession, order: Order) -> None:
        self._session = session
        self._apps = order["apps"]
        self._paths: dict[str, str] = {}
        self._connections = order.get("connections", 20)
        self._instants: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._left = order["sends"] * order.get("seconds", 1)
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def sign_in(self) -> None:
        """Have the token of every app, ahead of time; what was opened for it stays open."""
        apps = iter(self._apps)

        async def fetch() -> None:
            for app in apps:
                query = {"appkey": app["app_key"], "appsecret": app["app_secret"]}
                async with self._session.get("/gettoken", params=query) as response:
                    token = (await response.json())["access_token"]
                self._paths[app["app_key"]] = sending_path(token)

        await asyncio.gather(*(fetch() for _ in range(self._connections)))

    def submitted(self, event: JobSubmissionEvent) -> None:
        """Note the instants that a job is run for: it is not told them itself."""
        self._instants[event.job_id].extend(event.scheduled_run_times)

    def failed(self, event: JobEvent) -> None:
        """End the run: every one must be sent once."""
        if not self._done.done():
            cause = getattr(event, "exception", None) or "skipped"
            self._done.set_exception(RuntimeError(f"job {event.job_id}: {cause!r}"))

    async def send(self, number: int, app: dict[str, Any], userid: str) -> None:
        instant = self._instants[str(number)].popleft()
        data = body(app["agent_id"], userid, f"aps {number} {iso(instant.timestamp())}")
        headers = {"Content-Type": "application/json"}
        path = self._paths[app["app_key"]]
        async with self._session.post(path, data=data, headers=headers) as response:
            assert json.loads(await response.read())["errcode"] == 0
        self._left -= 1
        if self._left == 0:
            self._done.set_result(None)

    async def finished(self, last: float) -> None:
        """Wait until everything was sent, which begins for the last of it at this instant."""
        async with asyncio.timeout(last - time.time() + _PATIENCE):
            await self._done


_peers: list[_Peer] = []


async def send(number: int, app: dict[str, Any], userid: str) -> None:
    """What the stored jobs name: a job is kept as a reference to a function of a module."""
    await _peers[0].send(number, app, userid)


@contextlib.asynccontextmanager
async def _client(order: Order) -> AsyncIterator[_Peer]:
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(order["url"], connector=connector) as session:
        peer = _Peer(session, order)
        await peer.sign_in()
        _peers.append(peer)
        yield peer


@contextlib.contextmanager
def _scheduler(order: Order, peer: _Peer) -> Iterator[AsyncIOScheduler]:
    """A paused scheduler over a table of its own, which is dropped in the end."""
    url = order["dsn"].replace("postgresql://", "postgresql+psycopg://", 1)
    store = SQLAlchemyJobStore(url, tablename=_TABLE)
    store.jobs_t.drop(store.engine, checkfirst=True)
    scheduler = AsyncIOScheduler(jobstores={"default": store}, timezone=UTC)
    scheduler.add_listener(peer.submitted, EVENT_JOB_SUBMITTED)
    wrong = EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES
    scheduler.add_listener(peer.failed, wrong)
    scheduler.start(paused=True)
    try:
        yield scheduler
    finally:
        store.jobs_t.drop(store.engine)
        scheduler.shutdown()


def _store(scheduler: AsyncIOScheduler, order: Order, trigger: Any, **policy: Any) -> float:
    """Store a job per send; return the seconds it took."""
    began = time.monotonic()
    for number, place, userid in recipients(order):
        arguments = (number, order["apps"][place], userid)
        scheduler.add_job(send, trigger, arguments, id=str(number), **policy)
    return time.monotonic() - began


async def herd(order: Order) -> dict[str, float]:
    async with _client(order) as peer:
        with _scheduler(order, peer) as scheduler:
            due = due_instant(order, _STORED_PER_SECOND)
            trigger = DateTrigger(datetime.fromtimestamp(due, UTC))
            stored = _store(scheduler, order, trigger, misfire_grace_time=None)
            if time.time() >= due:
                raise RuntimeError("the jobs were not stored before the instant")
            scheduler.resume()
            await asyncio.sleep(due - time.time())
            began = time.process_time()
            await peer.finished(due)
            return {"stored": stored, "cpu": time.process_time() - began}


async def beat(order: Order) -> dict[str, float]:
    async with _client(order) as peer:
        with _scheduler(order, peer) as scheduler:
            lead = _LEAD + order["sends"] / _STORED_PER_SECOND
            first = math.ceil(time.time() + lead)
            last = first + order["seconds"] - 1
            start, end = (datetime.fromtimestamp(at, UTC) for at in (first, last))
            stored = _store(
                scheduler,
                order,
                IntervalTrigger(seconds=1, start_date=start, end_date=end),
                coalesce=False,
                max_instances=order["seconds"],
                misfire_grace_time=int(_PATIENCE),
            )
            if time.time() >= first:
                raise RuntimeError("the jobs were not stored before the first instant")
            scheduler.resume()
            await asyncio.sleep(first - time.time())
            began = time.process_time()
            await peer.finished(last)
            return {"stored": stored, "cpu": time.process_time() - began}


def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    kinds = {"herd": herd, "beat": beat}
    name, file = sys.argv[1:]
    print(json.dumps(asyncio.run(kinds[name](read_order(file)))), flush=True)


if __name__ == "__main__":
    main()
