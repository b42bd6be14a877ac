"""A year ahead: what becomes of every occurrence, by the gates, the limits and DingTalk's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.clock import SHANGHAI
from dingbell.domain.budget import Usage
from dingbell.domain.day_limit import UNLIMITED, Limits
from dingbell.domain.gates import Rules
from dingbell.domain.quiet import QuietHours
from dingbell.domain.run import Occurrence
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.simulation import Crowd, Expected, Simulated, Subject, Words, World, simulate
from dingbell.domain.slots import Pace
from dingbell.errors import InputError, Text

DAY = date(2026, 12, 1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=SHANGHAI)
NIGHT = Rules(QuietHours.model_validate({"from": "22:00", "to": "07:00"}))


class Company:
    """A few people, and schedules for them."""

    def __init__(self, people: int = 300) -> None:
        self.crowd = Crowd()
        self.everybody = self.crowd.bits("org", [f"u{number:05}" for number in range(people)])
        self.subjects: list[Subject] = []

    def first(self, count: int) -> int:
        return (1 << count) - 1

    def schedule(
        self,
        when: dict[str, Any],
        who: int | None = None,
        *,
        name: str | None = None,
        words: bytes | None = None,
        **options: Any,
    ) -> None:
        kept = {key: options.pop(key) for key in Subject.__slots__ if key in options}
        spec = ScheduleSpec.model_validate(
            {"when": when, "to": {"users": ["a"]}, "message": {"text": "x"}, **options}
        )
        people = self.everybody if who is None else who
        made = {
            "name": name or f"s{len(self.subjects)}",
            "app": "app",
            "org": "org",
            "spec": Occurrence.of(spec),
            "trigger": spec.trigger(),
            "people_on": lambda _: people,
            "words": Words(lambda _: words),
        }
        self.subjects.append(Subject(**{**made, **kept}))

    def simulated(self, last: date = DAY, **world: Any) -> Simulated:
        own = {key: world.pop(key) for key in ("begin", "most") if key in world}
        asked = {"begin": LONG_AGO, **own}
        return simulate(World(self.crowd, **world), self.subjects, DAY, last, **asked)


def told(found: Simulated) -> list[tuple[str, str, int, int]]:
    return [(o.schedule, o.outcome.value, o.reached, o.calls) for o in found.occurrences]


def only(found: Simulated) -> Expected:
    (one,) = found.occurrences
    return one


def test_every_occurrence_of_every_day_is_there_with_people_and_calls() -> None:
    company = Company(250)
    company.schedule({"daily": ["09:00", "16:00"]})
    found = company.simulated(DAY + timedelta(days=364))
    assert len(found.occurrences) == 730
    assert {(o.people, o.reached, o.calls) for o in found.occurrences} == {(250, 250, 3)}
    assert [(d.occurrences, d.people, d.calls) for d in found.days] == [(2, 500, 6)] * 365
    assert [(p.most_a_day, p.total, p.day) for p in found.people] == [(2, 730, DAY)] * 10


def test_what_is_past_of_today_is_not_looked_at() -> None:
    company = Company()
    company.schedule({"daily": ["09:00", "16:00"]})
    begin = datetime(2026, 12, 1, 12, tzinfo=SHANGHAI)
    assert only(company.simulated(begin=begin)).due_at.hour == 16


def test_the_same_words_on_one_day_are_dropped_for_whoever_had_them() -> None:
    company = Company(10)
    company.schedule({"daily": "09:00"}, company.first(4), words=b"same")
    company.schedule({"daily": "10:00"}, company.first(6), words=b"same")
    company.schedule({"daily": "11:00"}, company.first(3), words=b"same")
    company.schedule({"daily": "12:00"}, company.first(3), words=b"same", app="another")
    company.schedule({"daily": "13:00"}, company.first(3), words=b"other")
    found = company.simulated()
    assert [(o.outcome.value, o.reached, o.dropped) for o in found.occurrences] == [
        ("sent", 4, 0),
        ("sent", 2, 4),
        ("dropped", 0, 3),
        ("sent", 3, 0),
        ("sent", 3, 0),
    ]
    assert "143106" in str(found.occurrences[2].reason)


def test_quiet_hours_hold_until_they_end_and_catch_up_keeps_the_latest() -> None:
    company = Company(5)
    company.schedule({"daily": ["23:00", "23:30"]}, name="late")
    company.schedule(
        {"daily": "23:00"},
        name="skipped",
        quiet_hours={"from": "22:00", "to": "07:00", "then": "skip"},
    )
    company.schedule({"daily": "23:00"}, name="urgent", priority="urgent")
    found = company.simulated(DAY + timedelta(days=1), rules=NIGHT)
    first = [o for o in found.occurrences if o.due_at.date() == DAY]
    assert {(o.schedule, f"{o.due_at:%H:%M}"): o.outcome.value for o in first} == {
        ("late", "23:00"): "skipped",
        ("late", "23:30"): "held",
        ("skipped", "23:00"): "skipped",
        ("urgent", "23:00"): "sent",
    }
    held = next(o for o in first if o.outcome.value == "held")
    assert f"{held.sent_at:%m-%d %H:%M}" == "12-02 07:00"
    # It counts on the day on which it arrives.
    assert [day.people for day in found.days] == [5, 10]


def test_what_is_held_longer_than_it_is_of_use_is_skipped() -> None:
    company = Company(5)
    company.schedule({"daily": "23:00"}, expires_after="2h")
    one = only(company.simulated(rules=NIGHT))
    assert (one.outcome.value, one.calls) == ("skipped", 0)
    assert "grace" in str(one.reason)


def test_nobody_is_skipped_and_what_does_not_work_failed() -> None:
    company = Company(5)
    company.schedule({"daily": "09:00"}, 0)
    company.schedule({"daily": "10:00"}, fault=Text("broken", "坏了"))
    company.schedule({"daily": "11:00"}, approved=False)
    found = company.simulated()
    assert [(o.outcome.value, str(o.reason)) for o in found.occurrences] == [
        ("skipped", "nobody on this day"),
        ("failed", "broken"),
        ("held", "approval: a second person has to approve"),
    ]
    assert sum(day.calls for day in found.days) == 0


def test_people_may_differ_from_day_to_day() -> None:
    company = Company(5)
    birthdays = {DAY: company.first(1), DAY + timedelta(days=2): company.first(2)}
    company.schedule({"daily": "09:00"}, people_on=lambda day: birthdays.get(day, 0))
    found = company.simulated(DAY + timedelta(days=2))
    assert [(o.outcome.value, o.people) for o in found.occurrences] == [
        ("sent", 1),
        ("skipped", 0),
        ("sent", 2),
    ]


def test_an_occurrence_that_begins_before_the_last_one_is_sent_overlaps_it() -> None:
    company = Company(300)
    company.schedule({"every": "1m"}, name="fast")
    slow = {"app": Pace(100, 20)}
    found = company.simulated(paces=slow)
    outcomes = [o.outcome.value for o in found.occurrences[:6]]
    assert outcomes == ["sent", "skipped", "skipped", "sent", "skipped", "skipped"]
    company.subjects.clear()
    company.schedule({"every": "1m"}, overlap="allow")
    found = company.simulated(paces=slow)
    # From the 501st on that day DingTalk delivers none.
    assert [o.outcome.value for o in found.occurrences] == ["sent"] * 500 + ["dropped"] * 940


def test_minutes_follow_the_pace() -> None:
    company = Company(12_000)
    company.schedule({"daily": "09:00"})
    company.schedule({"daily": "18:00"}, spread="30m")
    one, two = company.simulated().occurrences
    assert 2.0 <= one.minutes <= 2.2
    assert two.minutes == 30


def test_calls_of_the_month_include_receipts_and_what_is_spent() -> None:
    company = Company(100)
    company.schedule({"daily": "09:00"})
    usage = {"org": Usage(1_000, 5_000)}
    found = company.simulated(date(2027, 1, 1), usage=usage, spent_in=DAY)
    # A send call, two polls of its progress and result, and eight for reading.
    assert [(m.month, m.calls, m.limit) for m in found.months] == [
        (DAY, 1_000 + 31 * 11, 5_000),
        (date(2027, 1, 1), 11, 5_000),
    ]
    assert found.occurrences[0].share == pytest.approx(11 / 5_000)


def test_bulk_is_held_above_the_line_and_then_too_late() -> None:
    company = Company(100)
    company.schedule({"daily": "09:00"}, priority="bulk")
    usage = {"org": Usage(4_000, 5_000, 0.8)}
    one = only(company.simulated(usage=usage, spent_in=DAY))
    assert (one.outcome.value, one.calls) == ("skipped", 0)
    assert "budget" in str(one.reason)


def test_who_is_denied_or_away_does_not_get_it() -> None:
    company = Company(10)
    company.schedule({"daily": "09:00"})
    company.schedule({"daily": "10:00"}, preflight="refuse")
    found = company.simulated(denied=0b11, unreachable=0b100)
    assert told(found) == [("s0", "sent", 7, 1), ("s1", "refused", 0, 0)]
    assert str(found.occurrences[0].reason) == (
        "2 people are on the deny-list; "
        "1 people have left, are not active or are not in the directory"
    )


def test_over_the_limit_is_held_once_until_the_next_day_or_left_out() -> None:
    company = Company(10)
    hold, skip = Limits(everywhere=1), Limits(everywhere=1, then="skip")
    company.schedule({"once": "2026-12-01 09:00"}, company.first(4), limits=hold)
    company.schedule({"once": "2026-12-01 10:00"}, company.first(6), limits=hold)
    company.schedule({"once": "2026-12-01 11:00"}, company.first(4), limits=hold)
    company.schedule({"once": "2026-12-01 12:00"}, company.first(5), limits=skip)
    company.schedule({"once": "2026-12-01 13:00"}, company.first(5), limits=UNLIMITED)
    found = company.simulated(DAY + timedelta(days=1))
    # On the next day the four of the second come first, and those of the third are over again.
    assert [(o.outcome.value, o.reached, o.over) for o in found.occurrences] == [
        ("sent", 4, 0),
        ("sent", 6, 4),
        ("held", 0, 8),
        ("skipped", 0, 5),
        ("sent", 5, 0),
    ]
    assert [day.people for day in found.days] == [4 + 2 + 5, 4]


def test_limits_of_an_app_and_of_a_schedule_count_their_own() -> None:
    company = Company(3)
    company.schedule({"daily": "08:00"}, app="other")
    company.schedule({"daily": "09:00"})
    company.schedule({"daily": ["10:00", "11:00"]}, limits=Limits(schedule=1, then="skip"))
    company.schedule({"daily": ["12:00"]}, limits=Limits(app=3, then="skip"))
    company.schedule({"daily": ["13:00"]}, limits=Limits(app=3, then="skip"))
    found = company.simulated()
    assert [o.outcome.value for o in found.occurrences] == [
        *("sent", "sent", "sent", "skipped", "sent", "skipped")
    ]


def test_too_many_occurrences_are_refused() -> None:
    company = Company(1)
    company.schedule({"every": "1s"})
    with pytest.raises(InputError, match="2,000"):
        company.simulated(DAY + timedelta(days=30), most=2_000)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 23), st.integers(0, 2**6 - 1), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 4),
    st.booleans(),
)
def test_nobody_gets_more_than_the_limit_and_the_sums_add_up(
    schedules: Sequence[tuple[int, int, int]], most: int, hold: bool
) -> None:
    company = Company(6)
    limits = Limits(everywhere=most, then="hold" if hold else "skip")
    for hour, who, words in schedules:
        company.schedule({"daily": f"{hour:02}:00"}, who, words=bytes([words]), limits=limits)
    found = company.simulated(DAY + timedelta(days=3))
    assert all(person.most_a_day <= most for person in found.people)
    # What is held on the last day arrives after it.
    assert sum(o.reached for o in found.occurrences) >= sum(day.people for day in found.days)
    if not hold:
        assert sum(o.reached for o in found.occurrences) == sum(d.people for d in found.days)
        assert sum(p.total for p in found.people) == sum(d.people for d in found.days)
