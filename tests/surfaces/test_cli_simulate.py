"""`dingbell simulate`: from the database or a file, as JSON, table and calendar."""

from __future__ import annotations

from datetime import timedelta

import pytest
from icalendar import Calendar

FILE = """\
per_person_per_day: 2
over_limit: skip
orgs:
  default: {monthly_calls: 5000}
audiences:
  board: {users: [manager4220, manager7675]}
schedules:
  noon-words:
    when: {daily: "12:00"}
    to: {everyone: true}
    message: {text: "模拟 午餐"}
  noon-words-again:
    when: {daily: "12:30"}
    to: {audience: [board]}
    message: {text: "模拟 午餐"}
  by-title:
    when: {cron: "0 15 * * 1"}
    to: {everyone: true}
    message: {text: "模拟 {{ person.title }} {{ due|date }}"}
  late:
    when: {daily: "23:30"}
    to: {users: [manager4220]}
    quiet_hours: {from: "22:00", to: "07:00"}
    message: {text: "模拟 夜"}
"""
DAYS = ("--from", "2026-12-07", "--to", "2026-12-08")


@pytest.fixture(scope="module")
def file(place):
    """The file above, which is not applied."""
    place.write("year.yaml", FILE)
    return place


class TestAFile:
    def test_every_occurrence_is_told_and_nothing_is_written(self, file):
        found = file.json("simulate", *DAYS, "-f", "year.yaml")
        assert [
            (o["schedule"], o["due_at"], o["people"], o["calls"], o["outcome"])
            for o in found["occurrences"]
        ][:5] == [
            ("noon-words", "2026-12-07T12:00:00+08:00", 50, 1, "sent"),
            ("noon-words-again", "2026-12-07T12:30:00+08:00", 2, 1, "dropped"),
            ("by-title", "2026-12-07T15:00:00+08:00", 50, found["occurrences"][2]["calls"], "sent"),
            ("late", "2026-12-07T23:30:00+08:00", 1, 1, "held"),
            ("noon-words", "2026-12-08T12:00:00+08:00", 50, 1, "sent"),
        ]
        again, late = found["occurrences"][1], found["occurrences"][3]
        assert "143106" in again["reason"]
        assert late["reason"] == "quiet hours 22:00–07:00"
        assert late["sent_at"] == "2026-12-08T07:00:00+08:00"
        assert [(d["day"], d["occurrences"]) for d in found["days"]] == [
            ("2026-12-07", 4),
            ("2026-12-08", 3),
        ]
        (month,) = found["budget"]
        assert (month["month"], month["limit"]) == ("2026-12", 5000)
        assert month["calls"] >= sum(o["calls"] for o in found["occurrences"])
        assert len(found["people"]) == 10
        assert {(p["most_a_day"], p["total"]) for p in found["people"]} >= {(2, 4), (2, 3)}
        assert file.json("schedules", "list") == []
        assert "there is no saved audience" in file.refused(
            "send", "--to", "audience:board", "--text", "x", "--dry-run"
        )

    def test_words_that_differ_by_title_take_more_calls(self, file):
        found = file.json("simulate", *DAYS, "-f", "year.yaml")
        (one,) = [o for o in found["occurrences"] if o["schedule"] == "by-title"]
        assert 1 < one["calls"] < 50

    def test_a_table_is_for_people_in_both_languages(self, file):
        told = file.done("simulate", *DAYS, "-f", "year.yaml")
        assert "2026-12-07 Mon" in told
        assert "who gets the most on one day:" in told
        chinese = file.done("--lang", "zh", "simulate", *DAYS, "-f", "year.yaml")
        assert "2026-12-07 周一" in chinese
        assert "安静时段" in chinese

    def test_a_calendar_opens_in_calendar_programs(self, file):
        ics = file.done("simulate", *DAYS, "-f", "year.yaml", "--ics")
        calendar = Calendar.from_ical(ics)
        assert not calendar.errors
        assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == ["Asia/Shanghai"]
        events = calendar.walk("VEVENT")
        assert len(events) == 7
        noon = events[0]
        assert not noon.errors
        assert noon["DTSTART"].dt.isoformat() == "2026-12-07T12:00:00+08:00"
        assert noon["DTSTART"].params["TZID"] == "Asia/Shanghai"
        assert noon["DURATION"].dt == timedelta(minutes=1)
        assert [str(event["STATUS"]) for event in events[:4]] == [
            "CONFIRMED",
            "CANCELLED",
            "CONFIRMED",
            "TENTATIVE",
        ]
        assert len({str(event["UID"]) for event in events}) == 7


class TestTheDatabase:
    def test_active_schedules_are_simulated_as_they_are_stored(self, file):
        assert file.json("simulate", *DAYS)["occurrences"] == []
        assert "nothing falls due" in file.done("simulate", *DAYS)
        file.done("apply", "-f", "year.yaml", "--prune")
        file.done("schedules", "pause", "late")
        stored = file.json("simulate", *DAYS)
        names = {o["schedule"] for o in stored["occurrences"]}
        assert names == {"noon-words", "noon-words-again", "by-title"}
        assert file.json("plan", "-f", "year.yaml") == []
        file.write("empty.yaml", "{}")
        file.done("apply", "-f", "empty.yaml", "--prune")


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--from", "tomorrow"), "--from: tomorrow is not a date: write 2026-12-01"),
            (("--from", "2026-12-02", "--to", "2026-12-01"), "lies before"),
            (("--from", "2026-01-01", "--to", "2029-01-01"), "at most 732 days"),
            (("--json", "--ics"), "not both"),
            (("-f", "none.yaml"), "none.yaml"),
        ],
    )
    def test_they_are_told_in_words(self, place, options, said):
        assert said in place.refused("simulate", *options)

    def test_a_limit_that_is_none_is_told_where_it_stands(self, place):
        place.write("bad.yaml", "per_person_per_day: 0\nover_limit: drop\n")
        said = place.refused("simulate", "-f", "bad.yaml")
        assert "bad.yaml:1:" in said
        assert "at least 1" in said
        assert "bad.yaml:2:" in said
