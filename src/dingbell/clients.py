"""DingTalk clients of stored apps: one HTTP session, tokens shared through the database."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dingbell.clock import Clock
from dingbell.dingtalk import Credentials, Token
from dingbell.errors import InputError, NotFoundError, Text
from dingbell.store import apps, duty, tokens
from dingbell.store.connection import Pool, acquire, transaction
from dingbell.store.vault import Vault

if TYPE_CHECKING:
    import aiohttp

    from dingbell.dingtalk import Client

__all__ = ["CALLS_PER_ADDRESS", "CALL_TIMEOUT", "Address", "Clients"]

# How long a call may take; also how long an in-doubt call may still arrive.
CALL_TIMEOUT = timedelta(seconds=10)
# Calls from one address in any 20 s, all APIs together (quota page, read 2026-08); the 50 ms are
# the spread of travel times, as for slots.
CALLS_PER_ADDRESS = 10_000
_ADDRESS_SPAN = 20.05
# All that is no send leaves sends one part in so many.
_FOR_SENDS = 5
_SEND = "/asyncsend_v2"


class Address:
    """What this process may ask of DingTalk from its address: so many calls in any 20 s.

    An address that makes more is banned for five minutes (quota page, read 2026-08). Sends come
    first: everything else leaves them a part.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._calls: deque[float] = deque()

    async def enter(self, endpoint: str) -> None:
        """Wait for a place, and take it."""
        most = self._most if endpoint.endswith(_SEND) else self._most - self._most // _FOR_SENDS
        while (rest := self._rest(most)) > 0:
            await self._clock.sleep(rest)
        self._calls.append(self._clock.monotonic())

    async def room(self) -> None:
        """Wait until a send would not have to wait."""
        while (rest := self._rest(self._most)) > 0:
            await self._clock.sleep(rest)

    def _rest(self, most: int) -> float:
        """How many seconds until fewer than so many calls lie in the window."""
        now = self._clock.monotonic()
        while self._calls and now - self._calls[0] >= _ADDRESS_SPAN:
            self._calls.popleft()
        if len(self._calls) < most:
            return 0.0
        return self._calls[len(self._calls) - most] + _ADDRESS_SPAN - now


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
        self.address = Address(clock, calls_per_address)
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
            tokens=_SharedTokens(self._pool, self._vault, app.oapi_url, self._token_room),
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


class _SharedTokens:
    """Tokens in the database, so that nodes and command lines share one."""

    def __init__(self, pool: Pool, vault: Vault, oapi_url: str, room: asyncio.Semaphore) -> None:
        self._pool = pool
        self._vault = vault
        self._oapi_url = oapi_url
        self._room = room

    async def get(self, app_key: str) -> Token | None:
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
        name = f"token:{self._oapi_url} {app_key}"
        async with (
            self._room,
            acquire(self._pool) as connection,
            duty.held(connection, name),
        ):
            yield
