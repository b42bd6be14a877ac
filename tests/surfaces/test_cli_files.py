"""`init` and `schema`: an example that editors understand, and what may stand in it."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from dingbell.config.examples import YAML
from dingbell.config.schema import load
from dingbell.errors import InputError


def test_the_example_names_its_schema_which_is_written_beside_it(nowhere):
    nowhere.done("init")
    first = (nowhere.folder / "dingbell.yaml").read_text().partition("\n")[0]
    assert first == "# yaml-language-server: $schema=./dingbell.schema.json"
    found = json.loads((nowhere.folder / "dingbell.schema.json").read_text())
    Draft202012Validator.check_schema(found)
    assert found == json.loads(nowhere.done("schema"))


def test_the_schema_speaks_the_chosen_language_and_is_written_to_a_file(nowhere):
    english, chinese = (
        json.loads(nowhere.done("schema")),
        json.loads(nowhere.done("--lang", "zh", "schema")),
    )
    assert english["properties"]["deny"]["description"] == "who is never sent to: an audience"
    assert chinese["properties"]["deny"]["description"] == "永远不发的人: 受众"
    assert nowhere.done("--lang", "zh", "schema", "--out", "s.json") == ""
    assert json.loads((nowhere.folder / "s.json").read_text()) == chinese
    assert "--force" in nowhere.refused("schema", "--out", "s.json")
    nowhere.done("schema", "-o", "s.json", "--force")
    assert json.loads((nowhere.folder / "s.json").read_text()) == english


# What is commented out in the example, by whether it loads yet.
EXAMPLES = dict(re.findall(r"^  # ([\w-]+):.*\n((?:  #   .*\n)+)", YAML, re.MULTILINE))
AHEAD = pytest.mark.xfail(strict=True, raises=InputError, reason="this is not built yet")
COMMENTED = [
    "morning",
    "workday-end",
    "payslip",
    "birthday",
    "poster",
]


def test_all_that_is_commented_out_is_tried():
    assert list(EXAMPLES) == [getattr(one, "values", [one])[0] for one in COMMENTED]


@pytest.mark.parametrize("name", COMMENTED)
def test_what_is_commented_out_loads(name, tmp_path):
    (tmp_path / "payslips.csv").write_text("工号,net\n1,8000.10\n", encoding="utf-8")
    (tmp_path / "poster.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    body = EXAMPLES[name].replace("  #   ", "    ")
    file = tmp_path / "dingbell.yaml"
    file.write_text(f"schedules:\n  {name}:\n{body}", encoding="utf-8")
    assert list(load(file).schedules) == [name]


def test_the_rules_that_are_commented_out_load_together(tmp_path):
    rules = "\n".join(
        line.removeprefix("# ") for line in YAML.partition("# For everything")[2].splitlines()[1:]
    )
    file = tmp_path / "dingbell.yaml"
    file.write_text(rules, encoding="utf-8")
    assert set(load(file).rules()) == {"deny", "quiet_hours", "alerts"}


def test_keys_that_begin_with_x_hold_what_anchors_need(place):
    place.write(
        "dingbell.yaml",
        "x-common: &common\n"
        '  when: {daily: "16:00"}\n'
        "  to: {users: [manager4220]}\n"
        "x-nothing:\n"
        "schedules:\n"
        "  anchored:\n"
        "    <<: *common\n"
        "    message: {text: 同一个锚点}\n",
    )
    (change,) = [one for one in place.json("plan") if one["action"] == "create"]
    assert change["name"] == "anchored"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_a_dot_env_file_that_cannot_be_read_is_told_in_words(nowhere, encoding):
    (nowhere.folder / ".env").write_bytes("DINGBELL_LOG=info\nTO=é\n".encode(encoding))
    assert "cannot read .env" in nowhere.refused("schedules", "list")
    assert "UTF-8" in nowhere.refused("--lang", "zh", "schedules", "list")


def test_an_export_can_be_planned_where_its_variables_are_set(place):
    place.write(
        "dingbell.yaml",
        "schedules:\n"
        "  exported:\n"
        '    when: {daily: "16:00"}\n'
        "    to: {users: [manager4220]}\n"
        "    message: {text: 由导出而来}\n",
    )
    place.done("apply", "--prune")
    ran = place.run("--lang", "zh", "export", "--out", "exported.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert "DINGBELL_APP_SECRET" in ran.err
    text = (place.folder / "exported.yaml").read_text()
    assert place.variables["DINGBELL_APP_SECRET"] not in text
    assert text == place.done("--lang", "zh", "export")
    assert place.json("plan", "-f", "exported.yaml", "--prune") == []
    assert "--force" in place.refused("export", "-o", "exported.yaml")


CRONTAB = "CRON_TZ=Asia/Tokyo\n0 16 * * 1-5 /opt/cron-report.sh\n@reboot a\n"


def test_a_crontab_becomes_a_file_that_can_be_planned_once_it_says_whom(place):
    place.write("tab", CRONTAB)
    ran = place.run("import", "crontab", "tab", "--to", "users:manager4220", "-o", "cron.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert "1 kept, 1 noted, 1 refused" in ran.err
    changes = place.json("plan", "-f", "cron.yaml")
    assert [one["name"] for one in changes if one["action"] == "create"] == ["cron-report"]
    place.write("cron.yaml", place.done("--lang", "zh", "import", "crontab", "tab"))
    assert "cron.yaml:12:5: schedules.cron-report.to" in place.refused("plan", "-f", "cron.yaml")


def test_each_line_of_a_crontab_is_told_as_json_in_the_chosen_language(nowhere):
    nowhere.write("tab", CRONTAB)
    told = json.loads(nowhere.done("--lang", "zh", "import", "crontab", "tab", "--json"))
    assert [(one["line"], one["fate"]) for one in told] == [
        (1, "noted"),
        (2, "kept"),
        (3, "refused"),
    ]
    assert told[1]["when"] == {"cron": "0 16 * * 1-5"}
    assert told[1]["said"] == "每周一至周五 16:00"
    assert "tab" in nowhere.refused("import", "crontab", "tabb")
    assert "not a target" in nowhere.refused("import", "crontab", "tab", "--to", "somebody")
