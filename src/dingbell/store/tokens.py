"""Table `tokens`: one access token per app key, shared by all nodes, encrypted."""

from __future__ import annotations

from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["forget", "get", "lock", "put", "unlock"]


async def get(connection: Connection, oapi_url: str, app_key: str) -> tuple[bytes, datetime] | None:
    """The encrypted token and when it expires."""
    row = await connection.fetchrow(
        "select token, expires_at from tokens where oapi_url = $1 and app_key = $2",
        oapi_url,
        app_key,
    )
    return (row["token"], row["expires_at"]) if row else None


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


_LOCK_KEY = "hashtextextended($1, 7466315)"


async def lock(connection: Connection, oapi_url: str, app_key: str) -> None:
    """Hold the right to refresh a token until `unlock` or the end of the connection."""
    await connection.execute(f"select pg_advisory_lock({_LOCK_KEY})", f"{oapi_url} {app_key}")


async def unlock(connection: Connection, oapi_url: str, app_key: str) -> None:
    """Let others refresh the token."""
    await connection.execute(f"select pg_advisory_unlock({_LOCK_KEY})", f"{oapi_url} {app_key}")
