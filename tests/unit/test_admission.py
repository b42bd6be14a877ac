"""Admission: the short way says what the long way says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.priority import Rank
from dingbell.domain.slots import Pace
from dingbell.planning.pace import Admission, AppPace, _fit, _Load, _roomy, _sort
from dingbell.store.claims import Queued

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
        st.tuples(st.sampled_from([1, 2, 3]), st.integers(0, 30), st.floats(-70, 10)), max_size=12
    ),
    pace=st.builds(
        paces, st.integers(1, 6), st.integers(20, 120), st.integers(20, 200), paused=st.booleans()
    ),
)
def test_what_is_roomy_fits_into_every_window(
    wanted: Sequence[tuple[int, int, float]],
    made: Sequence[tuple[int, int, float]],
    pace: dict[int, AppPace],
) -> None:
    present = NOW.timestamp()
    queued = [batch(number, *one) for number, one in enumerate(sorted(wanted, key=lambda w: w[2]))]
    loads = [_Load(ORGS[app], app, present + at, size) for app, size, at in made]
    short, long = Admission([], [], [], []), Admission([], [], [], [])
    _sort(queued, loads, pace, NOW, short)
    _fit(queued, loads, pace, present, long)
    roomy = _roomy(queued, loads, pace, present)
    easy = {one.id for one in queued if one.app_id in roomy}
    assert easy <= {one.id for one in long.admitted}
    assert {b.id for b in short.admitted} == {b.id for b in long.admitted}
    assert sorted(b.id for b, _ in short.nudged) == sorted(b.id for b, _ in long.nudged)
    assert {b.id for b in short.early} == {b.id for b in long.early}
