"""Authors' functions: called one at a time per schedule, and never able to stop the node.

A plain function runs in a thread of its own, so that one that blocks holds nobody up. A thread
cannot be ended from outside: the call that takes too long is given up and goes on in its thread,
and no second call of that schedule begins while it does.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dingbell.clock import Clock
from dingbell.domain.duration import format_duration
from dingbell.errors import InputError, Text

__all__ = ["AuthorError", "Authors", "in_words", "takes_due"]

# A call that takes longer fails its run.
_LONGEST = timedelta(minutes=10)
# Runs of one schedule that wait for its function; more come faster than they can be made.
_LONGEST_LINE = 10
# Of a traceback the last frames are kept, and of what is then left the last lines.
_FRAMES = 6
_LINES = 20


class AuthorError(InputError):
    """The author's function did not make a message.

    Attributes:
        trace: the last lines of the traceback; empty where nothing was raised.
    """

    def __init__(self, message: str, *, trace: str = "") -> None:
        super().__init__(message)
        self.trace = trace


@dataclass(frozen=True, slots=True)
class _Raised:
    """How a call ended that raised; carried as a value, so that no exception passes the loop."""

    error: BaseException


class _Call:
    """One call under way: its task, and the thread where there is one."""

    def __init__(self, function: Callable[..., Any], due: datetime) -> None:
        self.due = due
        self._thread: threading.Thread | None = None
        self.task = asyncio.ensure_future(self._guarded(_bound(function, due)))

    @property
    def alive(self) -> bool:
        """Whether the author's code may still be running."""
        return not self.task.done() or (self._thread is not None and self._thread.is_alive())

    async def _guarded(self, function: Callable[[], Any]) -> Any:
        try:
            if inspect.iscoroutinefunction(function):
                return await function()
            made = await self._in_thread(function)
            return await made if inspect.isawaitable(made) else made
        except asyncio.CancelledError as error:
            if _is_canceled():
                raise
            return _Raised(error)
        except BaseException as error:  # noqa: BLE001  sys.exit() ends this call, not the process
            return _Raised(error)

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        """Call in a daemon thread: one that never returns does not keep the process alive."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                made = function()
            except BaseException as error:  # noqa: BLE001  raised again where it is awaited
                made = _Raised(error)
            future.set_result(made)

        self._thread = threading.Thread(target=run, name="dingbell-function", daemon=True)
        self._thread.start()
        return await asyncio.wrap_future(future)


class Authors:
    """Calls authors' functions."""

    def __init__(self, longest: timedelta = _LONGEST) -> None:
        self._longest = longest
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}
        self._given_up: dict[str, _Call] = {}

    async def call(
        self, key: str, function: Callable[..., Any], due: datetime, clock: Clock
    ) -> Any:
        """Call a schedule's function, after an earlier call of the same schedule has ended.

        Args:
            key: of the schedule.
            function: what its author wrote.
            due: the instant of the occurrence, handed to a function that takes `due`.
            clock: measures how long it may take.

        Raises:
            AuthorError: it raised, took too long, or is still busy with an earlier occurrence.
        """
        if self._waiting.get(key, 0) >= _LONGEST_LINE:
            raise AuthorError(_TOO_SLOW.format(count=_LONGEST_LINE))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            async with self._turns.setdefault(key, asyncio.Lock()):
                return await self._call(key, function, due, clock)
        finally:
            self._waiting[key] -= 1

    async def _call(
        self, key: str, function: Callable[..., Any], due: datetime, clock: Clock
    ) -> Any:
        earlier = self._given_up.get(key)
        if earlier is not None and earlier.alive:
            raise AuthorError(_STILL_BUSY.format(due=earlier.due.isoformat()))
        self._given_up.pop(key, None)
        call = _Call(function, due)
        patience = asyncio.ensure_future(clock.sleep(self._longest.total_seconds()))
        try:
            await asyncio.wait({call.task, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
            if not call.task.done():
                call.task.cancel()
                self._given_up[key] = call
        if not call.task.done():
            raise AuthorError(_TOO_LONG.format(limit=format_duration(self._longest)))
        return _result(call.task.result())


_TOO_SLOW = Text(
    "{count} occurrences wait for the function already: it takes longer than its interval",
    "已有 {count} 次在等待该函数: 它的运行时间超过了间隔",
)
_STILL_BUSY = Text(
    "the function is still busy with the occurrence of {due}, which it was given up for: it is "
    "not called again before that ends",
    "该函数仍在处理 {due} 的那一次 (已超时放弃): 结束之前不会再次调用",
)
_TOO_LONG = Text("the function took longer than {limit}", "函数运行超过 {limit}")


def takes_due(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter `due` that its author has not filled in."""
    if isinstance(function, partial) and "due" in function.keywords:
        return False
    try:
        return "due" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return False


def _bound(function: Callable[..., Any], due: datetime) -> Callable[[], Any]:
    return partial(function, due=due) if takes_due(function) else function


def _is_canceled() -> bool:
    """Whether it is this task that is canceled, and not something inside the author's function."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _result(made: Any) -> Any:
    if isinstance(made, _Raised):
        raise in_words(made.error) from made.error
    return made


def in_words(error: BaseException) -> AuthorError:
    """An exception of an author's code in words: its kind, its text, and where it was raised."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001  an author's exception may do anything
        said = ""
    kind = type(error).__name__
    return AuthorError(f"{kind}: {said}" if said else kind, trace=_trace(error))


def _trace(error: BaseException) -> str:
    """The last lines of a traceback, without the frame of ours that it begins with."""
    theirs = error.__traceback__.tb_next if error.__traceback__ else None
    try:
        found = traceback.TracebackException(type(error), error, theirs, limit=-_FRAMES)
        return "\n".join("".join(found.format()).splitlines()[-_LINES:])
    except Exception:  # noqa: BLE001  an author's exception may do anything
        return ""
