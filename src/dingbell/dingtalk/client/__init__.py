"""The client: every endpoint as a method, over one aiohttp session."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from dingbell.dingtalk import errors, limits
from dingbell.dingtalk.client.directory import Directory
from dingbell.dingtalk.client.identity import Identity
from dingbell.dingtalk.client.media import Uploads
from dingbell.dingtalk.client.notifications import Notifications
from dingbell.dingtalk.client.stream import StreamConnection
from dingbell.dingtalk.client.transport import Transport
from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.token import MemoryTokenStore, Token, TokenKeeper, TokenStore
from dingbell.dingtalk.wire import Call
from dingbell.dingtalk.wire import stream as stream_wire
from dingbell.dingtalk.wire import tokens as token_wire
from dingbell.dingtalk.wire.tokens import Fetched, TokenEndpoint

__all__ = ["Client"]

T = TypeVar("T")
Gate = Callable[[str], Awaitable[None]]

_system_clock: Callable[[], float] = time.time  # noqa: TID251  the client can be lifted out alone


class Client(Notifications, Identity, Directory, Uploads):
    """One app's calls to DingTalk.

    A call is made once. Only a rejected token is replaced, once, and the call repeated, which is
    safe: DingTalk refuses a token before it does anything. Every other trouble is the caller's to
    judge, by the families of `errors`. Safe to share between tasks of one event loop.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        session: aiohttp.ClientSession,
        tokens: TokenStore | None = None,
        timeout: float = 10.0,
        now: Callable[[], float] = _system_clock,
        gate: Gate | None = None,
        token_endpoint: TokenEndpoint = "old",  # noqa: S107  a name, not a secret
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            credentials: the app.
            session: belongs to the caller, who closes it.
            tokens: where tokens are kept; in memory by default.
            timeout: seconds for one request, from its start to its whole answer; half of it for
                the connection. A call that first needs a token takes up to as long again.
            now: epoch seconds.
            gate: awaited before every request with the path of its endpoint, so that all clients of
                one address can keep below its limit together.
            token_endpoint: where tokens are fetched: `old` (gettoken) or `new`.
        """
        self.credentials = credentials
        self._now = now
        self._transport = Transport(session, timeout, now)
        self._gate = gate
        self._token_endpoint: TokenEndpoint = token_endpoint
        self.tokens = TokenKeeper(
            credentials.app_key, tokens or MemoryTokenStore(), self._fetch_token, now
        )

    def __repr__(self) -> str:
        return f"Client({self.credentials.app_key!r})"

    async def token(self) -> str:
        """The app's access token, fetched or renewed where needed; call it to warm up.

        Raises:
            BadCredentials: app key or app secret is wrong.
            DingTalkError: see `errors`; never `Ambiguous`.
        """
        return (await self.tokens.current()).value

    async def stream(self) -> StreamConnection:
        """Open a line on which DingTalk tells events of the app as they happen.

        Raises:
            BadCredentials: app key or app secret is wrong.
            NotSent: there was no connection.
            DingTalkError: see `errors`.
        """
        found = await self._ask(stream_wire.invitation(self.credentials, "dingbell"))
        return StreamConnection(await self._transport.listen(found.url, "stream"))

    async def _fetch_token(self) -> Fetched:
        return await self._exchange(token_wire.fetch(self.credentials, self._token_endpoint))

    async def _ask(self, call: Call[T]) -> T:
        """Make a call with a token; replace a rejected one by a fetched one, then wait a while.

        What the store offers instead may have been rejected elsewhere: it is one more try.
        """
        if not call.needs_token:
            return await self._exchange(call)
        token = await self.tokens.current()
        for _ in range(2):
            try:
                return await self._exchange(call, token)
            except errors.DingTalkError as error:
                if not error.renews_token:
                    raise
            token = await self.tokens.replace(token)
            if self.tokens.fetched(token):
                break
        try:
            return await self._exchange(call, token)
        except errors.TokenRejected as error:
            # It was fetched a moment ago, so the credentials are right.
            final = errors.RetryLater(*error.args)
        final.after = float(limits.TOKEN_REJECTED_SECONDS)
        raise final

    async def _exchange(self, call: Call[T], token: Token | None = None) -> T:
        request = call.request(self.credentials, token.value if token else None)
        if self._gate is not None:
            await self._gate(request.endpoint)
        answer = await self._transport.exchange(request)
        try:
            return call.read(answer)
        except errors.DingTalkError:
            raise
        except Exception as error:  # noqa: BLE001  what cannot be read is DingTalk's, not a defect
            broken = errors.Ambiguous("unreadable", type(error).__name__, answer.endpoint)
        raise broken
