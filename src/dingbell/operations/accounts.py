"""Operations on accounts: who may ask for what, and approve what others ask for."""

from __future__ import annotations

from collections.abc import Collection

from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations.actor import VIAS, Actor, Operation, Role, Via
from dingbell.operations.context import Operations
from dingbell.operations.views import View
from dingbell.store import accounts
from dingbell.store.connection import acquire, transaction

__all__ = ["AccountView", "actor_of", "add", "listed", "remove"]


class AccountView(View):
    """An account and what it is trusted with."""

    name: str
    roles: tuple[str, ...]


async def actor_of(ops: Operations, name: str, via: Via) -> Actor:
    """The actor of an account, with the roles it has now.

    Raises:
        NotFoundError: there is no such account.
    """
    async with acquire(ops.pool) as connection:
        roles = await accounts.roles(connection, name)
    if roles is None:
        raise NotFoundError(_none(name))
    return Actor.of(name, roles, via)


async def listed(ops: Operations) -> tuple[AccountView, ...]:
    """Every account, by name."""
    ops.may(Operation.ACCOUNTS_SEE)
    async with acquire(ops.pool) as connection:
        found = await accounts.all_accounts(connection)
    return tuple(AccountView(name=name, roles=tuple(roles)) for name, roles in found.items())


async def add(
    ops: Operations, name: str, roles: Collection[str] = (Role.OWNER.value,)
) -> AccountView:
    """Add an account.

    Raises:
        InputError: the name is blank or reserved, or there is no such role.
        ConflictError: there is one of that name.
    """
    ops.may(Operation.ACCOUNTS_CHANGE)
    name = name.strip()
    if not name or name in VIAS or not name.isprintable():
        raise InputError(
            Text("{name!r} is no name for an account", "{name!r} 不能作账户名称").format(name=name)
        )
    known = [role.value for role in Role]
    if unknown := sorted(set(roles) - set(known)):
        raise InputError(
            Text(
                "there is no role {role!r}: there are {known}", "没有角色 {role!r}: 可用 {known}"
            ).format(role=unknown[0], known=", ".join(known))
        )
    kept = [role for role in known if role in roles]
    async with transaction(ops.pool) as connection:
        if not await accounts.add(connection, name, kept, ops.clock.now()):
            raise ConflictError(
                Text("there is an account {name!r} already", "账户 {name!r} 已存在").format(
                    name=name
                )
            )
    return AccountView(name=name, roles=tuple(kept))


async def remove(ops: Operations, name: str) -> None:
    """Remove an account.

    Raises:
        NotFoundError: there is none of that name.
    """
    ops.may(Operation.ACCOUNTS_CHANGE)
    async with transaction(ops.pool) as connection:
        if not await accounts.remove(connection, name):
            raise NotFoundError(_none(name))


def _none(name: str) -> Text:
    return Text("there is no account {name!r}", "没有账户 {name!r}").format(name=name)
