"""The app's access token: one per app key, fetched by one caller at a time, renewed early.

DingTalk gives the same token again while it lives and renews it [D1444], so nodes that fetch by
themselves do not disturb one another; a shared `TokenStore` only saves calls.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from dingbell.dingtalk import errors, limits
from dingbell.dingtalk.wire.tokens import Fetched

__all__ = ["MemoryTokenStore", "Token", "TokenKeeper", "TokenStore"]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, hidden in its `repr`; `expires_at` in epoch seconds."""

    value: str = field(repr=False)
    expires_at: float


class TokenStore(Protocol):
    """Where tokens are kept, so that several nodes can share them."""

    async def get(self, app_key: str) -> Token | None:
        """The token last put for this app, expired or not."""
        ...

    async def put(self, app_key: str, token: Token) -> None:
        """Keep a token; it replaces the one before."""
        ...

    def lock(self, app_key: str) -> AbstractAsyncContextManager[object]:
        """Hold the right to fetch a token for this app, against all who share the store."""
        ...


class MemoryTokenStore:
    """Tokens of this process. One store may serve several clients of the same servers."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, app_key: str) -> Token | None:
        """The token last put for this app."""
        return self._tokens.get(app_key)

    async def put(self, app_key: str, token: Token) -> None:
        """Keep a token."""
        self._tokens[app_key] = token

    def lock(self, app_key: str) -> AbstractAsyncContextManager[object]:
        """A lock per app."""
        return self._locks[app_key]


class TokenKeeper:
    """Hands out one app's token, and replaces a rejected one exactly once."""

    def __init__(
        self,
        app_key: str,
        store: TokenStore,
        fetch: Callable[[], Awaitable[Fetched]],
        now: Callable[[], float],
    ) -> None:
        self._app_key = app_key
        self._store = store
        self._fetch = fetch
        self._now = now
        self._single = asyncio.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._own: str | None = None

    async def current(self) -> Token:
        """A token that lives; renewed ten minutes before its end.

        When an early renewal fails for a passing reason, the old token serves on.

        Raises:
            DingTalkError: there is no token and none could be fetched. Whatever the token was
                wanted for was not executed: the error is never `Ambiguous` or `TokenRejected`.
        """
        if self._token is not None and self._now() < self._renew_at:
            return self._token
        async with self._single:
            if self._token is not None and self._now() < self._renew_at:
                return self._token
            return await self._stored_or_fetched()

    @property
    def fresh(self) -> bool:
        """Whether `current` has a token at hand that needs no renewal yet."""
        return self._token is not None and self._now() < self._renew_at

    def fetched(self, token: Token) -> bool:
        """Whether a token was fetched by this keeper, and not taken from the store."""
        return token.value == self._own

    def offer(self, token: Token) -> None:
        """Take a token that somebody else has fetched, if it is good for a while."""
        renew_at = token.expires_at - limits.TOKEN_RENEW_EARLY_SECONDS
        if self._now() < renew_at:
            self._keep(token, renew_at)

    async def fetch(self) -> Token:
        """Fetch a token and keep it; whoever asks has to put it into the store.

        Raises:
            DingTalkError: as `current`.
        """
        asked_at = self._now()
        fetched = await self._fetched()
        token = Token(fetched.value, asked_at + fetched.expires_in)
        early = min(limits.TOKEN_RENEW_EARLY_SECONDS, fetched.expires_in / 2)
        self._keep(token, token.expires_at - early)
        self._own = token.value
        return token

    async def replace(self, rejected: Token) -> Token:
        """Another token than the one DingTalk rejected; callers with the same one share a fetch.

        Raises:
            DingTalkError: as `current`.
        """
        async with self._single:
            if self._token is not None and self._token is not rejected:
                return self._token
            self._token = None
            return await self._stored_or_fetched(rejected.value)

    async def _stored_or_fetched(self, rejected: str | None = None) -> Token:
        """Take the store's token if it is good, else fetch one under the store's lock."""
        stored = await self._stored(rejected)
        if stored is None:
            async with self._store.lock(self._app_key):
                stored = await self._stored(rejected)
                if stored is None:
                    return await self._renewed(rejected)
        self._keep(stored, stored.expires_at - limits.TOKEN_RENEW_EARLY_SECONDS)
        return stored

    async def _stored(self, rejected: str | None) -> Token | None:
        """The store's token, unless it is the rejected one or near its end."""
        token = await self._store.get(self._app_key)
        if token is None or token.value == rejected:
            return None
        fresh = self._now() < token.expires_at - limits.TOKEN_RENEW_EARLY_SECONDS
        return token if fresh else None

    async def _renewed(self, rejected: str | None) -> Token:
        """Fetch a token; where that fails for a while, go on with the old one if it lives."""
        asked_at = self._now()
        try:
            token = await self.fetch()
        except (errors.RetryLater, errors.NotSent):
            old = self._token or await self._store.get(self._app_key)
            if old is None or old.value == rejected or asked_at >= old.expires_at:
                raise
            self._keep(old, min(asked_at + limits.TOKEN_RENEW_RETRY_SECONDS, old.expires_at))
            return old
        await self._store.put(self._app_key, token)
        return token

    async def _fetched(self) -> Fetched:
        """Fetch a token; an unknown outcome is harmless here, so it counts as not sent."""
        try:
            return await self._fetch()
        except errors.Ambiguous as error:
            harmless: errors.DingTalkError = errors.NotSent(*error.args)
        except errors.TokenRejected as error:
            harmless = errors.BadCredentials(*error.args)
        raise harmless

    def _keep(self, token: Token, renew_at: float) -> None:
        self._token = token
        self._renew_at = renew_at
