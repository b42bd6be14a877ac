"""Receipts: the best news holds, and a duplicate is judged by all other calls."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.lifecycle import Delivery
from dingbell.domain.receipts import DUPLICATE, Finding, attribute, merge

D = Delivery
BEST_FIRST = [D.READ, D.UNREAD, D.FAILED, D.INVALID, D.DROPPED]

findings = st.sampled_from(BEST_FIRST).map(Finding)
results = st.lists(st.dictionaries(st.sampled_from("abcd"), findings), max_size=4)


@given(results)
def test_everybody_of_every_result_has_the_best_finding(found: list[dict[str, Finding]]) -> None:
    merged = merge(found)

    assert merged.keys() == set().union(*found)
    for userid, finding in merged.items():
        said = [result[userid].state for result in found if userid in result]
        assert finding.state == min(said, key=BEST_FIRST.index)


@given(results)
def test_the_order_of_the_tasks_does_not_matter(found: list[dict[str, Finding]]) -> None:
    assert len({tuple(sorted(merge(order).items())) for order in _orders(found)}) == 1


def _orders(found: list[dict[str, Finding]]) -> list[list[dict[str, Finding]]]:
    return [list(order) for order in permutations(found)]


def test_delivered_by_one_call_and_dropped_as_its_duplicate_is_delivered() -> None:
    first, resent = {"u": Finding(D.UNREAD)}, {"u": Finding(D.DROPPED, DUPLICATE)}

    assert merge([first, resent]) == merge([resent, first]) == first


@pytest.mark.parametrize("elsewhere", [set(), {"read"}, {"unknown"}, {"dropped", "sent"}])
def test_where_no_call_was_lost_a_duplicate_is_dropped(elsewhere: set[str]) -> None:
    assert attribute(elsewhere, lost=False) == Finding(D.DROPPED, DUPLICATE)


@pytest.mark.parametrize(
    ("elsewhere", "state"),
    [
        (set(), D.SENT),
        ({"dropped"}, D.SENT),
        ({"failed", "invalid", "canceled"}, D.SENT),
        ({"read"}, D.DROPPED),
        ({"unread"}, D.DROPPED),
        ({"unread", "unknown", "sent"}, D.DROPPED),
        ({"sent"}, D.UNKNOWN),
        ({"unknown"}, D.UNKNOWN),
        ({"unknown", "dropped"}, D.UNKNOWN),
        ({"planned"}, D.UNKNOWN),
        ({"recalled"}, D.UNKNOWN),
        ({"untracked"}, D.UNKNOWN),
    ],
)
def test_a_lost_call_delivered_only_if_no_other_can_have(
    elsewhere: set[str], state: Delivery
) -> None:
    assert attribute(elsewhere, lost=True) == Finding(state, DUPLICATE)


@given(st.sets(st.sampled_from([state.value for state in D])))
def test_every_state_elsewhere_has_an_answer(elsewhere: set[str]) -> None:
    assert attribute(elsewhere, lost=True).state in {D.SENT, D.DROPPED, D.UNKNOWN}
