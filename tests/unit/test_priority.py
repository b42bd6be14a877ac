"""Priority and rank."""

from __future__ import annotations

import pytest

from dingbell.domain.priority import Rank, rank, without_reserve
from dingbell.domain.slots import Pace


@pytest.mark.parametrize(
    ("priority", "people", "expected"),
    [
        ("urgent", 1, Rank.URGENT),
        ("urgent", 100_000, Rank.URGENT),
        ("normal", 5_000, Rank.NORMAL),
        ("normal", 5_001, Rank.LARGE),
        ("bulk", 1, Rank.BULK),
    ],
)
def test_what_fits_into_one_window_passes_what_does_not(
    priority: str, people: int, expected: Rank
) -> None:
    assert rank(priority, people, 5_000) is expected


def test_bulk_leaves_others_a_reserve() -> None:
    assert without_reserve(Pace(5_000, 20)) == Pace(4_750, 19)


def test_the_slowest_pace_still_lets_bulk_go() -> None:
    assert without_reserve(Pace(1, 1)) == Pace(1, 1)
    assert without_reserve(Pace(10, 2)) == Pace(10, 1)
