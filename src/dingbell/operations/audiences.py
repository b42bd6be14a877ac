"""Operations on saved audiences."""

from __future__ import annotations

from typing import Any

from dingbell.domain.audience import Audience
from dingbell.errors import NotFoundError, Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View
from dingbell.planning.revisit import revisit
from dingbell.store import audiences
from dingbell.store.connection import Connection, acquire, transaction

__all__ = ["AudienceView", "delete", "listed", "put", "remove", "store"]


class AudienceView(View):
    """A saved audience and what it says."""

    name: str
    spec: dict[str, Any]


async def listed(ops: Operations) -> tuple[AudienceView, ...]:
    """Every saved audience, by name."""
    ops.may(Operation.AUDIENCES_SEE)
    async with acquire(ops.pool) as connection:
        found = await audiences.all_audiences(connection)
    return tuple(AudienceView(name=name, spec=spec) for name, spec in found.items())


async def put(ops: Operations, name: str, audience: Audience) -> None:
    """Save an audience; a repeat replaces it."""
    ops.may(Operation.AUDIENCES_PUT)
    async with transaction(ops.pool) as connection:
        await store(ops, connection, name, audience)


async def store(ops: Operations, connection: Connection, name: str, audience: Audience) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.AUDIENCES_PUT)
    await audiences.put(connection, name, audience.to_dict())
    await revisit(connection, ops.clock.now())


async def delete(ops: Operations, name: str) -> None:
    """Forget a saved audience.

    Raises:
        NotFoundError: there is none of that name.
    """
    ops.may(Operation.AUDIENCES_DELETE)
    async with transaction(ops.pool) as connection:
        await remove(ops, connection, name)


async def remove(ops: Operations, connection: Connection, name: str) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.AUDIENCES_DELETE)
    if name not in await audiences.all_audiences(connection):
        raise NotFoundError(
            Text("there is no saved audience {name!r}", "没有名为 {name!r} 的受众").format(
                name=name
            )
        )
    await audiences.delete(connection, name)
