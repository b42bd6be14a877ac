"""Misfire: what is late is judged by its policy, and a long outage is no long computation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.misfire import LATE, Misfire, Verdict, judge, review, too_late
from dingbell.domain.triggers import Cron, Daily, Every, Once, Trigger

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
HOURLY = Every(timedelta(hours=1), datetime(2026, 1, 1, tzinfo=UTC))
SECOND = timedelta(seconds=1)

occurrences = st.lists(
    st.integers(-7_200, 120).map(lambda seconds: NOW + seconds * SECOND), unique=True, max_size=12
).map(sorted)
policies = st.builds(
    Misfire,
    grace=st.timedeltas(timedelta(0), timedelta(hours=2)),
    catch_up=st.sampled_from(["latest", "all", "none"]),
)


def minutes_ago(*minutes: float) -> list[datetime]:
    return [NOW - timedelta(minutes=ago) for ago in minutes]


@given(occurrences, policies)
def test_every_occurrence_gets_one_verdict_in_order(due: list[datetime], policy: Misfire) -> None:
    assert [verdict.due for verdict in judge(due, NOW, policy)] == due


@given(occurrences, policies)
def test_what_is_on_time_or_ahead_is_always_sent(due: list[datetime], policy: Misfire) -> None:
    for verdict in judge(due, NOW, policy):
        if NOW - verdict.due <= LATE:
            assert verdict.skip is None


@given(occurrences, policies)
def test_nothing_is_sent_later_than_its_grace(due: list[datetime], policy: Misfire) -> None:
    for verdict in judge(due, NOW, policy):
        if NOW - verdict.due > max(policy.grace, LATE):
            assert verdict.skip == "misfire_grace"


@given(occurrences, policies)
def test_of_what_was_missed_at_most_the_latest_is_sent_unless_all_is_wanted(
    due: list[datetime], policy: Misfire
) -> None:
    sent = [
        verdict.due
        for verdict in judge(due, NOW, policy)
        if verdict.skip is None and NOW - verdict.due > LATE
    ]
    within_grace = [one for one in due if LATE < NOW - one <= policy.grace]
    if policy.catch_up == "all":
        assert sent == within_grace
    elif policy.catch_up == "none":
        assert sent == []
    else:
        assert sent in ([], within_grace[-1:])


@pytest.mark.parametrize(
    ("catch_up", "skipped"),
    [
        (
            "latest",
            [
                "misfire_grace",
                "misfire_latest",
                None,
            ],
        ),
        ("all", ["misfire_grace", None, None]),
        (
            "none",
            ["misfire_grace", "misfire_catch_up", "misfire_catch_up"],
        ),
    ],
)
def test_the_reason_of_a_skip_is_named(
    catch_up: Literal["latest", "all", "none"], skipped: list[str | None]
) -> None:
    verdicts = judge(minutes_ago(60, 20, 10), NOW, Misfire(catch_up=catch_up))

    assert [verdict.skip for verdict in verdicts] == skipped


def test_the_one_to_be_prepared_does_not_make_the_last_missed_one_superfluous() -> None:
    verdicts = judge([*minutes_ago(10), NOW + timedelta(seconds=30)], NOW, Misfire())

    assert [verdict.skip for verdict in verdicts] == [None, None]


def test_a_missed_one_is_superfluous_where_the_next_has_just_come() -> None:
    verdicts = judge([*minutes_ago(10), NOW], NOW, Misfire())

    assert [verdict.skip for verdict in verdicts] == ["misfire_latest", None]


def test_lateness_is_counted_to_the_end_of_the_grace() -> None:
    grace = timedelta(minutes=30)

    assert not too_late(NOW - grace, NOW, grace)
    assert too_late(NOW - grace - timedelta(microseconds=1), NOW, grace)
    assert not too_late(NOW - LATE, NOW, timedelta(0))


def test_the_default_is_the_latest_within_half_an_hour() -> None:
    assert Misfire() == Misfire(grace=timedelta(minutes=30), catch_up="latest")


def looked_at(
    trigger: Trigger,
    first: datetime,
    *,
    ahead: timedelta = timedelta(seconds=60),
    policy: Misfire | None = None,
) -> tuple[list[Verdict], datetime | None]:
    found = review(trigger, first, now=NOW, until=NOW + ahead, policy=policy or Misfire())
    return found.verdicts, found.following


@given(
    st.integers(60, 7_200),
    st.integers(0, 40_000),
    policies,
    st.timedeltas(timedelta(0), timedelta(hours=3)),
)
def test_a_short_outage_is_judged_one_by_one(
    interval: int, outage: int, policy: Misfire, ahead: timedelta
) -> None:
    trigger = Every(interval * SECOND, NOW - outage * SECOND)
    due = [trigger.anchor]
    while due[-1] + trigger.interval <= NOW + ahead:
        due.append(due[-1] + trigger.interval)
    expected = judge(due, NOW, policy)

    verdicts, following = looked_at(trigger, due[0], ahead=ahead, policy=policy)

    assert following == due[-1] + trigger.interval
    assert sum(verdict.occurrences for verdict in verdicts) == len(due)
    assert [one for one in verdicts if not one.skip] == [one for one in expected if not one.skip]
    skipped = [one for one in expected if one.skip]
    assert [one for one in verdicts if one.skip][-50:] == skipped[-50:]


def test_older_skipped_ones_share_a_verdict_for_each_reason() -> None:
    trigger = Every(timedelta(seconds=15), NOW - timedelta(hours=1))

    verdicts, following = looked_at(trigger, trigger.anchor, ahead=timedelta(0))

    shared = [verdict for verdict in verdicts if verdict.occurrences > 1]
    assert [(one.skip, one.occurrences) for one in shared] == [
        ("misfire_grace", 120),
        ("misfire_latest", 70),
    ]
    assert shared[0].due == NOW - timedelta(minutes=30, seconds=15)
    assert len(verdicts) == 2 + 50 + 1
    assert verdicts[-1] == Verdict(NOW)
    assert following == NOW + timedelta(seconds=15)
    assert verdicts == sorted(verdicts, key=lambda verdict: verdict.due)


def test_with_catch_up_all_whatever_is_within_the_grace_is_sent() -> None:
    trigger = Every(timedelta(seconds=15), NOW - timedelta(hours=1))

    verdicts, _ = looked_at(trigger, trigger.anchor, policy=Misfire(catch_up="all"))

    assert sum(verdict.skip is None for verdict in verdicts) == 120 + 1 + 4


@dataclass
class Counted:
    """A trigger that counts how many occurrences it was asked for."""

    trigger: Trigger
    occurrences: int = 0

    def after(self, instant: datetime) -> Iterator[datetime]:
        for occurrence in self.trigger.after(instant):
            self.occurrences += 1
            yield occurrence

    def next_after(self, instant: datetime) -> datetime | None:
        return next(self.after(instant), None)

    def to_dict(self) -> dict[str, Any]:
        return self.trigger.to_dict()


@pytest.mark.parametrize(
    "trigger",
    [
        Every(SECOND, datetime(2020, 1, 1, tzinfo=UTC)),
        Cron("* * * * * *", SHANGHAI),
        Cron("* 0-59 16 * * *", SHANGHAI),
        Cron("* * * * *", SHANGHAI),
    ],
    ids=str,
)
def test_a_month_of_outage_takes_no_seconds_to_judge(trigger: Trigger) -> None:
    first = trigger.next_after(NOW - timedelta(days=30))
    assert first is not None

    counted = Counted(trigger)

    verdicts, following = looked_at(counted, first)

    # The outage has 2,592,000 seconds.
    assert counted.occurrences < 50_000
    assert len(verdicts) <= 2 * 50 + 62
    assert verdicts[0].skip == "misfire_grace"
    assert verdicts[0].occurrences >= 5_000
    last = max(verdict.due for verdict in verdicts)
    assert following == trigger.next_after(last)
    assert following is not None
    assert following > NOW + timedelta(seconds=60)


def test_too_many_to_be_caught_up_are_skipped_with_the_reason() -> None:
    trigger = Every(SECOND, NOW - timedelta(hours=6))
    policy = Misfire(grace=timedelta(days=1), catch_up="all")

    verdicts, _ = looked_at(trigger, trigger.anchor, ahead=timedelta(0), policy=policy)

    assert verdicts[0].skip == "misfire_many"
    assert verdicts[0].occurrences == 5_000
    assert len(verdicts) == 5_001
    assert verdicts[-1] == Verdict(NOW)


def test_what_lies_far_ahead_is_taken_in_portions_and_never_skipped() -> None:
    trigger = Every(SECOND, NOW)

    verdicts, following = looked_at(trigger, NOW, ahead=timedelta(days=1))

    assert all(verdict.skip is None for verdict in verdicts)
    assert following == verdicts[-1].due + SECOND
    assert len(verdicts) == 5_001


def test_an_occurrence_ahead_is_prepared_and_one_further_ahead_awaited() -> None:
    assert looked_at(HOURLY, NOW + SECOND) == ([Verdict(NOW + SECOND)], NOW + timedelta(hours=1))
    assert looked_at(HOURLY, NOW + timedelta(hours=1)) == ([], NOW + timedelta(hours=1))


def test_a_single_instant_has_nothing_after_it() -> None:
    assert looked_at(Once(NOW), NOW) == ([Verdict(NOW)], None)


def test_days_of_outage_of_a_daily_notice_are_all_accounted_for() -> None:
    daily = Daily(("15:50",), SHANGHAI)
    first = daily.next_after(NOW - timedelta(days=7))
    assert first is not None

    verdicts, _ = looked_at(daily, first)

    assert [verdict.skip for verdict in verdicts] == ["misfire_grace"] * 6 + [None]
