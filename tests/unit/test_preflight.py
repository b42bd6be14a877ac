"""What is expected of a person, and whether it came true."""

from __future__ import annotations

import pytest

from dingbell.domain.budget import Usage
from dingbell.domain.forecast import Forecast, Reason, came_true, prediction, totals
from dingbell.domain.lifecycle import Delivery


def test_every_reason_has_its_words_in_both_languages() -> None:
    for reason in Reason:
        found = prediction(reason)
        assert found.expected in {state.value for state in Delivery}
        assert found.reason
        assert found.reason.zh != str(found.reason)


@pytest.mark.parametrize("state", ["sent", "unread", "read"])
def test_who_was_to_be_delivered_to_and_has_it_is_no_surprise(state: str) -> None:
    assert came_true(None, state) is True
    assert came_true(Reason.REPEAT, state) is False


@pytest.mark.parametrize("state", ["planned", "unknown", "recalled"])
def test_what_nobody_can_know_is_neither(state: str) -> None:
    assert came_true(None, state) is None


def test_what_was_foreseen_came_true_only_in_its_own_state() -> None:
    assert came_true(Reason.LEFT, "invalid") is True
    assert came_true(Reason.LEFT, "dropped") is False
    assert came_true(None, "dropped") is False
    assert came_true(Reason.UNTRACKED, "untracked") is True


def test_totals_add_up_to_everybody() -> None:
    found = totals([Reason.LEFT, Reason.REPEAT, Reason.DAILY_CAP], 10)
    assert found == {"delivered": 7, "dropped": 2, "invalid": 1}
    assert totals([], 0) == {}


def test_an_outlook_costs_its_calls_and_its_looks() -> None:
    found = Forecast(3, 30, 0.0, ("a", "b"), {"a": Reason.LEFT}, Usage(0, None))
    assert found.cost == 33
    assert not found.spotless
    assert Forecast(3, 30, 0.0, ("a",), {"a": Reason.UNTRACKED}, Usage(0, None)).spotless
