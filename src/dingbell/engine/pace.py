"""Pace: slots reserved when work is planned, checked again against the calls really made.

Everything here happens inside a transaction that holds the lock of the orgs concerned, so that it
is exact for any number of nodes: what was promised and what was called are rows, and nobody else
adds to them meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dingbell.clients import CALL_TIMEOUT
from dingbell.domain.slots import CALL_SPAN, PEOPLE_SPAN, Lane, Pace, Window
from dingbell.store import apps, batches, calls
from dingbell.store.connection import Connection

__all__ = ["Admission", "AppPace", "Wanted", "admit", "paces_of", "reserve_slots"]

# Calls sent longer ago than this have left every window, late starts and refreshed tokens included.
_LOOK_BACK = timedelta(seconds=PEOPLE_SPAN) + 3 * CALL_TIMEOUT
_PROMPT = 0.001
# Up to so much later a batch keeps its turn.
_NUDGE = 1.0
# One that waits for answers is looked at again after this.
_LOOK_AGAIN = 0.25


@dataclass(frozen=True, slots=True)
class AppPace:
    """The pace in force for an app, and whether it may call at all."""

    org: str
    app: Pace
    in_org: Pace
    paused_until: datetime | None

    @property
    def most_people(self) -> int:
        """How many people a batch may hold: more would fit into no window."""
        return min(self.app.people_per_minute, self.in_org.people_per_minute)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Batches of one app that want slots, in order."""

    app_id: int
    not_before: datetime
    sizes: tuple[int, ...]


async def paces_of(
    connection: Connection, app_ids: Sequence[int], default: Pace, *, lock: bool
) -> dict[int, AppPace]:
    """The paces in force for some apps.

    Args:
        connection: in a transaction where `lock` is asked for.
        app_ids: the apps.
        default: the pace of apps and orgs that have none of their own.
        lock: take the orgs' locks, in order of name: nobody else reserves or calls for them.
    """
    rows = await apps.paces(connection, app_ids, lock=lock)
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


@dataclass(frozen=True, slots=True)
class _Load:
    """What one call or promise occupies, until when."""

    org: str
    app_id: int
    at: float
    size: int


class _Lanes:
    """A lane for each app, over what has been called and promised; orgs share their windows."""

    def __init__(self, loads: Sequence[_Load], paces: dict[int, AppPace]) -> None:
        own: dict[int, list[_Load]] = {app_id: [] for app_id in paces}
        shared: dict[str, list[_Load]] = {}
        for load in loads:
            shared.setdefault(load.org, []).append(load)
            if load.app_id in own:
                own[load.app_id].append(load)
        orgs = {pace.org: _people(pace.in_org, shared.get(pace.org, ())) for pace in paces.values()}
        self._lanes = {
            app_id: Lane(
                Window(pace.app.calls_per_second, CALL_SPAN, ((x.at, 1) for x in own[app_id])),
                (_people(pace.app, own[app_id]), orgs[pace.org]),
            )
            for app_id, pace in paces.items()
        }

    def __getitem__(self, app_id: int) -> Lane:
        return self._lanes[app_id]


def _people(pace: Pace, loads: Sequence[_Load]) -> Window:
    return Window(pace.people_per_minute, PEOPLE_SPAN, ((load.at, load.size) for load in loads))


async def _called(connection: Connection, orgs: Sequence[str], now: datetime) -> list[_Load]:
    rows = await calls.load(connection, orgs, since=now - _LOOK_BACK, arrives_within=CALL_TIMEOUT)
    return [_Load(r["org"], r["app_id"], r["until"].timestamp(), r["size"]) for r in rows]


async def _promised(
    connection: Connection, orgs: Sequence[str], now: datetime, without: Sequence[int]
) -> list[_Load]:
    rows = await batches.reserved(connection, orgs, without)
    return [
        _Load(r["org"], r["app_id"], max(r["slot_at"], now).timestamp(), r["size"]) for r in rows
    ]


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
        paces: from `paces_of`, locked.
        now: the present instant; no slot is before it.
        without: batches that give their old slots back.

    Returns:
        For each entry of `wanted` a slot per batch.
    """
    orgs = sorted({pace.org for pace in paces.values()})
    loads = await _called(connection, orgs, now)
    loads += await _promised(connection, orgs, now, without)
    lanes = _Lanes(loads, paces)
    found = []
    for entry in wanted:
        lane, pace = lanes[entry.app_id], paces[entry.app_id]
        at = max(entry.not_before, now, pace.paused_until or now).timestamp()
        slots = []
        for wanted_size in entry.sizes:
            size = min(wanted_size, pace.most_people)
            at = lane.earliest(at, size)
            lane.add(at, size)
            slots.append(datetime.fromtimestamp(at, UTC))
        found.append(slots)
    return found


@dataclass(frozen=True, slots=True)
class Admission:
    """What the check of the windows said of batches whose slots have come.

    Attributes:
        admitted: they may be called at their slot.
        nudged: they fit a moment later, at the instant given.
        waiting: answers are still out that will say when they fit; to be looked at again then.
        early: their windows are full; they need new slots.
    """

    admitted: list[batches.Queued]
    nudged: list[tuple[batches.Queued, datetime]]
    waiting: list[tuple[batches.Queued, datetime]]
    early: list[batches.Queued]


async def admit(
    connection: Connection,
    queued: Sequence[batches.Queued],
    paces: dict[int, AppPace],
    *,
    now: datetime,
) -> Admission:
    """Check slots against the calls really made.

    Answers take a while, so windows free up a moment later than the slots assumed: a batch that
    fits a moment later keeps its turn. So does one that would fit if every open call were answered
    now. Anything later would bunch up, and is given a new slot by the caller.
    """
    loads = await _called(connection, sorted({batch.org for batch in queued}), now)
    present = now.timestamp()
    known = _Lanes(loads, paces)
    hoped = _Lanes([replace(load, at=min(load.at, present)) for load in loads], paces)
    result = Admission([], [], [], [])
    for batch in queued:
        _judge(
            batch, paces[batch.app_id], known[batch.app_id], hoped[batch.app_id], present, result
        )
    return result


def _judge(
    batch: batches.Queued,
    pace: AppPace,
    known: Lane,
    hoped: Lane,
    present: float,
    result: Admission,
) -> None:
    """Sort one batch, and let it occupy its place in the lanes."""
    at = max(batch.slot_at.timestamp(), present)
    # A pace that was lowered below a batch lets it go alone.
    size = min(batch.size, pace.most_people)
    if pace.paused_until is not None and pace.paused_until.timestamp() > at:
        result.early.append(batch)
        return
    fits, hopes = known.earliest(at, size), hoped.earliest(at, size)
    if fits - at <= _PROMPT:
        result.admitted.append(batch)
    elif fits - at <= _NUDGE:
        result.nudged.append((batch, datetime.fromtimestamp(fits, UTC)))
    elif hopes - at <= _NUDGE:
        again = max(hopes, present + _LOOK_AGAIN)
        result.waiting.append((batch, datetime.fromtimestamp(again, UTC)))
        hoped.add(hopes, size)
        return
    else:
        result.early.append(batch)
        return
    known.add(fits, size)
    hoped.add(fits, size)
