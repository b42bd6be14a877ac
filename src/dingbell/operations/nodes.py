"""Operations on nodes: who is running, and whether its clock is right."""

from __future__ import annotations

from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View
from dingbell.store import nodes
from dingbell.store.connection import acquire

__all__ = ["NodeView", "listed"]


class NodeView(View):
    """A node that is entered.

    Attributes:
        clock_offset: by how many seconds it corrects its host's clock to the database's.
        alive: whether its lease is valid.
        calls: how many of its calls are under way.
    """

    id: int
    name: str
    version: str
    roles: tuple[str, ...]
    started_at: Instant
    lease_until: Instant
    clock_offset: float
    alive: bool
    calls: int


async def listed(ops: Operations) -> tuple[NodeView, ...]:
    """Every node that is entered, the oldest first."""
    ops.may(Operation.NODES_SEE)
    async with acquire(ops.pool) as connection:
        found = await nodes.listed(connection)
    return tuple(
        NodeView(**{**one, "clock_offset": round(one["clock_offset"], 3)}) for one in found
    )
