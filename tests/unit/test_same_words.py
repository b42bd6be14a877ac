"""Schedules that say the same words on one day are told of each other, however many they are."""

from __future__ import annotations

from datetime import UTC, datetime

from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations.repeats import same_words

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def spec(words: str, when: str = "16:00", **to: object) -> ScheduleSpec:
    return ScheduleSpec.model_validate(
        {"when": {"daily": when}, "to": to or {"departments": [1]}, "message": {"text": words}}
    )


def test_the_same_words_of_one_app_on_one_day_are_told_to_both():
    found = same_words(
        {
            "a": (1, spec("x")),
            "b": (1, spec("x", "18:00")),
            "of another app": (2, spec("x")),
            "other words": (1, spec("y")),
            "dated": (1, spec("{{ due }}")),
        },
        NOW,
    )
    assert {name: len(told) for name, told in found.items()} == {"a": 1, "b": 1}
    assert "'b' on 2026-11-25" in found["a"][0]


def test_people_who_are_in_one_of_them_only_get_both():
    apart = {"a": (1, spec("x", users=["u1"])), "b": (1, spec("x", users=["u2"]))}
    assert same_words(apart, NOW) == {}
    shared = {"a": (1, spec("x", users=["u1", "u2"])), "b": (1, spec("x", users=["u2"]))}
    assert same_words(shared, NOW).keys() == {"a", "b"}


def test_of_very_many_a_few_are_named():
    many = {f"s{number}": (1, spec("x")) for number in range(200)}
    found = same_words(many, NOW)
    assert 0 < len(found) <= 50
    assert {len(told) for told in found.values()} == {3}
