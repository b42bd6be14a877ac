"""After a call: every end of it, for every kind of batch, has the one answer of a plain table."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.after_call import (
    MOST_ATTEMPTS,
    MOST_LOST,
    POLL_AFTER,
    Accept,
    Called,
    Decision,
    GiveUp,
    InDoubt,
    Known,
    Next,
    SendLater,
    Verdict,
    after_call,
    after_loss,
    arrives_that_day,
)
from dingbell.domain.lifecycle import Batch
from dingbell.domain.priority import Rank

MIDNIGHT = datetime(2026, 8, 5, 16, tzinfo=UTC)  # in Beijing
ARRIVES = timedelta(seconds=10)
AFTER = timedelta(seconds=7)
# How long before midnight the call was made and its end is dealt with. A second later the batch
# would be sent again; with 10 s of travel and 30 s of margin, 41 s are too short and 42 s are not.
BEFORE_MIDNIGHT = [timedelta(hours=9), timedelta(seconds=42), timedelta(seconds=41), timedelta(0)]


def called(**changed: object) -> Called:
    at = MIDNIGHT - timedelta(hours=9)
    values: dict[str, object] = {
        "id": 1,
        "run_id": 2,
        "attempt": 1,
        "sent_at": at,
        "coarse": False,
        "on_ambiguous": "resend",
        "rank": Rank.NORMAL,
    }
    return Called(**(values | changed))  # type: ignore[arg-type]


def verdict(following: Next, at: datetime) -> Verdict:
    outcome = {Next.ACCEPTED: "accepted", Next.IN_DOUBT: "in_doubt"}.get(following, "refused")
    return Verdict(following, outcome, at, after=AFTER)


def decide(batch: Called, ended: Verdict, known: Known, now: datetime) -> Decision:
    return after_call(batch, ended, known, now, arrives_within=ARRIVES)


@pytest.mark.parametrize("lost_before", [False, True], ids=["surely not sent", "lost before"])
@pytest.mark.parametrize("on_its_way", [True, False], ids=["on its way", "canceled"])
@pytest.mark.parametrize("attempt", [1, MOST_ATTEMPTS - 1, MOST_ATTEMPTS, MOST_ATTEMPTS + 1])
@pytest.mark.parametrize("following", [Next.ACCEPTED, Next.LATER, Next.FAILED])
def test_what_is_certain_depends_on_attempts_cancellation_and_earlier_doubt_alone(
    following: Next, attempt: int, on_its_way: bool, lost_before: bool
) -> None:
    end = Batch.FAILED
    if following is Next.LATER and attempt < MOST_ATTEMPTS and not on_its_way:
        end = Batch.CANCELED
    for left, coarse, manner in product(BEFORE_MIDNIGHT, [False, True], ["resend", "hold"]):
        now = MIDNIGHT - left
        batch = called(
            attempt=attempt,
            sent_at=now,
            coarse=coarse,
            on_ambiguous=manner,
            in_doubt_since=now - timedelta(minutes=1) if lost_before else None,
        )
        expected: Decision = GiveUp(Batch.UNKNOWN if lost_before else end)
        if following is Next.ACCEPTED:
            expected = Accept(now + POLL_AFTER)
        elif following is Next.LATER and attempt < MOST_ATTEMPTS and on_its_way:
            expected = SendLater(now + AFTER)

        assert decide(batch, verdict(following, now), Known(0, on_its_way), now) == expected


@pytest.mark.parametrize("times_in_doubt", range(1, MOST_LOST + 3))
@pytest.mark.parametrize("manner", ["resend", "hold"])
@pytest.mark.parametrize("coarse", [False, True], ids=["people", "coarse"])
@pytest.mark.parametrize("on_its_way", [True, False], ids=["on its way", "canceled"])
@pytest.mark.parametrize("left", BEFORE_MIDNIGHT, ids=str)
def test_a_lost_call_is_made_again_only_where_nothing_speaks_against_it(
    left: timedelta, on_its_way: bool, coarse: bool, manner: str, times_in_doubt: int
) -> None:
    now = MIDNIGHT - left
    batch = called(sent_at=now - timedelta(milliseconds=1), coarse=coarse, on_ambiguous=manner)
    decision = decide(batch, verdict(Next.IN_DOUBT, now), Known(times_in_doubt, on_its_way), now)

    wait = [1, 2, 4, 8, 15, 30, 60, 120, None, None][times_in_doubt - 1]
    if wait is None or manner == "hold" or coarse or not on_its_way:
        assert decision == GiveUp(Batch.UNKNOWN)
    elif left > timedelta(seconds=wait + 40):
        assert decision == InDoubt(now + timedelta(seconds=wait))
    else:
        assert decision == GiveUp(Batch.UNKNOWN)


def test_the_day_of_the_call_counts_not_that_on_which_its_loss_is_noticed() -> None:
    yesterday = called(sent_at=MIDNIGHT - timedelta(seconds=1))

    for noticed in (MIDNIGHT, MIDNIGHT + timedelta(hours=12)):
        found = after_loss(yesterday, Known(1), noticed, arrives_within=ARRIVES)
        assert found == GiveUp(Batch.UNKNOWN)


@pytest.mark.parametrize("following", [Next.LATER, Next.FAILED])
def test_an_earlier_loss_leaves_a_doubt_whichever_table_knows_of_it(following: Next) -> None:
    now = MIDNIGHT - timedelta(hours=9)
    for batch, known in (
        (called(in_doubt_since=now), Known(0, on_its_way=False)),
        (called(), Known(1, on_its_way=False)),
    ):
        assert decide(batch, verdict(following, now), known, now) == GiveUp(Batch.UNKNOWN)


def test_a_call_that_is_made_again_without_end_is_given_up() -> None:
    now = MIDNIGHT - timedelta(hours=9)
    batch = called(attempt=MOST_ATTEMPTS)

    assert decide(batch, verdict(Next.LATER, now), Known(), now) == GiveUp(Batch.FAILED)
    # However often it was put off before, a lost one counts its losses alone.
    assert decide(batch, verdict(Next.IN_DOUBT, now), Known(1), now) == InDoubt(
        now + timedelta(seconds=1)
    )


@given(
    st.integers(0, 172_800),
    st.integers(0, 86_400),
    st.booleans(),
    st.sampled_from(["resend", "hold"]),
    st.integers(1, MOST_LOST + 2),
)
def test_whatever_is_sent_again_in_doubt_arrives_on_the_day_of_its_first_call(
    sent: int, noticed: int, coarse: bool, manner: str, times_in_doubt: int
) -> None:
    sent_at = MIDNIGHT - timedelta(days=1) + timedelta(seconds=sent)
    now = sent_at + timedelta(seconds=noticed)
    batch = called(sent_at=sent_at, coarse=coarse, on_ambiguous=manner)
    decision = after_loss(batch, Known(times_in_doubt), now, arrives_within=ARRIVES)

    if isinstance(decision, InDoubt):
        assert decision.slot_at > now
        assert (decision.slot_at + ARRIVES).astimezone(UTC) < MIDNIGHT + timedelta(
            days=(sent_at - MIDNIGHT) // timedelta(days=1) + 1
        )
        assert arrives_that_day(decision.slot_at, sent_at, arrives_within=ARRIVES)
    else:
        assert decision == GiveUp(Batch.UNKNOWN)
