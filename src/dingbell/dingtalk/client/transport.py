"""The I/O: a request value goes out over aiohttp, an answer value comes back.

aiohttp's exceptions print addresses, and addresses carry tokens; so each becomes one of ours,
raised after its `except` block is left, which keeps it out of `__cause__` and `__context__`.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from dingbell.dingtalk import errors
from dingbell.dingtalk.wire import Answer, Part, Request

__all__ = ["Transport"]

_CONNECT_SHARE = 0.5
"""The part of a timeout that may pass until connected. What times out later may have gone out."""

_SLOWEST_UPLOAD = 100_000
"""Bytes a second that an upload is given time for."""
_PING_SECONDS = 30.0
_MOST_FRAME = 1_048_576

_UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)
_BROKEN = (aiohttp.ClientError, OSError)


class Transport:
    """Sends requests through one aiohttp session, which it does not own."""

    def __init__(
        self, session: aiohttp.ClientSession, timeout: float, now: Callable[[], float]
    ) -> None:
        self._session = session
        self._timeout = timeout
        self._now = now

    async def exchange(self, request: Request) -> Answer:
        """Send a request once and take its answer, whatever it says.

        Raises:
            NotSent: there was no connection.
            Ambiguous: there was one, and it broke, stayed silent, or did not stop talking.
        """
        try:
            return await self._send(request)
        except _UNREACHABLE as error:
            trouble: errors.DingTalkError = errors.NotSent(
                "unreachable", _reason(error), request.endpoint
            )
        except TimeoutError:
            trouble = errors.Ambiguous("timeout", "", request.endpoint)
        except _BROKEN as error:
            trouble = errors.Ambiguous("disconnected", type(error).__name__, request.endpoint)
        raise trouble

    def _patience(self, request: Request) -> aiohttp.ClientTimeout:
        """How long a request may take; what is uploaded needs its time on a slow line."""
        uploading = sum(len(part.data) for part in request.parts) / _SLOWEST_UPLOAD
        return aiohttp.ClientTimeout(
            total=self._timeout + uploading, connect=self._timeout * _CONNECT_SHARE
        )

    async def listen(self, url: str, endpoint: str) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket; the address may hold a ticket.

        Raises:
            NotSent: there was no connection, or it was refused.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._session.ws_connect(
                    url, heartbeat=_PING_SECONDS, max_msg_size=_MOST_FRAME
                )
        except TimeoutError:
            trouble = errors.NotSent("unreachable", "timeout", endpoint)
        except aiohttp.WSServerHandshakeError as error:
            trouble = errors.NotSent("unreachable", f"HTTP {error.status}", endpoint)
        except (*_UNREACHABLE, *_BROKEN) as error:
            trouble = errors.NotSent("unreachable", _reason(error), endpoint)
        raise trouble

    async def _send(self, request: Request) -> Answer:
        async with self._session.request(
            request.method,
            _address(request),
            headers=request.headers,
            data=_form(request.parts) if request.parts else request.body,
            timeout=self._patience(request),
            allow_redirects=False,
        ) as response:
            body = await _body(response, request)
            return Answer(
                request.endpoint,
                response.status,
                response.headers,
                body,
                self._now(),
                request.secrets,
            )


async def _body(response: aiohttp.ClientResponse, request: Request) -> bytes:
    """Read an answer as it is unpacked, and no further than any answer goes.

    aiohttp unpacks a little at a time, so that what has been packed a thousandfold costs nothing.
    """
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > request.longest:
            response.close()
            said = f"HTTP {response.status}, more than {request.longest} bytes"
            raise errors.Ambiguous("oversized", said, request.endpoint)
    return bytes(body)


def _address(request: Request) -> URL:
    """The address with its query, encoded once: every call has one of its own."""
    query = f"?{urlencode(request.query)}" if request.query else ""
    return URL(request.url + query, encoded=True)


def _reason(error: Exception) -> str:
    """Why there was no connection: host and cause, without the address that was asked for."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error.strerror or type(error.os_error).__name__
        return f"{error.host}:{error.port} {cause}"
    return type(error).__name__


def _form(parts: tuple[Part, ...]) -> aiohttp.FormData:
    """A multipart body; file names go out as UTF-8, the way browsers send them."""
    form = aiohttp.FormData(quote_fields=False)
    for part in parts:
        if part.filename is None:
            form.add_field(part.name, part.data.decode())
        else:
            form.add_field(
                part.name,
                io.BytesIO(part.data),
                filename=part.filename,
                content_type=part.content_type,
            )
    return form
