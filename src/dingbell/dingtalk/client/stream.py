"""One line of Stream: frames in, acknowledgements out."""

from __future__ import annotations

import asyncio

import aiohttp

from dingbell.dingtalk import errors
from dingbell.dingtalk.wire import stream
from dingbell.dingtalk.wire.stream import Disconnect, StreamEvent

__all__ = ["StreamConnection"]

_ENDPOINT = "stream"
_BROKEN = (aiohttp.ClientError, OSError, RuntimeError)


class StreamConnection:
    """A websocket on which DingTalk tells events of one app.

    It is opened with `Client.stream`. Pings are answered here; each event is acknowledged by
    whoever has kept it, within three seconds, or it comes again.

    Attributes:
        heard: how many frames have come.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.heard = 0

    async def receive(self, idle: float) -> StreamEvent | Disconnect:
        """Wait for the next event, or for the word that no more will come.

        Args:
            idle: after so many seconds without any frame the line is taken for dead: its socket
                may answer pings long after DingTalk has forgotten it.

        Raises:
            Ambiguous: the line is closed, broken or dead.
        """
        while True:
            frame = stream.read(await self._text(idle))
            self.heard += 1
            if isinstance(frame, StreamEvent | Disconnect):
                return frame
            if (reply := stream.answer(frame)) is not None:
                await self._send(reply)

    async def acknowledge(self, event: StreamEvent) -> None:
        """Say that an event has been kept.

        Raises:
            Ambiguous: the line is broken; the event may come again.
        """
        await self._send(stream.acknowledgement(event))

    async def close(self) -> None:
        """Let go of the line; one that does not answer is not waited for."""
        try:
            async with asyncio.timeout(1):
                await self._socket.close()
        except (TimeoutError, *_BROKEN):
            return

    async def _text(self, idle: float) -> str:
        try:
            async with asyncio.timeout(idle):
                message = await self._socket.receive()
        except TimeoutError:
            trouble = errors.Ambiguous("timeout", "", _ENDPOINT)
        except _BROKEN as error:
            trouble = errors.Ambiguous("disconnected", type(error).__name__, _ENDPOINT)
        else:
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)
            if message.type is aiohttp.WSMsgType.BINARY:
                return ""
            trouble = errors.Ambiguous("disconnected", "closed", _ENDPOINT)
        raise trouble

    async def _send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except _BROKEN as error:
            trouble = errors.Ambiguous("disconnected", type(error).__name__, _ENDPOINT)
        else:
            return
        raise trouble
