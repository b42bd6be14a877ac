"""Calls of authors' functions: by the virtual clock, with functions that block, hang and raise."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from dingbell.clock import VirtualClock
from dingbell.engine.node.authors import AuthorError, Authors

NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def authors() -> Authors:
    return Authors(longest=timedelta(minutes=10))


Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(authors: Authors, clock: VirtualClock) -> Call:
    """Call a function of the schedule `s`, or of another one."""
    return lambda function, key="s", due=NOON: authors.call(key, function, due, clock)


class Gate:
    """A function that blocks its thread until it is opened."""

    def __init__(self) -> None:
        self.calls = 0
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.calls += 1
        self.entered.set()
        assert self.opened.wait(30)
        return "words"


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    yield found
    found.opened.set()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


class Settler:
    """Things that can be called and are no functions."""

    def method(self) -> str:
        return "method"

    def __call__(self) -> str:
        return "object"

    @staticmethod
    async def later(word: str) -> str:
        await asyncio.sleep(0)
        return word


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: "plain", "plain"),
        (Settler().method, "method"),
        (Settler(), "object"),
        (partial(str, "partial"), "partial"),
        (partial(Settler.later, "coroutine"), "coroutine"),
        (lambda: Settler.later("awaited"), "awaited"),
        (lambda due: due, NOON),
        (partial(lambda due, word: (due, word), word="x"), (NOON, "x")),
        (partial(lambda due: due, due="mine"), "mine"),
        (dict, {}),
    ],
)
async def test_whatever_can_be_called_is_called_and_told_when_it_is_due(
    call: Call, function: Callable[..., Any], words: object
) -> None:
    assert await call(function) == words


def _raising(error: BaseException) -> Callable[[], Any]:
    def function() -> None:
        raise error

    return function


def _raising_later(error: BaseException) -> Callable[[], Any]:
    async def function() -> None:
        raise error

    return function


class SilentError(Exception):
    """An exception that cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("make", [_raising, _raising_later])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no data"), "RuntimeError: no data"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit(), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (asyncio.CancelledError(), "CancelledError"),
        (BaseExceptionGroup("two", [SystemExit(1)]), "BaseExceptionGroup: two (1 sub-exception)"),
        (SilentError(), "SilentError"),
        (TimeoutError(), "TimeoutError"),
    ],
)
async def test_whatever_a_function_raises_ends_its_own_call_only(
    call: Call, make: Callable[..., Any], error: BaseException, said: str
) -> None:
    with pytest.raises(AuthorError) as raised:
        await call(make(error))
    assert str(raised.value) == said
    assert await call(lambda: "and it goes on") == "and it goes on"


async def test_a_function_may_not_end_the_process(call: Call) -> None:
    with pytest.raises(AuthorError, match="SystemExit: 1"):
        await call(partial(sys.exit, 1))


async def test_the_last_lines_of_the_traceback_are_kept_and_only_the_authors(call: Call) -> None:
    def deep(left: int) -> None:
        if not left:
            raise LookupError("nobody knows")
        deep(left - 1)

    with pytest.raises(AuthorError) as raised:
        await call(partial(deep, 50))
    trace = raised.value.trace.splitlines()
    assert trace[-1] == "LookupError: nobody knows"
    assert 'raise LookupError("nobody knows")' in raised.value.trace
    assert len(trace) <= 20
    assert "authors.py" not in raised.value.trace.replace("test_authors.py", "")


async def test_functions_that_block_hold_up_nobody_however_many(call: Call, gate: Gate) -> None:
    blocked = [asyncio.ensure_future(call(gate, key=f"s{number}")) for number in range(40)]
    await until(lambda: gate.calls == 40)
    assert await call(lambda: "free", key="free") == "free"
    gate.opened.set()
    assert set(await asyncio.gather(*blocked)) == {"words"}


async def test_a_schedules_function_is_called_one_call_at_a_time(call: Call, gate: Gate) -> None:
    first = asyncio.ensure_future(call(gate))
    second = asyncio.ensure_future(call(gate, due=LATER))
    await until(gate.entered.is_set)
    assert await call(lambda: "another", key="other") == "another"
    assert gate.calls == 1
    gate.opened.set()
    assert list(await asyncio.gather(first, second)) == ["words", "words"]
    assert gate.calls == 2


@contextmanager
def refused(said: str) -> Iterator[None]:
    with pytest.raises(AuthorError, match=said):
        yield


async def test_a_call_that_takes_too_long_is_given_up_and_not_begun_again_while_it_runs(
    call: Call, clock: VirtualClock, gate: Gate
) -> None:
    first = asyncio.ensure_future(call(gate))
    await until(gate.entered.is_set)
    clock.advance(timedelta(minutes=10))
    with refused("longer than 10m"):
        await first
    with refused("still busy with the occurrence of 2026-11-24T04:00:00"):
        await call(gate, due=LATER)
    assert gate.calls == 1
    gate.opened.set()
    await until(lambda: threads_of_authors() == 0)
    assert await call(lambda: "again") == "again"


def threads_of_authors() -> int:
    return sum(thread.name == "dingbell-function" for thread in threading.enumerate())


async def test_a_coroutine_that_takes_too_long_is_canceled(call: Call, clock: VirtualClock) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    first = asyncio.ensure_future(call(hangs))
    await begun.wait()
    clock.advance(timedelta(minutes=10))
    with refused("longer than 10m"):
        await first
    await ended.wait()
    assert await call(lambda: "again") == "again"


async def test_who_waits_for_a_function_is_canceled_at_once_and_the_function_not_called_twice(
    call: Call, gate: Gate
) -> None:
    first = asyncio.ensure_future(call(gate))
    await until(gate.entered.is_set)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with refused("still busy"):
        await call(gate)
    assert gate.calls == 1


async def test_a_function_slower_than_its_interval_has_a_line_of_limited_length(
    call: Call, gate: Gate
) -> None:
    line = [asyncio.ensure_future(call(gate)) for _ in range(10)]
    await until(gate.entered.is_set)
    with refused("10 occurrences wait"):
        await call(gate)
    gate.opened.set()
    assert await asyncio.gather(*line) == ["words"] * 10
    assert await call(gate) == "words"
