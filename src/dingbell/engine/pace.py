"""Pace: slots reserved when work is planned, checked again against the calls really made.

Everything here happens inside a transaction that holds the lock of the orgs concerned, so that it
is exact for any number of nodes: what was promised and what was called are rows, and nobody else
adds to them meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from dingbell.clients import CALL_TIMEOUT
from dingbell.domain.slots import PEOPLE_SPAN, Load, Pace, reserve
from dingbell.store import batches, calls
from dingbell.store.connection import Connection

__all__ = ["AppPace", "Wanted", "admit", "lock_orgs", "reserve_slots"]

_LOOK_BACK = timedelta(seconds=PEOPLE_SPAN) + CALL_TIMEOUT
_PROMPT = 0.001


@dataclass(frozen=True, slots=True)
class AppPace:
    """The pace in force for an app, and whether it may call at all."""

    org: str
    app: Pace
    in_org: Pace
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Batches of one app that want slots, in order."""

    app_id: int
    not_before: datetime
    sizes: tuple[int, ...]


async def lock_orgs(
    connection: Connection, app_ids: Sequence[int], default: Pace
) -> dict[int, AppPace]:
    """Lock the orgs of some apps, in order of name; nobody else reserves or calls for them."""
    rows = await connection.fetch(
        """
        select a.id, a.org, a.people_per_minute, a.calls_per_second, a.paused_until,
               o.people_per_minute as org_people_per_minute
        from apps a join orgs o on o.name = a.org
        where a.id = any($1::bigint[]) order by o.name, a.id for update of o
        """,
        list(app_ids),
    )
    return {
        row["id"]: AppPace(
            org=row["org"],
            app=Pace(
                row["people_per_minute"] or default.people_per_minute,
                row["calls_per_second"] or default.calls_per_second,
            ),
            in_org=Pace(row["org_people_per_minute"] or default.people_per_minute),
            paused_until=row["paused_until"],
        )
        for row in rows
    }


class _Loads:
    """What occupies the windows, by app and by org."""

    def __init__(self) -> None:
        self._by_app: dict[int, list[Load]] = {}
        self._by_org: dict[str, list[Load]] = {}

    def add(self, app_id: int, org: str, load: Load) -> None:
        self._by_app.setdefault(app_id, []).append(load)
        self._by_org.setdefault(org, []).append(load)

    async def add_calls(self, connection: Connection, orgs: Sequence[str], now: datetime) -> None:
        for row in await calls.load(
            connection, orgs, since=now - _LOOK_BACK, arrives_within=CALL_TIMEOUT
        ):
            self.add(row["app_id"], row["org"], Load(row["until"].timestamp(), row["size"]))

    async def add_promises(
        self, connection: Connection, orgs: Sequence[str], now: datetime, without: Sequence[int]
    ) -> None:
        rows: list[asyncpg.Record] = await batches.reserved(connection, orgs, without)
        for row in rows:
            at = max(row["slot_at"], now).timestamp()
            self.add(row["app_id"], row["org"], Load(at, row["size"]))

    def peek(self, app_id: int, pace: AppPace, at: float, sizes: Sequence[int]) -> list[float]:
        """The earliest slots of some batches."""
        return reserve(
            at,
            sizes,
            app=pace.app,
            org=pace.in_org,
            app_load=self._by_app.get(app_id, ()),
            org_load=self._by_org.get(pace.org, ()),
        )

    def fit(self, app_id: int, pace: AppPace, at: float, sizes: Sequence[int]) -> list[float]:
        """The earliest slots of some batches, which then occupy them."""
        slots = self.peek(app_id, pace, at, sizes)
        for slot, size in zip(slots, sizes, strict=True):
            self.add(app_id, pace.org, Load(slot, size))
        return slots


async def reserve_slots(
    connection: Connection,
    wanted: Sequence[Wanted],
    paces: dict[int, AppPace],
    *,
    now: datetime,
    without: Sequence[int] = (),
) -> list[list[datetime]]:
    """Reserve the earliest slots that overfill no window.

    Args:
        connection: in a transaction that holds the orgs' locks.
        wanted: what wants slots, the most urgent first.
        paces: from `lock_orgs`.
        now: the present instant; no slot is before it.
        without: batches that give their old slots back.

    Returns:
        For each entry of `wanted` a slot per batch.
    """
    orgs = sorted({pace.org for pace in paces.values()})
    loads = _Loads()
    await loads.add_calls(connection, orgs, now)
    await loads.add_promises(connection, orgs, now, without)
    found = []
    for entry in wanted:
        pace = paces[entry.app_id]
        not_before = max(entry.not_before, now, pace.paused_until or now).timestamp()
        slots = loads.fit(entry.app_id, pace, not_before, entry.sizes)
        found.append([datetime.fromtimestamp(slot, UTC) for slot in slots])
    return found


async def admit(
    connection: Connection,
    queued: Sequence[batches.Queued],
    paces: dict[int, AppPace],
    *,
    now: datetime,
) -> tuple[list[batches.Queued], list[batches.Queued]]:
    """Check slots against the calls really made.

    Returns:
        Those batches that may be called at their slot, and those that come too early.
    """
    loads = _Loads()
    await loads.add_calls(connection, sorted({batch.org for batch in queued}), now)
    admitted: list[batches.Queued] = []
    early: list[batches.Queued] = []
    for batch in queued:
        pace = paces[batch.app_id]
        at = max(batch.slot_at, now)
        paused = pace.paused_until is not None and pace.paused_until > at
        if paused or not _fits(loads, batch, pace, at.timestamp()):
            early.append(batch)
        else:
            admitted.append(batch)
    return admitted, early


def _fits(loads: _Loads, batch: batches.Queued, pace: AppPace, at: float) -> bool:
    (slot,) = loads.peek(batch.app_id, pace, at, (batch.size,))
    if slot - at > _PROMPT:
        return False
    loads.add(batch.app_id, pace.org, Load(at, batch.size))
    return True
