"""Counting people as bits: the same as counting them one by one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.simulation import Crowd, Tally

PEOPLE = 12
SETS = st.lists(st.integers(0, 2**PEOPLE - 1), max_size=40)


def counted(sets: list[int]) -> Counter[int]:
    return Counter(place for one in sets for place in range(PEOPLE) if one >> place & 1)


def tally(sets: list[int]) -> Tally:
    made = Tally()
    for one in sets:
        made.add(one)
    return made


@given(SETS, st.integers(1, 50))
def test_a_tally_counts_like_a_counter(sets: list[int], least: int) -> None:
    expected = counted(sets)
    made = tally(sets)
    assert made.counts(PEOPLE) == [expected[place] for place in range(PEOPLE)]
    assert [made.of(place) for place in range(PEOPLE)] == made.counts(PEOPLE)
    assert made.at_least(least) == sum(1 << p for p, n in expected.items() if n >= least)


@given(SETS, SETS)
def test_tallies_are_added_and_compared_person_by_person(one: list[int], other: list[int]) -> None:
    first, second = counted(one), counted(other)
    joined, larger = tally(one).joined(tally(other)), tally(one).larger(tally(other))
    assert joined.counts(PEOPLE) == [first[p] + second[p] for p in range(PEOPLE)]
    assert larger.counts(PEOPLE) == [max(first[p], second[p]) for p in range(PEOPLE)]


def test_everybody_has_a_bit_by_org_and_userid() -> None:
    crowd = Crowd()
    one = crowd.bits("a", ["x", "y"])
    assert crowd.bits("a", ["y", "x"]) == one
    assert crowd.bits("b", ["x"]) & one == 0
    assert crowd.userids("a", crowd.bits("a", ["y"]) | crowd.bits("b", ["x"])) == ["y"]
    assert crowd.members() == [("a", "x"), ("a", "y"), ("b", "x")]
