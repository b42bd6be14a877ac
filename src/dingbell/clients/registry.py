"""The client of each stored app, over one HTTP session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dingbell.clients.rate_limit import CALLS_PER_ADDRESS, AddressLimiter
from dingbell.clients.tokens import SharedTokens
from dingbell.clock import Clock
from dingbell.dingtalk import Credentials, Token
from dingbell.errors import InputError, NotFoundError, Text
from dingbell.store import apps, tokens
from dingbell.store.connection import Pool, acquire, transaction
from dingbell.store.vault import Vault

if TYPE_CHECKING:
    import aiohttp

    from dingbell.dingtalk import Client

__all__ = ["CALL_TIMEOUT", "Clients"]

# How long a call may take; also how long an in-doubt call may still arrive.
CALL_TIMEOUT = timedelta(seconds=10)


class Clients:
    """Gives the client of an app; an app whose credentials changed gets a new one."""

    def __init__(
        self,
        pool: Pool,
        vault: Vault,
        clock: Clock,
        *,
        connections: int = 500,
        calls_per_address: int = CALLS_PER_ADDRESS,
    ) -> None:
        self.address = AddressLimiter(clock, calls_per_address)
        self._pool = pool
        self._vault = vault
        self._clock = clock
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._clients: dict[int, tuple[datetime, Client]] = {}
        # Whoever fetches a token holds one connection and needs a second.
        self._token_room = asyncio.Semaphore(4)

    async def of(self, app_id: int) -> Client:
        """The client of an app, as the app was last read; see `refresh`."""
        known = self._clients.get(app_id)
        if known:
            return known[1]
        await self.refresh(app_id)
        return self._clients[app_id][1]

    def trial(self, credentials: Credentials) -> Client:
        """A client of an app that is not stored; its token is not shared."""
        from dingbell.dingtalk import Client

        return Client(
            credentials,
            session=self._open_session(),
            timeout=CALL_TIMEOUT.total_seconds(),
            now=lambda: self._clock.now().timestamp(),
            gate=self.address.enter,
        )

    async def refresh(self, app_id: int) -> None:
        """Read an app again.

        Raises:
            NotFoundError: there is no such app.
            InputError: its secret was stored with another key.
        """
        async with acquire(self._pool) as connection:
            app = await apps.by_id(connection, app_id)
        if app is None:
            raise NotFoundError(Text("there is no such app", "没有这个应用"))
        self._meet(app)

    def _meet(self, app: apps.App) -> Client:
        """The client of an app as it was just read."""
        known = self._clients.get(app.id)
        if known is None or known[0] != app.updated_at:
            self._clients[app.id] = (app.updated_at, self._client(app))
        return self._clients[app.id][1]

    async def warm(self, app_ids: Sequence[int]) -> dict[int, str | None]:
        """Have the tokens of apps ready, so that only the call is left when its slot strikes.

        However many apps there are, the database is asked twice and written to once. Two nodes may
        fetch the same token: DingTalk gives both the same one.

        Returns:
            What is wrong with each app; None where nothing is.
        """
        async with transaction(self._pool) as connection:
            found = await apps.by_ids(connection, app_ids)
            stored = await tokens.get_many(connection, [(a.oapi_url, a.app_key) for a in found])
        troubles: dict[int, str | None] = dict.fromkeys(app_ids, "there is no such app")
        cold: list[tuple[apps.App, Client]] = []
        for app in found:
            try:
                client = self._meet(app)
            except InputError as error:
                troubles[app.id] = str(error)
                continue
            troubles[app.id] = None
            if not client.tokens.fresh and (known := stored.get((app.oapi_url, app.app_key))):
                self._offer(client, *known)
            if not client.tokens.fresh:
                cold.append((app, client))
        return troubles | await self._fetch(cold)

    def _offer(self, client: Client, locked: bytes, expires_at: datetime) -> None:
        from dingbell.dingtalk import Token

        # One that was stored with another key is as good as none.
        with suppress(InputError):
            client.tokens.offer(Token(self._vault.unlock(locked), expires_at.timestamp()))

    async def _fetch(self, cold: Sequence[tuple[apps.App, Client]]) -> dict[int, str | None]:
        """Fetch tokens side by side and store them together."""
        from dingbell.dingtalk.errors import DingTalkError

        async def fetch(app: apps.App, client: Client) -> tuple[apps.App, Token | DingTalkError]:
            try:
                return app, await client.tokens.fetch()
            except DingTalkError as error:
                return app, error

        fetched = await asyncio.gather(*(fetch(app, client) for app, client in cold))
        good = {
            (app.oapi_url, app.app_key): (
                self._vault.lock(one.value),
                datetime.fromtimestamp(one.expires_at, UTC),
            )
            for app, one in fetched
            if not isinstance(one, DingTalkError)
        }
        if good:
            async with acquire(self._pool) as connection:
                await tokens.put_many(connection, [(*key, *token) for key, token in good.items()])
        return {app.id: str(one) for app, one in fetched if isinstance(one, DingTalkError)}

    def _client(self, app: apps.App) -> Client:
        # Loaded here: most commands speak to the database only.
        from dingbell.dingtalk import Client

        credentials = Credentials(
            app_key=app.app_key,
            app_secret=self._vault.unlock(app.app_secret),
            agent_id=app.agent_id,
            oapi_url=app.oapi_url,
            api_url=app.api_url,
        )
        return Client(
            credentials,
            session=self._open_session(),
            tokens=SharedTokens(self._pool, self._vault, app.oapi_url, self._token_room),
            timeout=CALL_TIMEOUT.total_seconds(),
            now=lambda: self._clock.now().timestamp(),
            gate=self.address.enter,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=300),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "dingbell"},
            )
        return self._session

    async def close(self) -> None:
        """Close the HTTP session."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._clients.clear()
