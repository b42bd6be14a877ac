"""`init`, `plan`, `apply`, `schedules …` and `db …`, in one folder after another's example."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from dingbell.store import migrate

SCHEDULE_KEYS = {"name", "app", "state", "problem", "source", "revision", "next_due_at", "spec"}

FILE = """\
schedules:
  off-work:
    when: {daily: "16:00"}
    to: {users: [manager4220]}
    message: {text: "下班"}
  weekly:
    when: {cron: "0 9 * * 1"}
    to: {departments: [1]}
    message: {text: "早"}
"""


@pytest.fixture
def applied(place):
    """The file above, and nothing else, is in the database."""
    place.write("dingbell.yaml", FILE)
    place.done("apply", "--prune")
    return place


class TestInit:
    def test_the_example_can_be_planned_and_applied_as_it_is(self, nowhere, place):
        written = nowhere.json("init", "here", **place.variables)
        assert written == [
            "here/dingbell.yaml",
            "here/.env.example",
            "here/dingbell.schema.json",
        ]
        changes = nowhere.json("plan", "-f", "here/dingbell.yaml", **place.variables)
        assert [(c["action"], c["name"]) for c in changes if c["action"] == "create"] == [
            ("create", "off-work")
        ]

    def test_what_is_there_is_not_overwritten_unless_asked(self, nowhere):
        nowhere.done("init")
        file = nowhere.write("dingbell.yaml", "precious")
        assert "--force overwrites" in nowhere.refused("init")
        assert file.read_text() == "precious"
        nowhere.done("init", "--force")
        assert "schedules:" in file.read_text()

    def test_the_example_holds_no_secret(self, nowhere):
        nowhere.done("init")
        example = (nowhere.folder / ".env.example").read_text()
        assert set(re.findall(r"^DINGBELL_\w+=(.*)$", example, re.MULTILINE)) == {""}

    def test_a_folder_that_is_a_file_is_told(self, nowhere):
        nowhere.write("file", "")
        assert "file" in nowhere.refused("init", "file")
        assert "文件" in nowhere.refused("--lang", "zh", "init", "file").removeprefix("错误: file")


class TestApply:
    def test_a_repeat_changes_nothing(self, applied):
        assert applied.json("plan") == []
        assert applied.json("apply") == []
        assert "nothing to change" in applied.done("apply")
        assert {one["revision"] for one in applied.json("schedules", "list")} == {1}

    def test_a_change_is_shown_by_plan_and_made_by_apply(self, applied):
        applied.write("dingbell.yaml", FILE.replace("16:00", "17:30"))
        planned = applied.json("plan")
        assert planned == [
            {
                "action": "change",
                "kind": "schedule",
                "name": "off-work",
                "fields": {"when": {"from": {"daily": "16:00"}, "to": {"daily": "17:30"}}},
                "warnings": [],
            }
        ]
        assert "将改变 1 项" in applied.done("--lang", "zh", "plan")
        assert applied.json("schedules", "show", "off-work")["revision"] == 1
        assert "~ schedule off-work" in applied.done("apply")
        assert applied.json("schedules", "show", "off-work")["spec"]["when"] == {"daily": "17:30"}

    def test_only_prune_deletes_what_left_the_file(self, applied):
        applied.write("dingbell.yaml", "schedules: {}")
        assert "--prune deletes it" in applied.done("apply")
        assert len(applied.json("schedules", "list")) == 2
        changes = applied.json("apply", "--prune")
        assert {change["action"] for change in changes} == {"delete"}
        assert applied.json("schedules", "list") == []

    def test_an_app_in_the_file_and_in_the_environment_is_one(self, applied):
        app = applied.variables
        applied.write(
            "apps.yaml",
            f"apps: {{hr: {{agent_id: {app['DINGBELL_AGENT_ID']}, "
            "app_key: ${DINGBELL_APP_KEY}, app_secret: ${DINGBELL_APP_SECRET}}}",
        )
        applied.done("apply", "-f", "apps.yaml")
        (check,) = [c for c in applied.json("doctor") if c["check"].startswith("app ")]
        assert check["check"] == "app default/hr"
        assert applied.json("plan", "-f", "apps.yaml")[0]["action"] == "keep"

    @pytest.mark.parametrize(
        ("text", "where", "words"),
        [
            (FILE.replace("16:00", "18:00").replace("[1]", "[9999]"), "8:24", "departments: 9999"),
            (
                FILE + '  late:\n    when: {once: "2020-01-01 10:00"}\n'
                "    to: {users: [a]}\n    message: {text: x}\n",
                "11:5",
                "'late' would never fire: its instant has passed",
            ),
            (
                FILE + '  v1.2:\n    when: {daily: "16:00"}\n'
                "    to: {mobiles: [1]}\n    message: {text: x}\n",
                "12:20",
                "mobiles: 1",
            ),
            (
                FILE + '  other:\n    app: nobody\n    when: {daily: "16:00"}\n'
                "    to: {users: [a]}\n    message: {text: x}\n",
                "10:3",
                "there is no app 'nobody'",
            ),
        ],
    )
    def test_plan_refuses_what_apply_refuses_and_both_say_where(self, applied, text, where, words):
        applied.done("directory", "sync")
        before = applied.json("schedules", "list")
        applied.write("dingbell.yaml", text)
        said = {applied.refused(command) for command in ("plan", "apply")}
        assert len(said) == 1
        (only,) = said
        assert f"dingbell.yaml:{where}: schedules." in only
        assert words in only
        assert applied.json("schedules", "list") == before

    def test_a_plan_leaves_nothing_behind(self, applied):
        applied.write(
            "dingbell.yaml",
            FILE.replace("16:00", "18:00")
            + "audiences: {new: {users: [a]}}\norgs: {other: {people_per_minute: 5}}\n"
            + "apps: {new: {agent_id: 9, app_key: other, app_secret: s, org: other}}\n",
        )
        planned = applied.json("plan")
        assert {one["kind"] for one in planned} == {"org", "app", "audience", "schedule"}
        assert applied.json("plan") == planned
        assert {one["revision"] for one in applied.json("schedules", "list")} == {1}

    def test_problems_are_told_with_file_line_and_column(self, applied):
        applied.write(
            "bad.yaml", FILE.replace("16:00", "25:00").replace("0 9 * * 1", "0 0 0 9 * * 1")
        )
        for command in ("plan", "apply"):
            said = applied.refused(command, "-f", "bad.yaml", "--json")
            assert "bad.yaml:3:" in said
            assert "bad.yaml:7:" in said
        said = applied.refused("--lang", "zh", "plan", "-f", "bad.yaml")
        assert "7 个字段" in said

    def test_a_file_that_is_not_there_is_told(self, applied):
        said = applied.refused("apply", "-f", "nothing.yaml")
        assert "cannot read nothing.yaml: No such file or directory" in said
        assert "dingbell init" in said
        assert "nothing" in applied.refused("plan", "-f", "/nothing")
        assert "Is a directory" in applied.refused("plan", "-f", ".")


class TestSchedules:
    def test_all_are_listed_for_machines_and_for_people(self, applied):
        listed = applied.json("schedules", "list")
        assert [one["name"] for one in listed] == ["off-work", "weekly"]
        assert all(one.keys() >= SCHEDULE_KEYS for one in listed)
        assert all(datetime.fromisoformat(one["next_due_at"]).tzinfo for one in listed)
        assert "下次发送" in applied.done("--lang", "zh", "schedules", "list")
        assert "下班" in applied.done("schedules", "show", "off-work")

    def test_the_next_instants_are_previewed_in_the_schedules_zone(self, applied):
        found = applied.json("schedules", "preview", "weekly", "--count", 3)
        instants = [datetime.fromisoformat(instant) for instant in found["instants"]]
        assert [(i.weekday(), i.hour, i.utcoffset()) for i in instants] == [
            (0, 9, timedelta(hours=8))
        ] * 3
        assert instants[0] > datetime.now(UTC)
        assert applied.done("schedules", "preview", "weekly", "-n", 1).count("\n") == 1

    def test_a_paused_schedule_rests_until_it_is_resumed(self, applied):
        assert applied.json("schedules", "pause", "weekly")["done"] == "pause"
        paused = applied.json("schedules", "show", "weekly")
        assert (paused["state"], paused["next_due_at"]) == ("paused", None)
        assert "已恢复" in applied.done("--lang", "zh", "schedules", "resume", "weekly")
        assert applied.json("schedules", "show", "weekly")["next_due_at"]

    def test_a_schedule_is_run_now_beside_its_own_instants(self, applied, company):
        due = applied.json("schedules", "show", "off-work")["next_due_at"]
        ran = applied.json("schedules", "run", "off-work")
        assert (ran["schedule"], ran["kind"], ran["state"]) == ("off-work", "run", "settled")
        assert "下班" in company.texts("manager4220")
        assert applied.json("schedules", "show", "off-work")["next_due_at"] == due

    def test_a_deleted_schedule_leaves_its_runs(self, applied):
        applied.run("schedules", "run", "off-work")
        applied.done("schedules", "delete", "off-work")
        assert [one["name"] for one in applied.json("schedules", "list")] == ["weekly"]
        assert applied.json("runs", "list", "--schedule", "off-work")

    @pytest.mark.parametrize("command", ["show", "preview", "pause", "resume", "run", "delete"])
    def test_a_schedule_that_does_not_exist_is_told(self, applied, command):
        said = applied.refused("schedules", command, "nothing", "--json")
        assert "there is no schedule 'nothing'" in said
        assert "dingbell schedules list" in said


class TestDatabase:
    def test_what_was_backed_up_is_restored(self, applied):
        assert applied.json("db", "upgrade") == {"revision": migrate.HEAD}
        saved = applied.json("db", "backup", "saved.dump")
        assert saved["bytes"] == (applied.folder / "saved.dump").stat().st_size
        applied.done("schedules", "delete", "weekly")
        assert "--yes" in applied.refused("db", "restore", "saved.dump")
        assert applied.json("db", "restore", "saved.dump", "--yes") == {"restored": "saved.dump"}
        assert len(applied.json("schedules", "list")) == 2
        assert applied.json("plan") == []
        assert "exists already" in applied.refused("db", "backup", "saved.dump")

    def test_what_is_no_backup_changes_nothing(self, applied):
        file = applied.write("broken.dump", "PGDMPxxxx")
        said = applied.refused("db", "restore", file, "--yes", code=1)
        assert "pg_restore" in said
        assert "no file nothing" in applied.refused("db", "restore", "nothing", "--yes")
        assert "`dingbell db backup`" in applied.refused("db", "restore", "dingbell.yaml", "--yes")
        assert "no folder nowhere" in applied.refused("db", "backup", "nowhere/x")
        assert len(applied.json("schedules", "list")) == 2

    def test_old_runs_are_pruned(self, applied):
        assert applied.json("db", "prune") == {"runs": 0}
        assert "'soon' is not a duration" in applied.refused("db", "prune", "--older-than", "soon")
        before = applied.json("runs", "list")
        assert "at least 2d" in applied.refused("db", "prune", "--older-than", "0s")
        assert applied.json("db", "prune", "--older-than", "2d") == {"runs": 0}
        assert applied.json("runs", "list") == before
