"""Cron expressions that are not ours get an answer that says what to write."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dingbell.domain.triggers import Cron
from dingbell.errors import InputError

ZONE = ZoneInfo("Asia/Shanghai")


def refused(expression: str) -> InputError:
    with pytest.raises(InputError) as caught:
        Cron(expression, ZONE)
    return caught.value


@pytest.mark.parametrize(
    ("expression", "instead"),
    [
        ("0 0 12 ? * MON-FRI", "0 0 12 * * MON-FRI"),
        ("0 0 12 ? * 2-6", "0 0 12 * * MON-FRI"),
        ("0 0 12 ? * 1,7", "0 0 12 * * SUN,SAT"),
        ("0 0 12 ? * 6L", "0 0 12 * * 5L"),
        ("0 0 12 ? * 2#3", "0 0 12 * * MON#3"),
        ("0 0 12 ? * 2/2", "0 0 12 * * MON/2"),
        ("0 15 10 * * ? *", "0 15 10 * * *"),
        ("0 15 10 15 * ? 2026", "0 15 10 15 * *"),
        ("0 0 0 1 1 * 2026", "0 0 0 1 1 *"),
        ("0 9 ? * MON", "0 9 * * MON"),
        ("@daily", "0 0 * * *"),
        (" @Hourly ", "0 * * * *"),
    ],
)
def test_what_to_write_instead_is_said_and_can_be_written(expression: str, instead: str) -> None:
    error = refused(expression)

    assert repr(instead) in str(error)
    assert repr(instead) in error.in_chinese()
    assert Cron(instead, ZONE).next_after(datetime(2026, 11, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 9 15W * *", "LW for the last workday"),
        ("0 0 9 15W * ?", "LW for the last workday"),
        ("0 9 L-3 * *", "Write L for the last day"),
        ("99 * * * *", "0-59"),
        ("0 24 * * *", "0-23"),
        ("0 0 30 2 *", "a month that has it"),
        ("0 0 * 13 *", "1-12 or JAN-DEC"),
        ("0 0 * * 8", "Sunday is 0 and 7"),
        ("60 0 0 * * *", "0-59"),
        ("* * * *", "has 4 fields: write 5"),
        ("", "has 0 fields: write 5"),
        ("@reboot", "has 1 fields: write 5"),
        ("* * * * * * * *", "has 8 fields"),
        ("0 0 12 ? * 9 *", "has 7 fields"),
        ("0 0 12 ? * 9", "has a ?, which is Quartz's: write *"),
    ],
)
def test_what_has_no_equal_here_is_told_in_words_of_both_languages(
    expression: str, words: str
) -> None:
    error = refused(expression)
    chinese = error.in_chinese().replace(repr(expression), "")

    assert words in str(error)
    assert not re.search("Bad|field|day-of|[a-z]{4,}", re.sub("cron|Quartz", "", chinese))


@pytest.mark.parametrize(
    "expression", ["0 9 L * *", "0 9 LW * *", "0 9 * * 5L", "0 9 * * MON#2", "*/5 0 9 * * 1-5"]
)
def test_the_signs_that_are_known_here_are_taken(expression: str) -> None:
    assert Cron(expression, ZONE).next_after(datetime(2026, 11, 25, tzinfo=UTC))
