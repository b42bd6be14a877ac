"""Receipts: the best news holds, a duplicate is judged by all other calls, a poll by a table."""

from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.lifecycle import Delivery
from dingbell.domain.receipts import (
    DUPLICATE,
    PATIENCE,
    RESULT_WINDOW,
    Finding,
    Judgement,
    Polled,
    attribute,
    judge,
    merge,
)

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


NOW = datetime(2026, 8, 5, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SENT_AT = NOW - timedelta(minutes=1)
PLAN = [SENT_AT + SECOND, NOW + timedelta(hours=2), NOW + timedelta(hours=1), NOW]
NEXT = NOW + timedelta(hours=1)
UNREAD, READ = Finding(D.UNREAD), Finding(D.READ)
NO_RECEIPT = Finding(D.UNKNOWN, "no_receipt")


def polled(**changed: object) -> Polled:
    values: dict[str, object] = {"settled": False, "polls": 1, "sent_at": SENT_AT}
    return Polled(**(values | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "people", "expected"),
    [
        # Nothing yet: again on a widening interval.
        (polled(), {"a": "sent"}, Judgement({}, False, NOW + SECOND)),
        (polled(polls=4), {"a": "sent"}, Judgement({}, False, NOW + 4 * SECOND)),
        (polled(polls=99), {"a": "sent"}, Judgement({}, False, NOW + 900 * SECOND)),
        # Refused for its pace: not before DingTalk allows it.
        (polled(not_before=NEXT), {"a": "sent"}, Judgement({}, False, NEXT)),
        # Everybody is named.
        (
            polled(done=True, findings={"a": UNREAD}),
            {"a": "sent"},
            Judgement({"a": UNREAD}, True, NEXT),
        ),
        (
            polled(done=True, findings={"a": READ}),
            {"a": "sent"},
            Judgement({"a": READ}, True, None),
        ),
        # One is not named, and may still be.
        (
            polled(done=True, findings={"a": READ}),
            {"a": "sent", "b": "sent"},
            Judgement({"a": READ}, False, NOW + SECOND),
        ),
        # Patience is over, or the day for which DingTalk answers.
        (
            polled(done=True, polls=PATIENCE, findings={"a": READ}),
            {"a": "sent", "b": "sent"},
            Judgement({"a": READ, "b": NO_RECEIPT}, True, NEXT),
        ),
        (
            polled(polls=PATIENCE),
            {"a": "sent"},
            Judgement({}, False, NOW + 8 * SECOND),
        ),
        (
            polled(sent_at=NOW - RESULT_WINDOW - SECOND),
            {"a": "sent"},
            Judgement({"a": NO_RECEIPT}, True, NEXT),
        ),
        (
            polled(sent_at=NOW - RESULT_WINDOW),
            {"a": "sent"},
            Judgement({}, False, NOW + SECOND),
        ),
        # Who is sent to by another batch, or has been accounted for, is not waited for.
        (polled(done=True), {"a": "planned"}, Judgement({}, True, None)),
        (polled(done=True), {"a": "recalled", "b": "unread"}, Judgement({}, True, NEXT)),
        # A duplicate that only an in-doubt call can have delivered: named, though still `sent`.
        (
            polled(done=True, findings={"a": Finding(D.SENT, DUPLICATE)}),
            {"a": "sent"},
            Judgement({"a": Finding(D.SENT, DUPLICATE)}, True, None),
        ),
        # Settled: only what is new is written, by the plan while somebody may still read.
        (
            polled(settled=True, findings={"a": UNREAD, "b": READ}),
            {"a": "unread", "b": "unread"},
            Judgement({"b": READ}, False, NEXT),
        ),
        (
            polled(settled=True, findings={"a": READ}),
            {"a": "unread", "b": "dropped"},
            Judgement({"a": READ}, False, None),
        ),
        (
            polled(settled=True, not_before=NEXT + SECOND),
            {"a": "unread"},
            Judgement({}, False, NEXT + SECOND),
        ),
        (
            polled(settled=True, not_before=NOW + SECOND),
            {"a": "unread"},
            Judgement({}, False, NEXT),
        ),
        (
            polled(settled=True, sent_at=NOW - RESULT_WINDOW - SECOND, polls=PATIENCE, done=True),
            {"a": "sent", "b": "unread"},
            Judgement({}, False, NEXT),
        ),
        # Departments as a whole: nobody is named, and nothing more is to be found out.
        (polled(coarse=True), {"*": "untracked"}, Judgement({}, False, NOW + SECOND)),
        (polled(coarse=True, done=True), {"*": "untracked"}, Judgement({}, True, None)),
        (
            polled(coarse=True, sent_at=NOW - RESULT_WINDOW - SECOND),
            {"*": "untracked"},
            Judgement({}, True, None),
        ),
    ],
)
def test_a_poll_is_judged_by_a_table(
    found: Polled, people: dict[str, str], expected: Judgement
) -> None:
    assert judge(found, people, PLAN, NOW) == expected


@pytest.mark.parametrize("settled", [False, True], ids=["accepted", "settled"])
@pytest.mark.parametrize("done", [False, True], ids=["under way", "done"])
@pytest.mark.parametrize("age", [timedelta(minutes=1), RESULT_WINDOW + SECOND], ids=str)
def test_no_poll_leaves_a_batch_that_nobody_comes_back_to(
    age: timedelta, done: bool, settled: bool
) -> None:
    for polls, state in product(range(1, 12), [state.value for state in D]):
        found = polled(settled=settled, polls=polls, sent_at=NOW - age, done=done)
        judgement = judge(found, {"a": state}, PLAN, NOW)

        if not settled and not judgement.settles:
            assert judgement.next_at is not None
        if judgement.next_at is not None:
            assert judgement.next_at > NOW


people = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([s.value for s in D]), min_size=1)


@given(people, st.data(), st.booleans(), st.integers(1, 12))
def test_once_it_is_done_patience_ends_and_everybody_is_accounted_for(
    people: dict[str, str], data: st.DataObject, settled: bool, polls: int
) -> None:
    named = data.draw(st.dictionaries(st.sampled_from(sorted(people)), findings))
    found = polled(settled=settled, polls=polls, done=True, findings=named)
    judgement = judge(found, people, [], NOW)

    assert judgement.receipts.keys() <= people.keys()
    for userid, finding in judgement.receipts.items():
        assert finding in (named.get(userid), NO_RECEIPT)
        assert people[userid] != finding.state
    if settled:
        assert judgement.receipts.keys() <= named.keys()
        assert not judgement.settles
    elif polls >= PATIENCE:
        after = people | {userid: one.state.value for userid, one in judgement.receipts.items()}
        assert judgement.settles
        assert all(userid in named for userid, state in after.items() if state == D.SENT)


@given(people, st.data())
def test_what_has_been_written_is_not_written_again(
    people: dict[str, str], data: st.DataObject
) -> None:
    named = data.draw(st.dictionaries(st.sampled_from(sorted(people)), findings))
    first = judge(polled(done=True, findings=named), people, PLAN, NOW)
    after = people | {userid: one.state.value for userid, one in first.receipts.items()}
    again = judge(polled(done=True, findings=named, settled=first.settles), after, PLAN, NOW)

    assert again.receipts == {}
    assert again.next_at == first.next_at
