"""The pretend DingTalk of a measurement: a process of its own, asked over its control API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from processes import child, clean_environment, dingbell

__all__ = ["Call", "Company", "open_company"]

_NOTICES = "/topapi/message/corpconversation/"
_SEND = _NOTICES + "asyncsend_v2"
_POLLS = (_NOTICES + "getsendprogress", _NOTICES + "getsendresult")
# Nothing but the speed of the node and of this machine is measured, unless a scenario says so.
_UNLIMITED = dict.fromkeys(
    ("calls_per_second", "calls_per_ip", "daily_per_person", "people_per_minute")
)


@dataclass(frozen=True, slots=True)
class Call:
    """A send call that reached the company: when, to whom, with which words.

    Attributes:
        delivered: whose phones show it.
        dropped: a code for everybody who was left out without a word.
    """

    received_at: float
    userids: tuple[str, ...]
    text: str
    errcode: int
    delivered: tuple[str, ...]
    dropped: tuple[int, ...]

    @property
    def due(self) -> float:
        """The due instant, which is the last word of the text."""
        return datetime.fromisoformat(self.text.rpartition(" ")[2]).timestamp()

    @property
    def lateness(self) -> float:
        """Seconds from the due instant to the sandbox."""
        return self.received_at - self.due


class Company:
    """What a running sandbox can be told and asked."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session
        self._told = 0
        self._counted = 0

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, f"/_sandbox/{path}", json=body) as response:
            told = await response.json()
            if response.status != 200:
                raise RuntimeError(f"the sandbox refused {path}: {told}")
            return told

    async def apps(self) -> list[dict[str, Any]]:
        """Credentials of every app."""
        found: list[dict[str, Any]] = await self._ask("GET", "apps")
        return found

    async def people(self) -> list[dict[str, Any]]:
        """Everybody who works here."""
        told = await self._ask("GET", "people")
        found: list[dict[str, Any]] = told["people"]
        return found

    async def begin(self, *, delay: float = 0.0, **limits: Any) -> None:
        """Count from here, with these limits and this time until a send is answered.

        What came before stays known here: a node may still ask for its results.
        """
        self._told += len(await self._ask("GET", f"calls?since={self._told}"))
        self._counted += await self.count()
        await self._ask("POST", "limits", {**_UNLIMITED, **limits})
        await self._ask("DELETE", "faults")
        if delay:
            await self._ask("POST", "faults", {"path": _SEND, "delay": delay})

    async def count(self) -> int:
        """How many send requests came since `begin`, refused ones too; cheap enough to be asked
        while they come."""
        told = await self._ask("GET", "stats")
        return int(told["calls"].get(_SEND, 0)) - self._counted

    async def polls(self) -> int:
        """How many calls asked for progress or results, since the company exists."""
        told = await self._ask("GET", "stats")
        return sum(told["calls"].get(path, 0) for path in _POLLS)

    async def calls(self) -> list[Call]:
        """Every send call since `begin`."""
        return [
            Call(
                row["received_at"],
                tuple(row["userids"]),
                row["msg"]["text"]["content"],
                row["errcode"],
                tuple(row["delivered"]),
                tuple(row["dropped"].values()),
            )
            for row in await self._ask("GET", f"calls?since={self._told}")
        ]


@asynccontextmanager
async def open_company(folder: Path, *, apps: int, people: int) -> AsyncIterator[Company]:
    """Run a sandbox."""
    words = ("sandbox", "--port", "0", "--apps", str(apps), "--people", str(people))
    async with child(
        *dingbell(*words), env=clean_environment(), folder=folder, log="sandbox.log"
    ) as process:
        url = await process.line("DINGBELL_OAPI_URL=")
        async with aiohttp.ClientSession(url) as session:
            company = Company(url, session)
            await company.begin()
            yield company
