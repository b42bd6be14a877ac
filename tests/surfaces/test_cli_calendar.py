"""`dingbell calendar …`, rules in words, and calendars in a file."""

from __future__ import annotations

import json

import pytest

FILE = """\
calendars:
  plant:
    base: cn
    off: {2027-06-28..2027-06-30: 检修}
    work: [2027-07-03]
schedules:
  calendar-words:
    when: {workday: "16:00"}
    to: {users: [manager4220]}
    message: {text: "每个工作日都来"}
  calendar-stop:
    calendar: plant
    when: {before: {holiday: 检修, workdays: 1, at: "17:00"}}
    to: {users: [manager4220]}
    message: {text: "检修前一天"}
"""
YEAR = {
    "year": 2027,
    "papers": ["https://www.gov.cn/"],
    "days": [
        {"name": "元旦", "date": "2027-01-01", "isOffDay": True},
        {"name": "春节", "date": "2027-02-08", "isOffDay": True},
        {"name": "国庆节", "date": "2027-10-01", "isOffDay": True},
        {"name": "国庆节", "date": "2027-10-09", "isOffDay": False},
    ],
}


@pytest.fixture
def applied(place):
    """The file above, and nothing else, is in the database."""
    place.write("dingbell.yaml", FILE)
    place.done("apply", "--prune")
    return place


def test_a_rule_reads_back_in_the_language_of_the_reader(applied):
    found = applied.json("schedules", "preview", "calendar-words", "--count", "3")
    assert len(found["instants"]) == 3
    assert found["words"].startswith("every workday 16:00; next ")
    chinese = applied.json("--lang", "zh", "schedules", "preview", "calendar-words", "--count", "1")
    assert chinese["words"].startswith("每个工作日 16:00; 下一次 ")
    shown = applied.json("--lang", "zh", "schedules", "show", "calendar-stop")
    assert shown["words"] == "检修前 1 个工作日 17:00 (日历 plant)"
    assert "每个工作日 16:00" in applied.done("--lang", "zh", "schedules", "list")
    (stop,) = applied.json("schedules", "preview", "calendar-stop")["instants"]
    assert stop == "2027-06-25T17:00:00+08:00"


def test_the_statutory_calendar_is_shown(place):
    found = place.json("calendar", "show", "cn", "--year", "2026")
    assert found["known"]
    assert found["workdays"] == 248
    days = {one["day"]: one for one in found["days"]}
    assert days["2026-10-01"] == {"day": "2026-10-01", "workday": False, "name": "国庆节"}
    assert days["2026-02-14"]["workday"]
    assert "共 248 个工作日" in place.done(
        "--lang", "zh", "calendar", "show", "cn", "--year", "2026"
    )
    assert {"cn", "none"} <= {one["name"] for one in place.json("calendar", "show")}
    assert "has not been published" in place.run("calendar", "show", "--year", "2030").err
    assert "there is no calendar 'mars'" in place.refused("calendar", "show", "mars")


def test_an_import_is_compared_before_it_is_made(applied):
    applied.write("2027.json", json.dumps(YEAR))
    found = applied.json("calendar", "diff", "2027.json")
    (moved,) = [one for one in found["moved"] if one["schedule"] == "calendar-words"]
    assert "2027-10-01T16:00:00+08:00" in moved["removed"]
    assert "2027-10-09T16:00:00+08:00" in moved["added"]
    assert not applied.json("calendar", "show", "cn", "--year", "2027")["known"]
    shown = applied.done("calendar", "import", "2027.json")
    assert "2027 imported, version 1" in shown
    assert "calendar-words: " in shown
    assert applied.json("calendar", "show", "cn", "--year", "2027")["known"]
    assert applied.json("calendar", "import", "2027.json")["versions"] == {"2027": 1}
    assert "no schedule is moved" in applied.done("calendar", "diff", "2027.json")


def test_a_calendar_program_may_close_a_plant(applied):
    applied.write(
        "closing.ics",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:检修\nDTSTART;VALUE=DATE:20270301\n"
        "DTEND;VALUE=DATE:20270303\nEND:VEVENT\nEND:VCALENDAR\n",
    )
    applied.done("calendar", "import", "closing.ics", "--name", "plant")
    first = applied.json("schedules", "preview", "calendar-stop", "--count", "1")["instants"][0]
    assert first == "2027-02-26T17:00:00+08:00"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR",
            "cannot be read",
        ),
        ("hello", "neither the JSON of holiday-cn nor an ICS calendar"),
    ],
)
def test_a_bad_calendar_is_refused_with_its_file(place, content, words):
    place.write("bad.ics", content)
    refused = place.refused("calendar", "import", "bad.ics")
    assert words in refused
    assert "bad.ics" in refused


def test_a_source_that_is_not_there_is_told(place):
    assert "cannot read missing.json" in place.refused("calendar", "diff", "missing.json")
    gone = place.run("calendar", "diff", "http://127.0.0.1:1/2027.json?key=hidden")
    assert gone.code == 1
    assert "cannot be reached" in gone.err
    assert "hidden" not in gone.err


@pytest.mark.parametrize(
    ("when", "where", "words"),
    [
        ("{weekly: {on: moon, at: '09:00'}}", "3:21", "'moon' is no weekday"),
        ("{monthly: {day: 40, at: '09:00'}}", "3:22", "write 1 to 31, or last"),
        ("{any: [{daily: '09:00'}, {cron: 'x'}]}", "3:37", "has 1 fields"),
    ],
)
def test_a_rule_that_does_not_work_has_its_line_and_column(place, when, where, words):
    place.write(
        "bad.yaml",
        f"schedules:\n  bad-rule:\n    when: {when}\n    to: {{users: [a]}}\n"
        "    message: {text: bad}\n",
    )
    refused = place.refused("plan", "-f", "bad.yaml")
    assert f"bad.yaml:{where}: " in refused
    assert words in refused
