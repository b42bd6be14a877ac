"""Connections to the HTTP server: how many there may be, and how long one may keep it waiting.

Without bounds, connections that ask for nothing use up the descriptors that calls to DingTalk need.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

__all__ = ["PATIENCE", "most_at_once", "visitors"]

# Seconds from the connection, or from the last answer, to the end of the next request.
PATIENCE = 10.0
_MOST = 256
# All others are for PostgreSQL and DingTalk.
_SHARE = 8


def most_at_once() -> int:
    """How many connections there may be: a small part of what this process may open."""
    try:
        import resource  # Windows has none.
    except ImportError:
        return _MOST
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return _MOST
    return max(8, min(_MOST, allowed // _SHARE))


def visitors(*, most: int, patience: float) -> type[H11Protocol]:
    """The protocol of connections that share bounds.

    Args:
        most: how many there may be. One more takes the place of the one that has kept us waiting
            for the longest time; where all are being answered, it is closed itself.
        patience: how many seconds one may keep us waiting for its whole request.
    """
    # In order of how long they have kept us waiting.
    waiting: dict[_Visitor, None] = {}

    class Visitor(_Visitor):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self.most, self.patience, self.waiting = most, patience, waiting

    return Visitor


class _Visitor(H11Protocol):
    """One connection."""

    most: int
    patience: float
    waiting: dict[_Visitor, None]
    _end: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]  # as uvicorn has it
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self.most:
            next(iter(self.waiting)).leave()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._has_asked:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_no_more()
        # The next request may have come before the answer to the last.
        if not (self.transport.is_closing() or self._has_asked):
            self._wait()

    @property
    def _has_asked(self) -> bool:
        """Whether a whole request is here."""
        return self.conn.their_state in (h11.DONE, h11.MUST_CLOSE)

    def leave(self) -> None:
        """Close at once, whatever is still to be read or written."""
        self._wait_no_more()
        self.connections.discard(self)
        self.transport.abort()

    def _wait(self) -> None:
        self.waiting[self] = None
        self._end = self.loop.call_later(self.patience, self.leave)

    def _wait_no_more(self) -> None:
        self.waiting.pop(self, None)
        if self._end is not None:
            self._end.cancel()
            self._end = None
