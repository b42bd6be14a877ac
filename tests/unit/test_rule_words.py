"""Rules read back: in both languages, and two that differ never read the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dingbell.domain.calendar.calendars import shipped
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.triggers import Trigger, instants, parse_trigger
from dingbell.domain.triggers.every import EPOCH
from dingbell.domain.triggers.readback import read_back
from dingbell.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
KNOWN = shipped().over({"factory": CalendarSpec.model_validate({"off": ["2026-12-24"]})})


def rule(when: dict[str, Any], calendar: str = "cn") -> Trigger:
    return parse_trigger(when, zone=SHANGHAI, anchor=EPOCH, calendars=KNOWN, calendar=calendar)


@pytest.mark.parametrize(
    ("when", "en", "zh"),
    [
        ({"daily": ["18:00", "9:00"]}, "every day 09:00, 18:00", "每天 09:00、18:00"),
        ({"workday": "16:00"}, "every workday 16:00", "每个工作日 16:00"),
        (
            {"holiday": "09:00"},
            "every day off (holidays and weekends) 09:00",
            "每个休息日 (节假日和周末) 09:00",
        ),
        (
            {"weekly": {"on": ["thu", "mon"], "at": "09:00"}},
            "every Monday, Thursday 09:00",
            "每周一、周四 09:00",
        ),
        (
            {"monthly": {"day": 5, "at": "10:00", "shift": "next_workday"}},
            "every month on the 5th, or the next workday 10:00",
            "每月 5 日, 遇休息日顺延至下一个工作日 10:00",
        ),
        (
            {"monthly": {"day": "last", "at": "10:00", "shift": "previous_workday"}},
            "every month on the last day, or the previous workday 10:00",
            "每月最后一天, 遇休息日提前至上一个工作日 10:00",
        ),
        (
            {"monthly": {"day": 31, "at": "10:00"}},
            "every month on the 31st (in a shorter month its last day) 10:00",
            "每月 31 日 (短月为最后一天) 10:00",
        ),
        (
            {"monthly": {"workday": 3, "at": "10:00"}},
            "every month on the 3rd workday 10:00",
            "每月第 3 个工作日 10:00",
        ),
        (
            {"monthly": {"workday": "last", "at": "10:00"}},
            "every month on the last workday 10:00",
            "每月最后一个工作日 10:00",
        ),
        (
            {"monthly": {"weekday": "fri", "nth": "last", "at": "10:00"}},
            "every month on the last Friday 10:00",
            "每月最后一个周五 10:00",
        ),
        (
            {"monthly": {"weekday": "周一", "nth": 2, "at": "10:00"}},
            "every month on the 2nd Monday 10:00",
            "每月第 2 个周一 10:00",
        ),
        (
            {"yearly": {"on": ["03-08", "02-29"], "at": "09:00"}},
            "every year on February 29 (or 28), March 8 09:00",
            "每年 2 月 29 日 (平年为 28 日)、3 月 8 日 09:00",
        ),
        (
            {"lunar": {"month": 12, "day": 23, "at": "09:00", "leap": "both"}},
            "every lunar year on day 23 of month 12 (腊月廿三), and in the leap month 09:00",
            "每年农历腊月廿三, 闰月也算 09:00",
        ),
        (
            {"lunar": {"month": 1, "day": 30, "at": "09:00"}},
            "every lunar year on day 30 of month 1 (正月三十), or 29 in a short month 09:00",
            "每年农历正月三十 (小月为廿九) 09:00",
        ),
        (
            {"lunar": {"month": 12, "day": "last", "at": "18:00"}},
            "every lunar year on the last day of month 12 (腊月最后一天) 18:00",
            "每年农历腊月最后一天 18:00",
        ),
        (
            {"before": {"holiday": "国庆", "workdays": 1, "at": "16:00"}},
            "1 workday before 国庆节 16:00",
            "国庆节前 1 个工作日 16:00",
        ),
        (
            {"after": {"holiday": "春节", "days": 3, "at": "09:00"}},
            "3 days after 春节 09:00",
            "春节后 3 天 09:00",
        ),
        (
            {"cron": "0  9 * * mon-fri"},
            "cron 0 9 * * MON-FRI (on Monday to Friday, at 09:00)",
            "cron 0 9 * * MON-FRI (每周一至周五 09:00)",
        ),
        ({"every": "45m"}, "every 45m", "每隔 45m"),
        (
            {"every": "45m", "from": "2026-12-01 08:00"},
            "every 45m, counted from 2026-12-01 08:00:00+08:00",
            "每隔 45m, 从 2026-12-01 08:00:00+08:00 起算",
        ),
        (
            {"once": "2026-12-01 08:00"},
            "once, at 2026-12-01 08:00:00+08:00",
            "仅一次, 2026-12-01 08:00:00+08:00",
        ),
        (
            {
                "any": [{"workday": "16:00"}, {"holiday": "10:00"}],
                "from": "2026-12-01",
                "until": "2026-12-31",
                "except": ["元旦", "2026-12-24", {"calendar": "factory"}],
            },
            (
                "(every workday 16:00; or every day off (holidays and weekends) 10:00), "
                "from 2026-12-01, until 2026-12-31, "
                "except 2026-12-24, 元旦, the days off of calendar factory"
            ),
            (
                "(每个工作日 16:00; 或 每个休息日 (节假日和周末) 10:00), 自 2026-12-01 起, "
                "至 2026-12-31 止, 2026-12-24、元旦、日历 factory 的休息日 除外"
            ),
        ),
        (
            {"rrule": "DTSTART:20261201T090000 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=9"},
            "every 2 weeks on Monday, Wednesday 09:00, from 2026-12-01, 9 times",
            "每 2 周的周一、周三 09:00, 自 2026-12-01 起, 共 9 次",
        ),
    ],
)
def test_a_rule_reads_back_in_both_languages(when: dict[str, Any], en: str, zh: str) -> None:
    words = rule(when).words()

    assert str(words) == en
    assert words.zh == zh


def test_a_company_calendar_is_named_and_the_next_day_is_told() -> None:
    trigger = rule({"workday": "16:00"}, "factory")
    words = read_back(trigger, trigger.next_after(NOW), SHANGHAI, NOW)

    assert str(words) == "every workday 16:00 (calendar factory); next Thu, Nov 26"
    assert words.zh == "每个工作日 16:00 (日历 factory); 下一次 11月26日 周四"


def test_another_year_is_named_and_what_has_been_comes_never_again() -> None:
    yearly = rule({"yearly": {"on": "03-08", "at": "09:00"}})
    words = read_back(yearly, yearly.next_after(NOW), SHANGHAI, NOW)
    once = rule({"once": "2020-01-01"})

    assert str(words) == "every year on March 8 09:00; next Mon, Mar 8 2027"
    assert words.zh == "每年 3 月 8 日 09:00; 下一次 2027年3月8日 周一"
    assert str(read_back(once, None, SHANGHAI, NOW)).endswith("; never again")
    assert read_back(once, None, SHANGHAI, NOW).zh.endswith("; 不会再发送")


times = st.lists(st.sampled_from(["09:00", "9:00", "10:30", "16:00:15"]), min_size=1, max_size=2)
few = st.integers(1, 3)
days = st.sampled_from([1, 5, 28, 29, 30, 31, "last"])
shifts = st.sampled_from([{}, {"shift": "next_workday"}, {"shift": "previous_workday"}])
weekdays = st.sampled_from(["mon", "tue", "sun"])
counts = st.sampled_from(["days", "workdays"])
simple: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda kind, at: {kind: at}, st.sampled_from(["daily", "workday", "holiday"]), times),
    st.builds(
        lambda on, at: {"weekly": {"on": on, "at": at}},
        st.lists(weekdays, min_size=1, max_size=2),
        times,
    ),
    st.builds(
        lambda day, at, shift: {"monthly": {"day": day, "at": at, **shift}},
        st.lists(days, min_size=1, max_size=2),
        times,
        shifts,
    ),
    st.builds(
        lambda nth, at: {"monthly": {"workday": nth, "at": at}}, few | st.just("last"), times
    ),
    st.builds(
        lambda day, nth, at: {"monthly": {"weekday": day, "nth": nth, "at": at}},
        weekdays,
        few | st.just("last"),
        times,
    ),
    st.builds(
        lambda on, at, shift: {"yearly": {"on": on, "at": at, **shift}},
        st.sampled_from(["02-28", "02-29", "03-08", "12-01"]),
        times,
        shifts,
    ),
    st.builds(
        lambda month, day, leap, at: {
            "lunar": {"month": month, "day": day, "leap": leap, "at": at}
        },
        st.sampled_from([1, 6, 12]),
        st.sampled_from([1, 11, 21, 29, 30, "last"]),
        st.sampled_from(["skip", "both"]),
        times,
    ),
    st.builds(
        lambda side, holiday, unit, n, at: {side: {"holiday": holiday, unit: n, "at": at}},
        st.sampled_from(["before", "after"]),
        st.sampled_from(["国庆节", "元旦", "春节"]),
        counts,
        few,
        times,
    ),
    st.builds(
        lambda every, origin: {"every": every, **origin},
        st.sampled_from(["60m", "1h", "90s", "1d"]),
        st.sampled_from([{}, {"from": "2026-12-01"}, {"from": "2026-12-01 00:00:30"}]),
    ),
    st.sampled_from(
        [
            {"cron": "0 9 * * *"},
            {"cron": "0 9 * * 1"},
            {"cron": "0 9 1 * *"},
            {"once": "2026-12-01"},
            {"once": "2026-12-01 09:00"},
        ]
    ),
    st.builds(
        lambda parts: {"rrule": f"DTSTART:20261126T090000 RRULE:{';'.join(parts)}"},
        st.tuples(
            st.sampled_from(["FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY", "FREQ=DAILY"]),
            st.sampled_from(["INTERVAL=1", "INTERVAL=2"]),
            st.sampled_from(["WKST=MO", "WKST=SU"]),
            st.sampled_from(["COUNT=3", "UNTIL=20270301", "UNTIL=20270301T090000", "BYMONTH=12"]),
            st.sampled_from(["BYDAY=MO", "BYDAY=MO,SU", "BYMONTH=1,12"]),
        ).filter(lambda parts: sum("BYMONTH=" in part for part in parts) < 2),
    ),
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "from": st.sampled_from(["2026-12-01", "2026-12-01 09:00", "2026-12-02"]),
        "until": st.sampled_from(["2027-06-01", "2027-06-01 00:00", "2027-05-31"]),
        "except": st.sampled_from(
            [["2026-12-07"], ["元旦"], [{"calendar": "factory"}], ["2026-12-07..2026-12-09"]]
        ),
    },
)
limited = st.builds(
    lambda when, more: {**when, **({} if "every" in when else more)}, simple, limits
)
whens = limited | st.builds(
    lambda rules, more: {"any": rules, **more}, st.lists(limited, min_size=1, max_size=2), limits
)


def read(when: dict[str, Any], calendar: str) -> Trigger | None:
    try:
        return rule(when, calendar)
    except InputError:
        return None


def behaviour(trigger: Trigger) -> list[datetime]:
    return list(instants(trigger, NOW, 30))


@given(st.lists(st.tuples(whens, st.sampled_from(["cn", "factory"])), min_size=12, max_size=12))
@settings(max_examples=40)
def test_two_rules_that_differ_never_read_the_same(drawn: list[tuple[dict[str, Any], str]]) -> None:
    said: dict[tuple[str, str], Trigger] = {}
    for when, calendar in drawn:
        trigger = read(when, calendar)
        if trigger is None:
            continue
        for language, words in (("en", str(trigger.words())), ("zh", trigger.words().zh)):
            before = said.setdefault((language, words), trigger)
            if before is not trigger and before.to_dict() != trigger.to_dict():
                assert behaviour(before) == behaviour(trigger), words
