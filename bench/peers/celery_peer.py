"""A durable peer: Celery with Redis, a broker and one worker that acknowledges late.

    celery_peer.py herd FILE    tasks with an ETA, stored ahead, due at one instant
    celery_peer.py worker FILE  what the herd starts: the worker

What to do is read as JSON from the file; what came of it is printed as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import redis
import urllib3
from celery import Celery
from celery.signals import task_failure, worker_ready
from notice import IN_FLIGHT, Order, body, due_instant, iso, read_order, recipients, sending_path

_PREFIX = "bench-celery-"
_TASK = "bench.send"
_NEWS = f"{_PREFIX}news"
_STORED_PER_SECOND = 200
_PATIENCE = 300.0


def _celery(order: Order) -> Celery:
    """Celery as one sets it up so that a worker that is killed loses nothing."""
    celery = Celery("bench", broker=order["redis"])
    celery.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=False,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        # What a killed worker held is given to another one after this many seconds, and so is a
        # task whose ETA is further away than that, which then is sent twice. An hour is the
        # default; a herd is due sooner.
        # Every send in flight acknowledges over a connection of its own: with the ten of the
        # default an acknowledgement fails, and its task would be sent again.
        broker_transport_options={
            "visibility_timeout": 3_600,
            "global_keyprefix": _PREFIX,
            "max_connections": 2 * IN_FLIGHT,
        },
    )
    return celery


class _Sender:
    """The client of the worker, its tokens, and how many sends are left."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._pool = urllib3.connection_from_url(order["url"], maxsize=IN_FLIGHT, block=True)
        self._paths: list[str] = []
        self._left = order["sends"]
        self._counting = threading.Lock()

    def sign_in(self) -> None:
        """Have the token of every app, ahead of time; what was opened for it stays open."""

        def fetch(app: dict[str, Any]) -> str:
            query = urlencode({"appkey": app["app_key"], "appsecret": app["app_secret"]})
            token = json.loads(self._pool.request("GET", f"/gettoken?{query}").data)["access_token"]
            return sending_path(token)

        with ThreadPoolExecutor(self._order.get("connections", 20)) as threads:
            self._paths = list(threads.map(fetch, self._order["apps"]))

    def send(self, place: int, userid: str, text: str) -> bool:
        """Send one; tell whether it was the last."""
        data = body(self._order["apps"][place]["agent_id"], userid, text)
        headers = {"Content-Type": "application/json"}
        path = self._paths[place]
        response = self._pool.request("POST", path, body=data, headers=headers, retries=False)
        assert json.loads(response.data)["errcode"] == 0
        with self._counting:
            self._left -= 1
            return bool(self._left == 0)


def worker(order: Order, _: str) -> None:
    celery = _celery(order)
    news = redis.Redis.from_url(order["redis"], socket_timeout=None)
    sender = _Sender(order)

    @celery.task(name=_TASK)
    def send(place: int, userid: str, text: str) -> None:
        if sender.send(place, userid, text):
            news.rpush(_NEWS, "done")

    @worker_ready.connect(weak=False)
    def ready(**_: Any) -> None:
        sender.sign_in()
        news.rpush(_NEWS, "ready")

    @task_failure.connect(weak=False)
    def failed(exception: BaseException, **_: Any) -> None:
        news.rpush(_NEWS, f"failed: {exception!r}")

    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    # Threads were quicker here than gevent, whose timers also let a task go before its ETA.
    pool = ("--pool=threads", f"--concurrency={IN_FLIGHT}")
    celery.worker_main(["worker", "--loglevel=ERROR", *pool, *alone])


def herd(order: Order, file: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the worker would stay behind
    news = redis.Redis.from_url(order["redis"], socket_timeout=None)
    celery = _celery(order)
    with _clean(news), _worker(file) as process:
        _expect(news, "ready", _PATIENCE)
        due = due_instant(order, _STORED_PER_SECOND)
        eta = datetime.fromtimestamp(due, UTC)
        began = time.monotonic()
        for number, place, userid in recipients(order):
            arguments = (place, userid, f"celery {number} {iso(due)}")
            celery.send_task(_TASK, arguments, eta=eta)
        stored = time.monotonic() - began
        if time.time() >= due:
            raise RuntimeError("the tasks were not stored before the instant")
        time.sleep(due - time.time())
        used = _cpu(process.pid)
        _expect(news, "done", _PATIENCE)
        cpu = _cpu(process.pid) - used
    print(json.dumps({"stored": stored, "cpu": cpu}), flush=True)


@contextlib.contextmanager
def _clean(news: redis.Redis) -> Iterator[None]:
    """Leave nothing of an earlier run, nor of this one."""

    def clean() -> None:
        for key in news.scan_iter(f"{_PREFIX}*"):
            news.delete(key)

    clean()
    try:
        yield
    finally:
        clean()


@contextlib.contextmanager
def _worker(file: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker while the context is open; it finishes what it has begun."""
    command = (sys.executable, __file__, "worker", file)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _expect(news: redis.Redis, word: str, patience: float) -> None:
    """Wait for the next word of the worker."""
    told = news.blpop([_NEWS], timeout=patience)
    if told is None or told[1].decode() != word:
        raise RuntimeError(f"the worker was to say {word!r}: {told and told[1].decode()}")


def _cpu(pid: int) -> float:
    """Seconds of CPU a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    kinds = {"herd": herd, "worker": worker}
    name, file = sys.argv[1:]
    kinds[name](read_order(file), file)


if __name__ == "__main__":
    main()
