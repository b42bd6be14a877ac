"""Pace: slots reserved when work is planned, checked again against the calls really made.

Everything here happens inside a transaction that holds the lock of the orgs concerned, so that it
is exact for any number of nodes: what was promised and what was called are rows, and nobody else
adds to them meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dingbell.clients import CALL_TIMEOUT
from dingbell.domain.priority import Rank, without_reserve
from dingbell.domain.slots import CALL_SPAN, PEOPLE_SPAN, Lane, Pace, Window
from dingbell.store import apps
from dingbell.store.connection import Connection
from dingbell.store.ledger import claims
from dingbell.store.ledger.claims import Occupied

__all__ = ["TURN_LOST", "Admission", "AppPace", "Wanted", "admit", "paces_of", "reserve_slots"]

# A call that nobody answered arrives within this of its slot; it may have left 3 s late.
_ARRIVES_WITHIN = CALL_TIMEOUT + timedelta(seconds=3)
# Calls sent longer ago than this have left every window, late starts and refreshed tokens included.
_LOOK_BACK = timedelta(seconds=PEOPLE_SPAN) + 3 * CALL_TIMEOUT
_PROMPT = 0.001
# Up to so much later a batch keeps its turn.
_NUDGE = 1.0
# One that is late by more has lost its turn: after an outage all the others are late as well, and
# would come round again together every second.
TURN_LOST = timedelta(seconds=2)
# One that waits for answers is looked at again after this.
_ASK_AGAIN = 0.25


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

    def at(self, rank: Rank) -> AppPace:
        """The part of it that a rank may use."""
        if rank < Rank.BULK:
            return self
        return replace(self, app=without_reserve(self.app), in_org=without_reserve(self.in_org))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Batches of one app that want slots, in order.

    Attributes:
        not_before: the first instant allowed.
        sizes: how many people each batch has.
        rank: whose promised slots it may take, and whose it may not.
        spread: the batches are to be spread evenly over so long, where the pace lets them.
    """

    app_id: int
    not_before: datetime
    sizes: tuple[int, ...]
    rank: Rank = Rank.NORMAL
    spread: timedelta = timedelta(0)

    def earliest(self) -> Iterator[tuple[float, int]]:
        """Each batch's first instant allowed, in epoch seconds, and its size."""
        start, step = (
            self.not_before.timestamp(),
            self.spread.total_seconds() / max(len(self.sizes), 1),
        )
        return ((start + place * step, size) for place, size in enumerate(self.sizes))


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


class _Lanes:
    """A lane for each app, over what has been called and promised; orgs share their windows."""

    def __init__(self, loads: Iterable[Occupied], paces: dict[int, AppPace]) -> None:
        own: dict[int, list[Occupied]] = {app_id: [] for app_id in paces}
        shared: dict[str, list[Occupied]] = {}
        for load in loads:
            shared.setdefault(load.org, []).append(load)
            if load.app_id in own:
                own[load.app_id].append(load)
        orgs = {pace.org: _people(pace.in_org, shared.get(pace.org, ())) for pace in paces.values()}
        self._lanes = {
            app_id: Lane(
                _calls(pace.app, own[app_id]),
                (_people(pace.app, own[app_id]), orgs[pace.org]),
            )
            for app_id, pace in paces.items()
        }

    def __getitem__(self, app_id: int) -> Lane:
        return self._lanes[app_id]


def _calls(pace: Pace, loads: Sequence[Occupied]) -> Window:
    return _window(pace.calls_per_second, CALL_SPAN, [(load, 1) for load in loads])


def _people(pace: Pace, loads: Sequence[Occupied]) -> Window:
    return _window(pace.people_per_minute, PEOPLE_SPAN, [(load, load.size) for load in loads])


def _window(limit: int, span: float, weighed: Sequence[tuple[Occupied, int]]) -> Window:
    return Window(
        limit,
        span,
        ((load.at, weight) for load, weight in weighed if load.open_until is None),
        (
            (load.at, load.open_until, weight)
            for load, weight in weighed
            if load.open_until is not None
        ),
    )


def _at(paces: dict[int, AppPace], rank: Rank) -> dict[int, AppPace]:
    return {app_id: pace.at(rank) for app_id, pace in paces.items()}


async def _occupied(
    connection: Connection,
    orgs: Sequence[str],
    now: datetime,
    *,
    up_to: Rank | None,
    without: Sequence[int] = (),
) -> list[Occupied]:
    """The calls that were made, and what is promised up to a rank."""
    rows = await claims.occupied(
        connection,
        orgs,
        since=now - _LOOK_BACK,
        arrives_within=_ARRIVES_WITHIN,
        up_to=up_to,
        without=without,
    )
    present = now.timestamp()
    return [_from_now_on(row, present) for row in rows]


def _from_now_on(one: Occupied, present: float) -> Occupied:
    """The same; a promise whose slot has passed is kept now."""
    if one.rank is None or one.at >= present:
        return one
    return one._replace(at=present)


async def reserve_slots(
    connection: Connection,
    wanted: Sequence[Wanted],
    paces: dict[int, AppPace],
    *,
    now: datetime,
    without: Sequence[int] = (),
) -> list[list[datetime]]:
    """Reserve the earliest slots that overfill no window.

    Slots promised to a later rank do not count: whoever holds them is moved back when they come.
    Open calls count as answered now: that they are not is found out at the claim.

    Args:
        connection: in a transaction that holds the orgs' locks; a forecast needs none.
        wanted: what wants slots; within a rank the first has the first choice.
        paces: from `paces_of`, locked.
        now: the present instant; no slot is before it.
        without: batches that give their old slots back.

    Returns:
        For each entry of `wanted` a slot per batch.
    """
    orgs = sorted({pace.org for pace in paces.values()})
    last = max((entry.rank for entry in wanted), default=Rank.URGENT)
    loads = [
        load.answered(now.timestamp())
        for load in await _occupied(connection, orgs, now, up_to=last, without=without)
    ]
    found: dict[int, list[datetime]] = {}
    for rank in sorted({entry.rank for entry in wanted}):
        # Among equals a promise is kept.
        before = (load for load in loads if load.rank == rank or load.counts_for(rank))
        lanes = _Lanes(before, _at(paces, rank))
        for place, entry in enumerate(wanted):
            if entry.rank == rank:
                taken = _taken(entry, lanes[entry.app_id], paces[entry.app_id].at(rank), now)
                found[place] = [datetime.fromtimestamp(load.at, UTC) for load in taken]
                loads += taken
    return [found[place] for place in range(len(wanted))]


def _taken(entry: Wanted, lane: Lane, pace: AppPace, now: datetime) -> list[Occupied]:
    """Give each batch of an entry its place in the lane."""
    at = max(now, pace.paused_until or now).timestamp()
    taken = []
    for not_before, wanted_size in entry.earliest():
        size = min(wanted_size, pace.most_people)
        at = lane.earliest(max(at, not_before), size)
        lane.add(at, size)
        taken.append(Occupied(pace.org, entry.app_id, at, size, entry.rank))
    return taken


@dataclass(frozen=True, slots=True)
class Admission:
    """What the check of the windows said of batches whose slots have come.

    Attributes:
        admitted: they may be called at their slot.
        nudged: they fit a moment later, at the instant given.
        waiting: answers are still out that will say when they fit; to be looked at again then.
        early: their windows are full; they need new slots.
    """

    admitted: list[claims.Queued]
    nudged: list[tuple[claims.Queued, datetime]]
    waiting: list[tuple[claims.Queued, datetime]]
    early: list[claims.Queued]


async def admit(
    connection: Connection,
    queued: Sequence[claims.Queued],
    paces: dict[int, AppPace],
    *,
    now: datetime,
) -> Admission:
    """Check slots against the calls really made.

    Answers take a while, so windows free up a moment later than the slots assumed: a batch that
    fits a moment later keeps its turn. So does one that would fit if every open call were answered
    now. Anything later, and what is late already, would bunch up, and is given a new slot by the
    caller.
    """
    orgs = sorted({batch.org for batch in queued})
    ranks = sorted({batch.rank for batch in queued})
    # Who comes before has a place here already, and need not race for it.
    before = Rank(ranks[-1] - 1) if ranks and ranks[-1] > Rank.URGENT else None
    mine = [batch.id for batch in queued]
    loads = await _occupied(connection, orgs, now, up_to=before, without=mine)
    result = Admission([], [], [], [])
    for rank in ranks:
        own = [batch for batch in queued if batch.rank == rank]
        loads += _sort(own, [x for x in loads if x.counts_for(rank)], _at(paces, rank), now, result)
    return result


def _sort(
    queued: Sequence[claims.Queued],
    loads: Sequence[Occupied],
    paces: dict[int, AppPace],
    now: datetime,
    result: Admission,
) -> list[Occupied]:
    """Sort the batches of one rank; return what those that may go occupy."""
    present = now.timestamp()
    roomy = _roomy(queued, loads, paces, present)
    easy = [batch for batch in queued if batch.app_id in roomy]
    result.admitted.extend(easy)
    taken = [
        Occupied(b.org, b.app_id, max(b.slot_at.timestamp(), present), min(b.size, roomy[b.app_id]))
        for b in easy
    ]
    queued = [batch for batch in queued if batch.app_id not in roomy]
    return taken + _fit(queued, [*loads, *taken], paces, present, result) if queued else taken


def _roomy(
    queued: Sequence[claims.Queued],
    loads: Sequence[Occupied],
    paces: dict[int, AppPace],
    present: float,
) -> dict[int, int]:
    """Apps that may call whatever is asked of them: all there is fits even into one window.

    Returns:
        app id → how many people a batch of it may hold at most.
    """
    calls: Counter[int] = Counter(batch.app_id for batch in queued)
    people: Counter[int | str] = Counter()
    for batch in queued:
        people[batch.app_id] += batch.size
        people[batch.org] += batch.size
    for load in loads:
        if (load.open_until or load.at) > present - CALL_SPAN:
            calls[load.app_id] += 1
        people[load.app_id] += load.size
        people[load.org] += load.size
    return {
        app_id: pace.most_people
        for app_id, pace in paces.items()
        if calls[app_id] <= pace.app.calls_per_second
        and people[app_id] <= pace.app.people_per_minute
        and people[pace.org] <= pace.in_org.people_per_minute
        and (pace.paused_until is None or pace.paused_until.timestamp() <= present)
    }


def _fit(
    queued: Sequence[claims.Queued],
    loads: Sequence[Occupied],
    paces: dict[int, AppPace],
    present: float,
    result: Admission,
) -> list[Occupied]:
    """Sort batches one by one, by what they find in their windows."""
    known = _Lanes(loads, paces)
    hoped = _Lanes([load.answered(present) for load in loads], paces)
    taken = []
    for batch in queued:
        app_id = batch.app_id
        at = _judge(batch, paces[app_id], known[app_id], hoped[app_id], present, result)
        if at is not None:
            taken.append(Occupied(batch.org, app_id, at, batch.size))
    return taken


def _judge(
    batch: claims.Queued,
    pace: AppPace,
    known: Lane,
    hoped: Lane,
    present: float,
    result: Admission,
) -> float | None:
    """Sort one batch, and let it occupy its place in the lanes; return when it goes, if it does."""
    at = max(batch.slot_at.timestamp(), present)
    # A pace that was lowered below a batch lets it go alone.
    size = min(batch.size, pace.most_people)
    if pace.paused_until is not None and pace.paused_until.timestamp() > at:
        result.early.append(batch)
        return None
    fits, hopes = known.earliest(at, size), hoped.earliest(at, size)
    if fits - at <= _PROMPT:
        result.admitted.append(batch)
    elif present - batch.slot_at.timestamp() > TURN_LOST.total_seconds():
        result.early.append(batch)
        return None
    elif fits - at <= _NUDGE:
        result.nudged.append((batch, datetime.fromtimestamp(fits, UTC)))
    elif hopes - at <= _NUDGE:
        again = max(hopes, present + _ASK_AGAIN)
        result.waiting.append((batch, datetime.fromtimestamp(again, UTC)))
        hoped.add(hopes, size)
        return None
    else:
        result.early.append(batch)
        return None
    known.add(fits, size)
    hoped.add(fits, size)
    return fits
