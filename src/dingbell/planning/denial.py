"""The deny-list, as userids: asked when a run is planned, and again when it is claimed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from dingbell.domain.audience import Audience
from dingbell.domain.forecast import Reason
from dingbell.domain.lifecycle import Batch
from dingbell.planning import audiences, wakeups
from dingbell.store import audience_members, directory, jobs, rules
from dingbell.store.connection import Connection
from dingbell.store.ledger import batches, deliveries
from dingbell.store.ledger.claims import Queued

__all__ = ["DenyList", "cancel_empty", "take_out"]

# What a list means is worked out again when one of these changes.
_Version = tuple[str, datetime, int]


class DenyList:
    """Knows who is never sent to; remembers it for as long as list and directory stay."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Version, frozenset[str]]] = {}

    async def of(self, connection: Connection, orgs: Iterable[str]) -> dict[str, frozenset[str]]:
        """Who is on the list, in each of some orgs; nothing where there is no list."""
        deny = await rules.deny(connection)
        if deny is None:
            return {}
        return {org: await self._of(connection, org, deny) for org in orgs}

    async def _of(self, connection: Connection, org: str, deny: Audience) -> frozenset[str]:
        read = await directory.last_sync(connection, org)
        if read is None:
            return frozenset(audiences.plain(deny))
        changes = await audience_members.version(connection, org)
        version = (deny.model_dump_json(), read.synced_at, changes)
        known = self._known.get(org)
        # A saved audience changes without the list.
        if known is not None and known[0] == version and not deny.saved():
            return known[1]
        # A list that would mean others on other days, or ask a source, has been refused.
        whom = await audiences.find(connection, org, deny, day=None, fetched={})
        self._known[org] = version, frozenset(whom.userids)
        return self._known[org][1]


async def take_out(
    connection: Connection, queued: Sequence[Queued], denied: dict[str, frozenset[str]]
) -> list[Queued]:
    """Take those out of batches about to be called who have come onto the list meanwhile.

    Args:
        connection: in the transaction of the claim.
        queued: the batches.
        denied: who is on the list, by org.

    Returns:
        The batches that somebody is left of.
    """
    wanted = sorted({userid for userids in denied.values() for userid in userids})
    if not wanted:
        return list(queued)
    ids = [batch.id for batch in queued]
    hit = await deliveries.take_out(connection, ids, wanted, Reason.DENIED)
    empty = await cancel_empty(connection, hit)
    ended = sorted({batch.run_id for batch in queued if batch.id in empty})
    if ended:
        await jobs.enqueue(connection, [wakeups.settle(ended)])
    return [batch for batch in queued if batch.id not in empty]


async def cancel_empty(connection: Connection, batch_ids: Collection[int]) -> set[int]:
    """Cancel those of some queued batches that nobody is left in; return which."""
    if not batch_ids:
        return set()
    empty = await deliveries.without_people(connection, sorted(batch_ids))
    await batches.move(connection, sorted(empty), Batch.CANCELED, usual=Batch.QUEUED)
    return set(empty)
