"""Table `tokens`: one access token per app key, shared by all nodes, encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["forget", "forget_all", "get", "get_many", "put", "put_many"]


async def get(connection: Connection, oapi_url: str, app_key: str) -> tuple[bytes, datetime] | None:
    """The encrypted token and when it expires."""
    row = await connection.fetchrow(
        "select token, expires_at from tokens where oapi_url = $1 and app_key = $2",
        oapi_url,
        app_key,
    )
    return (row["token"], row["expires_at"]) if row else None


async def get_many(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[bytes, datetime]]:
    """The tokens last put for some (address, app key), encrypted, and when they end."""
    rows = await connection.fetch(
        """
        select t.oapi_url, t.app_key, t.token, t.expires_at from tokens t
        join unnest($1::text[], $2::text[]) as k (oapi_url, app_key) using (oapi_url, app_key)
        """,
        [oapi_url for oapi_url, _ in keys],
        [app_key for _, app_key in keys],
    )
    return {(row["oapi_url"], row["app_key"]): (row["token"], row["expires_at"]) for row in rows}


async def put_many(
    connection: Connection, found: Sequence[tuple[str, str, bytes, datetime]]
) -> None:
    """Keep tokens: (address, app key, encrypted token, end); each replaces the one before."""
    await connection.execute(
        """
        insert into tokens (oapi_url, app_key, token, expires_at)
        select * from unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[])
        order by 1, 2
        on conflict (oapi_url, app_key) do update
        set token = excluded.token, expires_at = excluded.expires_at
        """,
        *(list(column) for column in zip(*found, strict=True)),
    )


async def put(
    connection: Connection, oapi_url: str, app_key: str, token: bytes, expires_at: datetime
) -> None:
    """Keep a token; a repeat replaces it."""
    await connection.execute(
        """
        insert into tokens (oapi_url, app_key, token, expires_at) values ($1, $2, $3, $4)
        on conflict (oapi_url, app_key) do update
        set token = excluded.token, expires_at = excluded.expires_at
        """,
        oapi_url,
        app_key,
        token,
        expires_at,
    )


async def forget(connection: Connection, oapi_url: str, app_key: str) -> None:
    """Have a new token fetched."""
    await connection.execute(
        "delete from tokens where oapi_url = $1 and app_key = $2", oapi_url, app_key
    )


async def forget_all(connection: Connection) -> None:
    """Have every token fetched anew."""
    await connection.execute("delete from tokens")
