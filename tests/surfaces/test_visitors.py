"""Whoever connects to a node and asks for nothing keeps nobody else out."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
from tests.surfaces.conftest import DINGBELL, Running

from dingbell.api.server import ApiServer, bind, create_app
from dingbell.api.visitors import most_at_once
from dingbell.telemetry import Metrics

ASK = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LIMIT = 20.0


class Answers:
    """An app whose slow page is answered when the test says so."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Semaphore(0)
        self.app = create_app(lambda: None, Metrics())

        @self.app.post("/slow")
        async def slow() -> str:
            self.asked.release()
            await self.go.wait()
            return "slow"


@asynccontextmanager
async def serving(*, most: int = 50, patience: float = 0.3) -> AsyncIterator[tuple[Answers, int]]:
    answers, bound = Answers(), bind("127.0.0.1", 0)
    server = ApiServer(answers.app, bound, most=most, patience=patience)
    await server.start()
    try:
        yield answers, bound.getsockname()[1]
    finally:
        async with asyncio.timeout(LIMIT):
            await server.stop()


@asynccontextmanager
async def visiting(port: int, said: bytes = b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    try:
        yield reader, writer
    finally:
        writer.close()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side closes; nothing may have been said."""
    try:
        async with asyncio.timeout(LIMIT):
            return await reader.read() == b""
    except ConnectionResetError:
        return True


async def answered(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(LIMIT):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")


BEGINNINGS = {
    "nothing": b"",
    "half a line": b"GET /hea",
    "half a head": b"GET /health/live HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
}


@pytest.mark.parametrize("said", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_a_request_that_does_not_come_is_not_waited_for(said):
    async with serving() as (_, port), visiting(port, said) as (reader, _):
        assert await is_closed(reader)


async def test_a_request_that_comes_byte_by_byte_is_not_waited_for():
    async def drip(writer):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving() as (_, port), visiting(port, b"GET /") as (reader, writer):
        dripping = asyncio.create_task(drip(writer))
        assert await is_closed(reader)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_connection_that_is_used_is_kept_and_one_that_is_not_is_not():
    async with serving(patience=5) as (_, port), visiting(port) as (reader, writer):
        for _ in range(3):
            writer.write(ASK)
            assert await answered(reader)
    async with serving() as (_, port), visiting(port, ASK) as (reader, _):
        assert await answered(reader)
        assert await is_closed(reader)


async def test_an_answer_that_takes_longer_is_given(eventually):
    patience = 0.1
    slow = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    async with (
        serving(patience=patience) as (answers, port),
        visiting(port, slow + ASK) as (reader, _),
        visiting(port) as (idle, _),
    ):
        assert await is_closed(idle)
        asyncio.get_running_loop().call_later(3 * patience, answers.go.set)
        assert await answered(reader)
        assert await answered(reader)


async def test_one_more_takes_the_place_of_the_one_that_has_waited_longest():
    async with (
        serving(most=3, patience=LIMIT) as (_, port),
        visiting(port) as (first, _),
        visiting(port) as (second, keep),
    ):
        keep.write(ASK)
        assert await answered(second)
        async with visiting(port, ASK) as (third, _), visiting(port, ASK) as (fourth, _):
            assert await answered(third)
            assert await answered(fourth)
            assert await is_closed(first)
            keep.write(ASK)
            assert await answered(second)


async def test_where_all_are_being_answered_one_more_is_not():
    slow = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    async with (
        serving(most=2, patience=LIMIT) as (answers, port),
        visiting(port, slow) as (one, _),
        visiting(port, slow) as (two, _),
    ):
        async with asyncio.timeout(LIMIT):
            await answers.asked.acquire()
            await answers.asked.acquire()
        async with visiting(port, ASK) as (three, _):
            assert await is_closed(three)
        answers.go.set()
        assert await answered(one)
        assert await answered(two)


async def test_stopping_waits_for_nobody_who_asks_for_nothing():
    async with AsyncExitStack() as stack:
        _, port = await stack.enter_async_context(serving(patience=1_000))
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        kept[0][1].write(b"GET /")
        began = time.monotonic()
    for _, writer in kept:
        writer.close()
    assert time.monotonic() - began < LIMIT


@contextmanager
def descriptors(most: int):
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def test_there_are_fewer_where_a_process_may_open_few():
    found = []
    for most in (256, 1024, 4096):
        with descriptors(most):
            found.append(most_at_once())
    assert found == [32, 128, 256]


def test_many_that_ask_for_nothing_neither_stop_the_api_nor_a_send(place, company):
    command = ["sh", "-c", 'ulimit -n 128 && exec "$@"', "sh", *DINGBELL, "serve", "--port", "0"]
    serve = Running(place, command, place.environment({}))
    try:
        port = int(serve.line().rpartition(":")[2])
        visitors = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as asking:
            asking.sendall(ASK)
            assert asking.recv(100).startswith(b"HTTP/1.1 200")
        place.done("send", "--to", "users:manager4220", "--text", "无阻", "--wait")
        assert "无阻" in company.texts("manager4220")
        for one in visitors:
            one.close()
        assert "Too many open files" not in serve.log.read_text()
    finally:
        serve.end()
