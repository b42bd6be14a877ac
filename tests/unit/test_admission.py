"""Admission: the short way says what the long way says, and no window is ever overfilled."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dingbell.domain.priority import Rank
from dingbell.domain.slots import Pace
from dingbell.planning.reservation import Admission, AppPace, _fit, _roomy, _sort
from dingbell.store.ledger.claims import Occupied, Queued

NOW = datetime(2026, 8, 3, 8, 0, tzinfo=UTC)
ORGS = {1: "one", 2: "one", 3: "two"}


def batch(number: int, app_id: int, size: int, delay: float) -> Queued:
    slot_at = NOW + timedelta(seconds=delay)
    return Queued(number, number, app_id, ORGS[app_id], size, slot_at, 1, b"", None, Rank.NORMAL)


def paces(calls: int, people: int, in_org: int, *, paused: bool) -> dict[int, AppPace]:
    until = NOW + timedelta(seconds=60) if paused else None
    return {
        app_id: AppPace(org, Pace(people, calls), Pace(in_org), until if app_id == 1 else None)
        for app_id, org in ORGS.items()
    }


@given(
    wanted=st.lists(
        st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 30), st.floats(-2, 0.2)), max_size=12
    ),
    made=st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3]), st.integers(0, 30), st.floats(-70, 0.2), st.booleans()
        ),
        max_size=12,
    ),
    pace=st.builds(
        paces, st.integers(1, 6), st.integers(20, 120), st.integers(20, 200), paused=st.booleans()
    ),
)
def test_what_is_roomy_fits_into_every_window(
    wanted: Sequence[tuple[int, int, float]],
    made: Sequence[tuple[int, int, float, bool]],
    pace: dict[int, AppPace],
) -> None:
    present = NOW.timestamp()
    queued = [batch(number, *one) for number, one in enumerate(sorted(wanted, key=lambda w: w[2]))]
    loads = [
        Occupied(
            ORGS[app], app, present + at, size, open_until=present + at + 13 if is_open else None
        )
        for app, size, at, is_open in made
    ]
    short, long = Admission([], [], [], []), Admission([], [], [], [])
    _sort(queued, loads, pace, NOW, short)
    _fit(queued, loads, pace, present, long)
    roomy = _roomy(queued, loads, pace, present)
    easy = {one.id for one in queued if one.app_id in roomy}
    assert easy <= {one.id for one in long.admitted}
    assert {b.id for b in short.admitted} == {b.id for b in long.admitted}
    assert sorted(b.id for b, _ in short.nudged) == sorted(b.id for b, _ in long.nudged)
    assert {b.id for b in short.early} == {b.id for b in long.early}


@dataclass
class Call:
    """A call as the table has it, and when it arrives in truth."""

    batch: Queued
    sent_at: float
    arrives_at: float
    closed_at: float
    outcome: str

    def load(self, now: float) -> Occupied | None:
        """What it occupies, as the table says it at an instant."""
        app_id, size = self.batch.app_id, self.batch.size
        if now < self.closed_at:
            return Occupied(ORGS[app_id], app_id, self.sent_at, size, open_until=self.sent_at + 13)
        if self.outcome == "not_sent":
            return None
        answered_at = self.sent_at + 10 if self.outcome == "node_died" else self.closed_at
        return Occupied(ORGS[app_id], app_id, answered_at, 0 if self.outcome == "refused" else size)


@dataclass
class Outage:
    """A back-log whose waves wake in any order, on any nodes, that die or wait for answers."""

    luck: random.Random
    pace: dict[int, AppPace]
    queued: list[Queued]
    slow: float
    calls: list[Call] = field(default_factory=list)
    now: datetime = NOW

    def play(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self.now < end and self.queued:
            ready = [b for b in self.queued if b.slot_at <= self.now + timedelta(seconds=0.3)]
            self.luck.shuffle(ready)
            while ready:
                size = self.luck.randint(1, 40)
                wave, ready = ready[:size], ready[size:]
                self._claim(sorted(wave, key=lambda b: (b.slot_at, b.id)))
            self.now += timedelta(seconds=self.luck.uniform(0.001, 0.4))

    def _claim(self, wave: list[Queued]) -> None:
        result = Admission([], [], [], [])
        present = self.now.timestamp()
        loads = [load for call in self.calls if (load := call.load(present)) is not None]
        _sort(wave, loads, self.pace, self.now, result)
        later = {b.id: slot for b, slot in [*result.nudged, *result.waiting]}
        # Whatever slots they get, the check at the claim holds.
        later |= {b.id: self._later(self.luck.choice([0.0, 0.3, 1.05, 5])) for b in result.early}
        gone = {b.id for b in result.admitted}
        assert gone | later.keys() == {b.id for b in wave}
        self.calls += [self._call(b) for b in result.admitted]
        self.queued = [
            replace(b, slot_at=later.get(b.id, b.slot_at)) for b in self.queued if b.id not in gone
        ]

    def _later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def _call(self, batch: Queued) -> Call:
        sent_at = max(batch.slot_at, self.now).timestamp()
        outcome = self.luck.choice(
            ["accepted"] * 6 + ["refused", "not_sent", "in_doubt", "node_died"]
        )
        arrives_at = sent_at + self.luck.uniform(0, self.slow)
        closed_at = arrives_at + self.luck.uniform(0, self.slow)
        if outcome == "node_died":
            closed_at = sent_at + 15 + self.luck.uniform(0, 5)
        return Call(batch, sent_at, arrives_at, closed_at, outcome)

    def arrived(self, *app_ids: int) -> Iterator[tuple[float, int]]:
        """When calls came to DingTalk, and for how many people they counted."""
        for call in self.calls:
            if call.batch.app_id in app_ids and call.outcome != "not_sent":
                yield call.arrives_at, 0 if call.outcome == "refused" else call.batch.size


def fullest(weights: Iterator[tuple[float, int]], span: float) -> int:
    """The most that any half-open span holds."""
    ordered = sorted(weights)
    times = [at for at, _ in ordered]
    return max(
        (
            sum(weight for _, weight in ordered[start : bisect_left(times, at + span)])
            for start, at in enumerate(times)
        ),
        default=0,
    )


@given(
    luck=st.integers(0, 2**32).map(random.Random),
    backlog=st.integers(1, 150),
    late=st.sampled_from([0.0, 5.0, 70.0, 3_600.0]),
    size=st.integers(1, 40),
    slow=st.sampled_from([0.02, 0.5, 4.0]),
    calls=st.integers(1, 20),
    people=st.integers(40, 400),
)
@example(random.Random(8), 150, 70.0, 1, 0.5, 20, 400)
@settings(max_examples=30)
def test_whatever_was_late_and_however_many_wake_at_once_no_window_is_overfilled(
    luck: random.Random,
    backlog: int,
    late: float,
    size: int,
    slow: float,
    calls: int,
    people: int,
) -> None:
    pace = paces(calls, people, people, paused=False)
    queued = [
        batch(number, luck.choice([1, 2, 3]), luck.randint(1, size), -late + number / 20)
        for number in range(backlog)
    ]
    outage = Outage(luck, pace, queued, slow)

    outage.play(20)

    assert outage.calls
    for app_id in ORGS:
        every = ((at, 1) for at, _ in outage.arrived(app_id))
        assert fullest(every, 1.0) <= calls
        assert fullest(outage.arrived(app_id), 60.0) <= people
    assert fullest(outage.arrived(1, 2), 60.0) <= people
