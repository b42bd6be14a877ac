"""A crontab: each line is explained, and kept as a schedule or refused with the reason."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.config import crontab
from dingbell.config.document import ProblemsError
from dingbell.config.schema import load
from dingbell.domain.audience import Audience
from dingbell.domain.triggers import cronwords

SOMEBODY = Audience(users=("manager4220",))


def only(line: str, *, users: bool = False) -> crontab.Entry:
    (entry,) = crontab.read(line, users=users)
    return entry


@pytest.mark.parametrize(
    ("line", "when", "en", "zh"),
    [
        ("0 16 * * * /opt/a.sh", {"daily": "16:00"}, "every day, at 16:00", "每天 16:00"),
        (
            "30 8,20 * * * a",
            {"daily": ["08:30", "20:30"]},
            "every day, at 08:30, 20:30",
            "每天 08:30、20:30",
        ),
        ("@daily a", {"daily": "00:00"}, "every day, at 00:00", "每天 00:00"),
        ("@hourly a", {"cron": "0 * * * *"}, "every hour at minute 0", "每小时的第 0 分钟"),
        (
            "0 9 * * MON-FRI a",
            {"cron": "0 9 * * MON-FRI"},
            "on Monday to Friday, at 09:00",
            "每周一至周五 09:00",
        ),
        (
            "*/15 9-17 * * 1,3 a",
            {"cron": "*/15 9-17 * * 1,3"},
            "on Monday, Wednesday, every 15 minutes, in the hours 9 to 17",
            "每周一、周三 9至17 时, 每 15 分钟",
        ),
        (
            "0 9 1 jan,7 * a",
            {"cron": "0 9 1 jan,7 *"},
            "in January, July, on day 1 of the month, at 09:00",
            "1 月、7 月 每月 1 日 09:00",
        ),
        (
            "0 0 13 * 5 a",
            {"cron": "0 0 13 * 5"},
            "on day 13 of the month or on Friday, at 00:00",
            "每月 13 日或每周五 00:00",
        ),
        ("* * * * 7 a", {"cron": "* * * * 7"}, "on Sunday, every minute", "每周日 每分钟"),
        ("0 9 L * * a", {"cron": "0 9 L * *"}, "whenever 0 9 L * * says", "按 0 9 L * * 的时刻"),
    ],
)
def test_a_rule_is_kept_and_said_in_words(
    line: str, when: dict[str, object], en: str, zh: str
) -> None:
    entry = only(line)
    assert (entry.fate, entry.when) == ("kept", when)
    assert en in str(entry.said)
    assert zh in entry.said.zh


@pytest.mark.parametrize(
    ("line", "en", "zh"),
    [
        ("@reboot /usr/bin/a", "no instant", "没有时刻"),
        ("@every 5m a", "`every: 15m`", "`every: 15m`"),
        ("1~30 4 * * * a", "`spread`", "`spread`"),
        ("H 4 * * * a", "Jenkins", "Jenkins"),
        ("0 9 * * *", "a command", "命令"),
        ("garbage", "five fields", "5 个字段"),
        ("61 * * * * a", "0-59", "0-59"),
        ("0 9 30 2 * a", "day-of-month", "日"),
        ("0 9 ? * 1 a", "is written '0 9 * * SUN'", "写作 '0 9 * * SUN'"),
        ("CRON_TZ=Mars/Base", "Mars/Base", "Mars/Base"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(line: str, en: str, zh: str) -> None:
    entry = only(line)
    assert (entry.fate, entry.name, entry.when) == ("refused", None, None)
    assert en in str(entry.said)
    assert zh in entry.said.zh


@pytest.mark.parametrize(
    "line", ["MAILTO=a@b", 'PATH="/bin:/usr/bin"', "  SHELL = /bin/sh", "TZ=UTC"]
)
def test_a_setting_of_crons_is_noted(line: str) -> None:
    entry = only(line)
    assert entry.fate == "noted"
    assert str(entry.said) != entry.said.zh


def test_the_zone_holds_for_the_lines_below_it() -> None:
    entries = crontab.read("0 1 * * * a\nCRON_TZ=Asia/Tokyo\n0 2 * * * b\n", users=False)
    assert [entry.timezone for entry in entries] == [None, None, "Asia/Tokyo"]
    assert [entry.line for entry in entries] == [1, 2, 3]


def test_a_percent_sign_ends_the_command_unless_it_is_escaped() -> None:
    cut = only(r"0 1 * * * mail -s hello%line one%line two")
    assert cut.command == "mail -s hello"
    assert any("%" in note for note in cut.notes)
    whole = only(r"0 1 * * * date +\%F")
    assert (whole.command, whole.notes) == ("date +%F", ())


SYSTEM = "SHELL=/bin/sh\n17 * * * * root cd / && run-parts /etc/cron.hourly\n@daily root backup\n"


def test_a_user_before_the_command_is_seen() -> None:
    assert crontab.has_users(PurePath("/etc/crontab"), "0 1 * * * me a")
    assert crontab.has_users(PurePath("/etc/cron.d/x"), "")
    assert crontab.has_users(PurePath("copy"), SYSTEM)
    assert not crontab.has_users(PurePath("copy"), "0 1 * * * me a\n0 1 * * * root a\n")
    names = [entry.name for entry in crontab.read(SYSTEM, users=True)]
    assert names == [None, "run-parts", "backup"]
    assert [e.command for e in crontab.read(SYSTEM, users=True)][2] == "backup"


def test_schedules_are_named_after_their_programs_each_otherwise() -> None:
    lines = (
        "0 1 * * * /usr/bin/python3 /srv/report.py --all",
        "0 2 * * * cd /srv/app && PATH=/bin ./report.sh",
        "0 3 * * * 123",
        "0 4 * * * /opt/备份.sh",
    )
    names = [entry.name for entry in crontab.read("\n".join(lines), users=False)]
    assert names == ["report", "report-2", "line-3", "备份"]


def test_a_command_is_a_comment_and_never_a_message() -> None:
    entries = crontab.read("0 1 * * * curl -u me:geheim http://x\n", users=False)
    text = crontab.skeleton(entries, "crontab", SOMEBODY, "en")
    shown = [line for line in text.splitlines() if "geheim" in line]
    assert [line.strip()[0] for line in shown] == ["#"]


def test_without_an_audience_the_file_is_refused_at_each_schedule(tmp_path: Path) -> None:
    entries = crontab.read("0 1 * * * a\n0 2 * * * b\n", users=False)
    file = tmp_path / "dingbell.yaml"
    file.write_text(crontab.skeleton(entries, "crontab", None, "zh"), encoding="utf-8")
    with pytest.raises(ProblemsError) as refused:
        load(file)
    assert [problem.path for problem in refused.value.problems] == [
        "schedules.a.to",
        "schedules.b.to",
    ]


FIELD = st.sampled_from(
    ["*", "0", "5", "*/7", "1-5", "1,3", "mon", "feb", "L", "31", "9-17/2", "?"]
)
LINE = st.builds(
    lambda fields, command: " ".join([*fields, command]),
    st.lists(FIELD, min_size=4, max_size=6),
    st.sampled_from(["run.sh", "a 'b' # ${C} %", "备份", "x\x07y"]),
) | st.text(max_size=30)


@given(st.lists(LINE, max_size=6), st.booleans())
def test_whatever_stands_in_it_the_file_loads_with_what_is_kept(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], users: bool
) -> None:
    entries = crontab.read("\n".join(lines), users=users)
    kept = {entry.name: entry.when for entry in entries if entry.fate == "kept"}
    file = tmp_path_factory.getbasetemp() / "crontab.yaml"
    file.write_text(crontab.skeleton(entries, "c", SOMEBODY, "en"), encoding="utf-8", newline="")
    assert {name: spec.when for name, spec in load(file, {}).schedules.items()} == kept


@given(
    st.lists(st.integers(0, 59), min_size=1, max_size=3),
    st.lists(st.integers(0, 23), min_size=1, max_size=3),
    st.sets(st.integers(1, 12), min_size=1),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_two_rules_are_never_said_in_the_same_words(
    minutes: list[int], hours: list[int], months: set[int], days: set[int]
) -> None:
    def rule(months: set[int], days: set[int]) -> str:
        parts = (minutes, hours, "*", sorted(months), sorted(days))
        return " ".join(p if isinstance(p, str) else ",".join(map(str, p)) for p in parts)

    here = cronwords.said(rule(months, days))
    others = [
        *(cronwords.said(rule(months ^ {month} or {month}, days)) for month in range(1, 13)),
        *(cronwords.said(rule(months, days ^ {day} or {day})) for day in range(7)),
    ]
    same = [other for other in others if other == here or other.zh == here.zh]
    assert len(same) == (len(months) == 1) + (len(days) == 1)
