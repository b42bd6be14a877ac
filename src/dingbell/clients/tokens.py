"""Tokens in the database: nodes and command lines share one, and one of them fetches it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from dingbell.dingtalk import Token
from dingbell.errors import InputError
from dingbell.store import duty, tokens
from dingbell.store.connection import Pool, acquire
from dingbell.store.vault import Vault

__all__ = ["SharedTokens"]


class SharedTokens:
    """Tokens in the database, so that nodes and command lines share one."""

    def __init__(self, pool: Pool, vault: Vault, oapi_url: str, room: asyncio.Semaphore) -> None:
        self._pool = pool
        self._vault = vault
        self._oapi_url = oapi_url
        self._room = room

    async def get(self, app_key: str) -> Token | None:
        """The token that is stored; one that was locked with another key is as good as none."""
        async with acquire(self._pool) as connection:
            found = await tokens.get(connection, self._oapi_url, app_key)
        if found is None:
            return None
        locked, expires_at = found
        try:
            return Token(self._vault.unlock(locked), expires_at.timestamp())
        except InputError:
            # It was stored with another key: as good as none.
            return None

    async def put(self, app_key: str, token: Token) -> None:
        """Store a token; a repeat replaces it."""
        async with acquire(self._pool) as connection:
            await tokens.put(
                connection,
                self._oapi_url,
                app_key,
                self._vault.lock(token.value),
                datetime.fromtimestamp(token.expires_at, UTC),
            )

    @asynccontextmanager
    async def lock(self, app_key: str) -> AsyncIterator[None]:
        """Hold the right to fetch a token; whoever else wants it waits."""
        name = f"token:{self._oapi_url} {app_key}"
        async with (
            self._room,
            acquire(self._pool) as connection,
            duty.held(connection, name),
        ):
            yield
