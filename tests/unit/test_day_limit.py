"""Limits of notices a day: three scopes, and the narrowest says what becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from dingbell.domain.day_limit import NONE, UNLIMITED, DayLimit, Limits


def limit(most: int | None = None, over: Any = None) -> DayLimit:
    return DayLimit(per_person_per_day=most, over_limit=over)


@pytest.mark.parametrize(
    ("everywhere", "app", "own", "then"),
    [
        (None, NONE, NONE, "hold"),
        (limit(over="skip"), NONE, NONE, "skip"),
        (limit(over="skip"), limit(over="hold"), NONE, "hold"),
        (limit(over="hold"), limit(over="hold"), limit(over="skip"), "skip"),
    ],
)
def test_the_narrowest_scope_says_what_becomes_of_who_is_over(
    everywhere: DayLimit | None, app: DayLimit, own: DayLimit, then: str
) -> None:
    assert Limits.of(everywhere, app, own).then == then


def test_each_scope_counts_its_own_and_any_suffices() -> None:
    limits = Limits.of(limit(5), limit(3), limit(1))
    assert not limits.reached(4, 2, 0)
    assert limits.reached(5, 0, 0)
    assert limits.reached(0, 3, 0)
    assert limits.reached(0, 0, 1)
    assert not Limits.of(None, limit(3), NONE).reached(100, 2, 100)


def test_nothing_is_limited_unless_something_says_so() -> None:
    assert not UNLIMITED
    assert not Limits.of(limit(over="skip"), NONE, NONE)
    assert Limits.of(None, NONE, limit(1))
