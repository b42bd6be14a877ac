"""Asking sources: bounded in time and in bytes, remembered for a while, never half an answer.

A source is asked before a transaction is opened; inside one, what was answered is looked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

from dingbell.clock import Clock
from dingbell.domain.audience import shown_address
from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.sources import (
    MOST_BYTES,
    MOST_PEOPLE,
    SourceTrouble,
    read_userids,
    trouble_text,
)
from dingbell.errors import OutsideError, Text

__all__ = ["SourceFailed", "Sources"]

_TIMEOUT = 10.0  # seconds for everything
_FRESH = 30.0
# What was answered serves the last look before the slot: a run is prepared a minute before.
_REMEMBERED = 300.0
_MOST_REDIRECTS = 3
_AT_ONCE = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class SourceFailed(OutsideError):  # noqa: N818  what happened, told by its cause
    """A source of an audience does not say whom it means."""

    def __init__(self, address: str, trouble: SourceTrouble, limit: float | None = None) -> None:
        params = {"source": shown_address(address), "trouble": trouble.value, "limit": limit}
        self.cause = Cause(CauseKind.AUDIENCE_SOURCE, params)
        super().__init__(
            Text("{source} {said}", "{source} {said}").format(
                source=params["source"], said=trouble_text(params)
            )
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    userids: tuple[str, ...]
    at: float


class Sources:
    """Asks sources, one question at a time for each, and remembers what they said."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[str, _Answer] = {}
        self._doors: dict[str, asyncio.Lock] = {}

    def remembered(self) -> dict[str, tuple[str, ...]]:
        """What was answered lately, by address; nothing is asked."""
        since = self._clock.monotonic() - _REMEMBERED
        return {address: one.userids for address, one in self._answers.items() if one.at >= since}

    async def ask(self, addresses: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Ask those that have not answered in the last half minute.

        Raises:
            SourceFailed: one of them does not say whom it means.
        """
        wanted = sorted(set(addresses))
        turn = asyncio.Semaphore(_AT_ONCE)
        results = await asyncio.gather(
            *(self._ask(address, turn) for address in wanted), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return self.remembered()

    async def _ask(self, address: str, turn: asyncio.Semaphore) -> None:
        async with self._doors.setdefault(address, asyncio.Lock()), turn:
            known = self._answers.get(address)
            if known is not None and self._clock.monotonic() - known.at < _FRESH:
                return
            body = await _fetched(address)
            try:
                # Four million bytes take longer than a node's loop has.
                userids = await asyncio.to_thread(read_userids, body)
            except ValueError:
                raise SourceFailed(address, SourceTrouble.NO_LIST, MOST_PEOPLE) from None
            self._forget()
            self._answers[address] = _Answer(userids, self._clock.monotonic())

    def _forget(self) -> None:
        """Drop what is too old to be of use."""
        before = self._clock.monotonic() - _REMEMBERED
        for address in [a for a, one in self._answers.items() if one.at < before]:
            del self._answers[address]
            self._doors.pop(address, None)


async def _fetched(address: str) -> bytes:
    """The body of an answer; a redirect is followed on the same host only."""
    try:
        async with (
            asyncio.timeout(_TIMEOUT),
            aiohttp.ClientSession(headers={"Accept": "application/json"}) as session,
        ):
            ahead = address
            for _ in range(_MOST_REDIRECTS + 1):
                async with session.get(ahead, allow_redirects=False) as answer:
                    location = answer.headers.get("Location")
                    if answer.status not in _REDIRECTS or location is None:
                        return await _body(address, answer)
                    ahead = _followed(address, urljoin(ahead, location))
    except TimeoutError:
        raise SourceFailed(address, SourceTrouble.TIMEOUT, int(_TIMEOUT)) from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise SourceFailed(address, SourceTrouble.UNREACHABLE) from None
    raise SourceFailed(address, SourceTrouble.REDIRECT)


def _followed(address: str, location: str) -> str:
    here, there = urlsplit(address), urlsplit(location)
    if there.hostname != here.hostname or there.scheme not in ("http", "https"):
        raise SourceFailed(address, SourceTrouble.REDIRECT)
    if here.scheme == "https" and there.scheme == "http":
        raise SourceFailed(address, SourceTrouble.REDIRECT)
    return location


async def _body(address: str, answer: aiohttp.ClientResponse) -> bytes:
    """Everything that is answered, as far as it is not too much."""
    if answer.status != 200:
        raise SourceFailed(address, SourceTrouble.STATUS, answer.status)
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_chunked(65_536):
        size += len(part)
        if size > MOST_BYTES:
            raise SourceFailed(address, SourceTrouble.TOO_LARGE, MOST_BYTES)
        parts.append(part)
    return b"".join(parts)
