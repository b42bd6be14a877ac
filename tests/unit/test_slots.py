"""Slots: never too much in any window, and never later than need be."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.domain.slots import (
    CALL_SPAN,
    PEOPLE_SPAN,
    Lane,
    Pace,
    Window,
)

NOW = 1_764_000_000.0


@dataclass(frozen=True, slots=True)
class Load:
    """People and calls that occupy the windows at one instant."""

    at: float
    people: int
    calls: int = 1


def reserve(
    not_before: float,
    batches: Sequence[int],
    *,
    app: Pace,
    org: Pace,
    app_load: Sequence[Load],
    org_load: Sequence[Load],
) -> list[float]:
    """Give every batch its slot, in order, as planning does with the lane of an app."""
    lane = Lane(
        Window(app.calls_per_second, CALL_SPAN, ((load.at, load.calls) for load in app_load)),
        (
            Window(
                app.people_per_minute, PEOPLE_SPAN, ((load.at, load.people) for load in app_load)
            ),
            Window(
                org.people_per_minute, PEOPLE_SPAN, ((load.at, load.people) for load in org_load)
            ),
        ),
    )
    slots: list[float] = []
    at = not_before
    for size in batches:
        at = lane.earliest(at, size)
        lane.add(at, size)
        slots.append(at)
    return slots


events = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4)), max_size=12)
loads = st.lists(
    st.builds(
        Load,
        at=st.integers(-120_000, 120_000).map(lambda ms: NOW + ms / 1000),
        people=st.integers(1, 40),
        calls=st.integers(1, 2),
    ),
    max_size=25,
)
paces = st.builds(Pace, st.integers(100, 300), st.integers(1, 5))


def fullest(occupied: list[tuple[float, int]], span: float, at: float | None = None) -> int:
    """The most that any span holds; it is enough to begin at what occupies it."""
    return max(
        (
            sum(weight for when, weight in occupied if start <= when < start + span)
            for start, _ in occupied
            if at is None or start <= at < start + span
        ),
        default=0,
    )


@given(events, st.integers(4, 9), st.integers(1, 7), st.integers(-3, 22), st.integers(1, 4))
@settings(max_examples=400)
def test_a_slot_fits_and_no_earlier_instant_does(
    occupied: list[tuple[int, int]], limit: int, span: int, at: int, weight: int
) -> None:
    def fits(instant: int) -> bool:
        # What others promised before may be too much already; only spans that hold it count.
        return fullest([*occupied, (instant, weight)], span, instant) <= limit

    first = next(instant for instant in range(at, 100) if fits(instant))

    assert Window(limit, span, occupied).earliest(at, weight) == first


@given(
    events,
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 9), st.integers(1, 4)), max_size=6),
    st.integers(4, 9),
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(-3, 22),
    st.data(),
)
@settings(max_examples=300)
def test_what_is_held_for_a_stretch_may_be_anywhere_in_it(
    occupied: list[tuple[int, int]],
    stretches: list[tuple[int, int, int]],
    limit: int,
    span: int,
    weight: int,
    at: int,
    data: st.DataObject,
) -> None:
    held = [(first, first + length, held_weight) for first, length, held_weight in stretches]
    somewhere = [(data.draw(st.integers(a, b)), held_weight) for a, b, held_weight in held]

    slot = int(Window(limit, span, occupied, held).earliest(at, weight))

    assert slot >= at
    assert fullest([*occupied, *somewhere, (slot, weight)], span, slot) <= limit
    if not held:
        assert slot == Window(limit, span, occupied).earliest(at, weight)


def test_what_is_held_gives_its_place_back_a_span_after_its_end() -> None:
    window = Window(20, CALL_SPAN, held=[(NOW, NOW + 10, 1)] * 20)

    assert window.earliest(NOW - 2, 1) == NOW - 2
    assert window.earliest(NOW, 1) == NOW + 10 + CALL_SPAN
    assert Window(20, CALL_SPAN, held=[(NOW, NOW + 10, 1)] * 19).earliest(NOW, 1) == NOW


@given(
    events,
    st.integers(1, 7),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 4)), max_size=12),
)
def test_what_is_added_in_any_order_counts_as_if_it_had_been_there(
    occupied: list[tuple[int, int]], span: int, added: list[tuple[int, int]]
) -> None:
    grown = Window(8, span, occupied)
    for at, weight in added:
        grown.add(at, weight)
    made = Window(8, span, occupied + added)

    for at in range(-2, 24):
        for weight in (1, 4, 8):
            assert grown.earliest(at, weight) == made.earliest(at, weight)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), max_size=8),
    st.sampled_from([0.1, 0.3, 0.7, CALL_SPAN, 2.3]),
    st.integers(3, 6),
    st.integers(0, 30),
)
def test_fractions_neither_hang_nor_overfill(
    occupied: list[tuple[int, int]], span: float, limit: int, at: int
) -> None:
    tenths = [(when / 10, weight) for when, weight in occupied]

    slot = Window(limit, span, tenths).earliest(at / 10, 2)

    assert slot >= at / 10
    assert fullest([*tenths, (slot, 2)], span, slot) <= limit


@given(st.lists(st.integers(1, 100), max_size=30), paces, paces, loads, loads)
@settings(max_examples=200)
def test_no_window_is_ever_overfilled(
    sizes: list[int], app: Pace, org: Pace, own: list[Load], others: list[Load]
) -> None:
    slots = reserve(NOW, sizes, app=app, org=org, app_load=own, org_load=own + others)

    people = list(zip(slots, sizes, strict=True))
    own_people = [(load.at, load.people) for load in own]
    calls = [(load.at, load.calls) for load in own] + [(slot, 1) for slot in slots]
    of_org = own_people + [(load.at, load.people) for load in others] + people
    for slot in slots:
        assert fullest(calls, CALL_SPAN, slot) <= app.calls_per_second
        assert fullest(own_people + people, PEOPLE_SPAN, slot) <= app.people_per_minute
        assert fullest(of_org, PEOPLE_SPAN, slot) <= org.people_per_minute


@given(st.lists(st.integers(1, 100), max_size=30), paces, loads)
def test_slots_keep_the_order_of_the_batches_and_none_is_too_early(
    sizes: list[int], pace: Pace, busy: list[Load]
) -> None:
    slots = reserve(NOW, sizes, app=pace, org=pace, app_load=busy, org_load=busy)

    assert all(earlier <= later for earlier, later in pairwise([NOW, *slots]))


def free(sizes: list[int], pace: Pace, busy: list[Load] | None = None) -> list[float]:
    taken = busy or []
    slots = reserve(NOW, sizes, app=pace, org=pace, app_load=taken, org_load=taken)
    return [round(slot - NOW, 3) for slot in slots]


def test_the_first_five_thousand_ring_at_once_and_the_next_a_minute_later() -> None:
    slots = free([100] * 120, Pace(calls_per_second=1_000))

    assert slots == [0.0] * 50 + [60.05] * 50 + [120.1] * 20


def test_twenty_calls_go_in_a_second() -> None:
    assert free([1] * 50, Pace()) == [0.0] * 20 + [1.05] * 20 + [2.1] * 10


def test_the_documented_pace_is_the_default() -> None:
    assert Pace() == Pace(people_per_minute=5_000, calls_per_second=20)
    assert PEOPLE_SPAN > 60
    assert CALL_SPAN > 1


def test_a_gap_between_reservations_is_used() -> None:
    pace = Pace(people_per_minute=100, calls_per_second=5)
    busy = [Load(NOW, 100), Load(NOW + 200, 100)]

    assert free([100, 100, 100], pace, busy) == [60.05, 120.1, 260.05]
    assert free([50, 50, 50], pace, busy) == [60.05, 60.05, 120.1]


def test_a_later_reservation_is_not_crowded_out() -> None:
    pace = Pace(people_per_minute=100, calls_per_second=5)

    assert free([60], pace, [Load(NOW + 30, 50)]) == [90.05]
    assert free([50], pace, [Load(NOW + 30, 50)]) == [0.0]


def test_others_of_the_org_take_people_but_not_calls() -> None:
    others = [Load(NOW, 4_950, calls=20)]

    slots = reserve(NOW, [50, 1], app=Pace(), org=Pace(), app_load=[], org_load=others)

    assert [round(slot - NOW, 3) for slot in slots] == [0.0, 60.05]


def test_what_already_overfills_a_window_delays_and_does_not_break() -> None:
    pace = Pace(people_per_minute=10, calls_per_second=5)

    assert free([10], pace, [Load(NOW - 1, 500), Load(NOW + 5, 500)]) == [65.05]


def test_a_batch_larger_than_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="101 never fits into a window of 100"):
        reserve(NOW, [101], app=Pace(100), org=Pace(), app_load=[], org_load=[])


def test_no_batches_need_no_slots() -> None:
    assert free([], Pace()) == []


def test_runs_that_share_a_lane_fit_into_the_same_windows() -> None:
    org = Window(100, PEOPLE_SPAN)
    one = Lane(Window(20, CALL_SPAN), (Window(100, PEOPLE_SPAN), org))
    other = Lane(Window(20, CALL_SPAN), (Window(100, PEOPLE_SPAN), org))

    one.add(NOW, 60)

    assert other.earliest(NOW, 40) == NOW
    assert other.earliest(NOW, 41) == NOW + PEOPLE_SPAN


@contextmanager
def untraced() -> Iterator[None]:
    """Measure the code, not the measuring of its coverage."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.mark.parametrize(
    ("sizes", "busy"),
    [
        ([100] * 1_000, []),
        ([1] * 10_000, []),
        ([1] * 10_000, [Load(NOW + n * 0.06, 1) for n in range(10_000)]),
        ([1] * 10_000, [Load(NOW - n * 0.0121, 1) for n in range(4_900)]),
    ],
    ids=["1,000 of 100", "10,000 of 1", "among later promises", "after many calls"],
)
def test_a_large_run_is_reserved_in_well_under_a_second(sizes: list[int], busy: list[Load]) -> None:
    with untraced():
        began = time.process_time()
        reserve(NOW, sizes, app=Pace(), org=Pace(), app_load=busy[::2], org_load=busy)
        took = time.process_time() - began

    assert took < 1.0
