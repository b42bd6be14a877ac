"""The secret key: a database is bound to one, and whoever has another is told which."""

from __future__ import annotations

from datetime import datetime

from dingbell.errors import InputError, Text
from dingbell.store import apps, secretkey, tokens
from dingbell.store.connection import Connection
from dingbell.store.secretkey import Bound
from dingbell.store.vault import Vault

__all__ = ["bind", "check", "rebind", "short"]


async def check(connection: Connection, vault: Vault) -> Bound | None:
    """See that a key, where there is one, is that of this database; writes nothing.

    Returns:
        What the database is bound to; None before its first secret.

    Raises:
        InputError: it is another one.
    """
    bound = await secretkey.bound(connection)
    if vault.fingerprint is None:
        return bound
    if bound is not None:
        if bound.fingerprint != vault.fingerprint:
            raise InputError(_another(bound, vault))
    elif foreign := await _foreign(connection, vault):
        raise InputError(_older(foreign, vault))
    return bound


async def bind(connection: Connection, vault: Vault, now: datetime) -> None:
    """Bind the database to this key, before anything is locked with it; a repeat does nothing.

    Raises:
        InputError: it is bound to another, or there is no key here and it is bound already.
    """
    # Of processes that begin together on a new database one makes the key for all.
    vault.look_again()
    bound = await check(connection, vault)
    if bound is None:
        await secretkey.bind(connection, vault.ready(), now)
        # Somebody else may have been quicker.
        await check(connection, vault)
    elif vault.fingerprint is None:
        raise InputError(_none(bound, vault))


async def rebind(connection: Connection, vault: Vault, now: datetime) -> list[str]:
    """Bind the database to this key, whatever it was bound to, and forget what it cannot open.

    Returns:
        The names of the apps whose secrets have to be given again.
    """
    fingerprint = vault.ready()
    foreign = await _foreign(connection, vault)
    await apps.forget_secrets(connection, foreign)
    await tokens.forget_all(connection)
    await secretkey.release(connection)
    await secretkey.bind(connection, fingerprint, now)
    return foreign


async def _foreign(connection: Connection, vault: Vault) -> list[str]:
    """The names of the apps whose secrets another key has locked."""
    known = await apps.all_apps(connection)
    return [name for app in known if not vault.opens(app.app_secret) for name in app.names]


def short(fingerprint: str) -> str:
    """A fingerprint for people."""
    return fingerprint[:8]


_WAY_OUT = Text(
    "Set DINGBELL_SECRET_KEY to the key of the other nodes, or copy their secret.key. If it is "
    "lost, `dingbell db rekey` takes the key that is here, and the app secrets have to be given "
    "again",
    "请把 DINGBELL_SECRET_KEY 设为与其他节点相同, 或复制它们的 secret.key。如果那把密钥已丢失, "
    "`dingbell db rekey` 会改用此处的密钥, 之后需重新提供应用密钥",
)


def _another(bound: Bound, vault: Vault) -> Text:
    return Text(
        "the app secrets in this database are locked with the secret key {bound}… (since {since}), "
        "and {origin} is another, {ours}…: nothing was done. {way_out}",
        "此数据库中的应用密钥由密钥 {bound}… (自 {since}) 加密, 而 {origin} 是另一把 {ours}…: "
        "未做任何操作。{way_out}",
    ).format(
        bound=short(bound.fingerprint),
        since=bound.bound_at.isoformat(timespec="seconds"),
        origin=vault.origin,
        ours=short(vault.fingerprint or ""),
        way_out=_WAY_OUT,
    )


def _none(bound: Bound, vault: Vault) -> Text:
    return Text(
        "the app secrets in this database are locked with the secret key {bound}… (since {since}), "
        "and there is no key here: DINGBELL_SECRET_KEY is not set, and there is no {origin}. "
        "{way_out}",
        "此数据库中的应用密钥由密钥 {bound}… (自 {since}) 加密, 而此处没有密钥: 未设置 "
        "DINGBELL_SECRET_KEY, 也没有 {origin}。{way_out}",
    ).format(
        bound=short(bound.fingerprint),
        since=bound.bound_at.isoformat(timespec="seconds"),
        origin=vault.origin,
        way_out=_WAY_OUT,
    )


def _older(foreign: list[str], vault: Vault) -> Text:
    return Text(
        "the secrets of {names} in this database were locked with another secret key than "
        "{origin}, {ours}…: nothing was done. {way_out}",
        "此数据库中 {names} 的密钥不是由 {origin} ({ours}…) 加密的: 未做任何操作。{way_out}",
    ).format(
        names=", ".join(foreign),
        origin=vault.origin,
        ours=short(vault.fingerprint or ""),
        way_out=_WAY_OUT,
    )
