"""The hub: who listens, what is told to whom, and what becomes of it.

An event goes to the newest line of an app that is not about to be closed. One that is not
acknowledged in time is told again; after that it is given up. What is told to a line that is dead
without knowing it is lost, as it is at DingTalk's.
"""

import asyncio
import json
import secrets
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from dingbell.sandbox.clock import Clock
from dingbell.sandbox.company.apps import App
from dingbell.sandbox.wire.refusals import MisuseError

PATH = "/connect"
_TIMES = 3


@dataclass(slots=True)
class Behaviour:
    """How the hub treats its lines.

    Attributes:
        duplicates: How often each event is told more than once.
        lose: How many of the next events are told to nobody.
        ack_seconds: How long an acknowledgement may take before the event is told again.
        linger_seconds: How long a line stays open after it was told to disconnect.
        ping_seconds: How often lines are pinged by a frame.
    """

    duplicates: int = 0
    lose: int = 0
    ack_seconds: float = 3.0
    linger_seconds: float = 10.0
    ping_seconds: float = 30.0


@dataclass(slots=True, eq=False)
class Line:
    """One open websocket of an app."""

    app: App
    request: web.BaseRequest
    socket: web.WebSocketResponse
    frames: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    leaving: bool = False
    dead: bool = False

    def tell(self, frame: Mapping[str, Any]) -> None:
        """Put a frame onto the line; a dead one swallows it."""
        if not self.dead:
            self.frames.put_nowait(json.dumps(frame, ensure_ascii=False))


@dataclass(slots=True, eq=False)
class Told:
    """One event on its way to an app."""

    app: App
    frame: dict[str, Any]
    times: int = 0


class Hub:
    """All lines of all apps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tickets: dict[str, App] = {}
        self._waiting: dict[str, Told] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self.lines: list[Line] = []
        self.clear()

    def clear(self) -> None:
        """Behave well again, and count anew; lines stay open."""
        self.behaviour = Behaviour()
        self.counts: Counter[str] = Counter()
        self._waiting.clear()

    async def close(self) -> None:
        """Close every line."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for line in list(self.lines):
            line.frames.put_nowait(None)
            await line.socket.close()

    def invite(self, app: App, host: str) -> dict[str, str]:
        """What `connections/open` answers: where to connect, and a ticket that works once."""
        ticket = secrets.token_hex(16)
        self._tickets[ticket] = app
        self.counts["invited"] += 1
        return {"endpoint": f"ws://{host}{PATH}", "ticket": ticket}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Hold one line until either side lets go of it."""
        app = self._tickets.pop(request.query.get("ticket", ""), None)
        if app is None:
            return web.Response(status=401, text="ticket is invalid")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        line = Line(app, request, socket)
        self.lines.append(line)
        self.counts["opened"] += 1
        work = [asyncio.ensure_future(one) for one in (self._write(line), self._ping(line))]
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._hear(line, message.data)
        finally:
            self.lines.remove(line)
            for one in work:
                one.cancel()
        return socket

    async def _write(self, line: Line) -> None:
        while (frame := await line.frames.get()) is not None:
            await line.socket.send_str(frame)
        await line.socket.close()

    async def _ping(self, line: Line) -> None:
        while True:
            await self._clock.sleep(self.behaviour.ping_seconds)
            line.tell(_frame("SYSTEM", "ping", {"opaque": secrets.token_hex(8)}))

    def _hear(self, line: Line, text: str) -> None:
        try:
            heard = json.loads(text)
            message_id = str(heard["headers"]["messageId"])
        except (ValueError, KeyError, TypeError):
            self.counts["garbled"] += 1
            return
        told = self._waiting.get(message_id)
        if told is None:
            self.counts["pong"] += 1
        elif heard.get("code") == 200 and "LATER" not in str(heard.get("data")):
            del self._waiting[message_id]
            self.counts["acknowledged"] += 1

    # What is told ----------------------------------------------------------------------------

    def publish(self, apps: tuple[App, ...], kind: str, data: dict[str, Any]) -> None:
        """Tell all apps of an event."""
        now = int(self._clock.now() * 1000)
        for app in apps:
            headers = {
                "eventId": uuid.uuid4().hex,
                "eventType": kind,
                "eventBornTime": str(now),
                "eventCorpId": app.org,
                "eventUnifiedAppId": app.app_key,
            }
            frame = _frame("EVENT", "*", {"timeStamp": str(now), **data}, headers)
            self.counts["published"] += 1
            if self.behaviour.lose > 0:
                self.behaviour.lose -= 1
                self.counts["lost"] += 1
                continue
            self._tell(Told(app, frame))

    def _tell(self, told: Told) -> None:
        """Tell an event to the newest line; later again if nobody answers."""
        told.times += 1
        line = next(
            (one for one in reversed(self.lines) if one.app is told.app and not one.leaving), None
        )
        if line is None or told.times > _TIMES:
            self.counts["given_up"] += 1
            self._waiting.pop(told.frame["headers"]["messageId"], None)
            return
        self._waiting[told.frame["headers"]["messageId"]] = told
        for _ in range(1 + self.behaviour.duplicates):
            self.counts["told"] += 1
            line.tell(told.frame)
        self._later(self.behaviour.ack_seconds, lambda: self._again(told))

    def _again(self, told: Told) -> None:
        if told.frame["headers"]["messageId"] in self._waiting:
            self.counts["again"] += 1
            self._tell(told)

    def _later(self, seconds: float, work: Any) -> None:
        timers = self._timers

        def due() -> None:
            timers.discard(timer)
            work()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        timers.add(timer)

    # What goes wrong -------------------------------------------------------------------------

    def order(self, wishes: dict[str, Any]) -> None:
        """Behave otherwise, or do something to the lines that are open.

        Raises:
            MisuseError: There is no such behaviour or deed, or the value does not fit.
        """
        deeds = {"silence": self._silence, "disconnect": self._disconnect, "cut": self._cut}
        for name, value in wishes.items():
            if name in deeds:
                if value is not True:
                    raise MisuseError(name, "must be true")
            elif name not in Behaviour.__slots__:
                known = ", ".join((*Behaviour.__slots__, *deeds))
                raise MisuseError(name, f"unknown; known: {known}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise MisuseError(name, f"must be a number, zero or more, got {value!r}")
        for name, value in wishes.items():
            if name in deeds:
                deeds[name]()
            else:
                setattr(self.behaviour, name, value)

    def _silence(self) -> None:
        """The lines that are open are dead from now on: their pings are answered, that is all."""
        for line in self.lines:
            line.dead = True

    def _disconnect(self) -> None:
        """Ask the lines that are open to go: nothing is told to them any more."""
        for line in self.lines:
            if not line.leaving:
                line.tell(_frame("SYSTEM", "disconnect", {"reason": "connection is expired"}))
                line.leaving = True
                self._later(
                    self.behaviour.linger_seconds, lambda one=line: one.frames.put_nowait(None)
                )

    def _cut(self) -> None:
        """Cut the lines that are open."""
        for line in self.lines:
            if line.request.transport is not None:
                line.request.transport.abort()

    def as_json(self) -> dict[str, Any]:
        """What has happened so far, and how the hub behaves."""
        behaviour = {name: getattr(self.behaviour, name) for name in Behaviour.__slots__}
        return {"lines": len(self.lines), **behaviour, "counts": dict(self.counts)}


def _frame(
    kind: str, topic: str, data: dict[str, Any], headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return {
        "specVersion": "1.0",
        "type": kind,
        "headers": {
            "contentType": "application/json",
            "messageId": uuid.uuid4().hex,
            "topic": topic,
            **(headers or {}),
        },
        "data": json.dumps(data, ensure_ascii=False),
    }
