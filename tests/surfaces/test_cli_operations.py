"""Who asks, page by page, in the reader's language, and no run by hand without the question."""

from __future__ import annotations

import csv
import io

YAML = """\
apps:
  zz: {agent_id: ${DINGBELL_AGENT_ID}, app_key: "${DINGBELL_APP_KEY}",
       app_secret: "${DINGBELL_APP_SECRET}"}
schedules:
  everybody:
    app: zz
    when: {daily: "04:00"}
    to: {everyone: true}
    message: {text: 只在这里说的话}
"""


def test_an_account_does_what_its_role_may_and_nothing_else(place, company):
    place.done("accounts", "add", "vera", "--role", "viewer")
    place.done("accounts", "add", "sam", "--role", "sender")
    to = ("--to", "users:manager4220", "--text", "早", "--wait")
    said = place.refused("send", *to, "--as", "vera", code=1)
    assert "vera may not do this (runs.send)" in said
    assert "无权" in place.refused("--lang", "zh", "send", *to, "--as", "vera", code=1)
    assert place.json("send", *to, "--as", "sam")["requested_by"] == "sam"
    assert "no account" in place.refused("send", *to, "--as", "ghost")
    assert "no role" in place.refused("accounts", "add", "x", "--role", "chief")
    assert "may not" in place.refused("accounts", "remove", "sam", "--as", "sam", code=1)
    for name in ("vera", "sam"):
        place.done("accounts", "remove", name)


def test_people_of_a_run_are_asked_for_by_state_and_page_by_page(place, company):
    sent = place.json("send", "--to", "everyone", "--text", "分页", "--yes", "--wait")
    everybody = sent["totals"]
    shown = place.json("runs", "show", sent["id"], "--limit", 20)
    assert len(shown["deliveries"]) == 20
    assert shown["totals"] == everybody
    rest = place.json("runs", "show", sent["id"], "--limit", 9999, "--after", shown["next"])
    assert len(rest["deliveries"]) == sum(everybody.values()) - 20
    assert rest["next"] is None
    assert "no cursor" in place.refused("runs", "show", sent["id"], "--after", "x")
    assert f"--after {shown['next']}" in place.run("runs", "show", sent["id"], "--limit", 20).err
    unread = place.json("runs", "show", sent["id"], "--state", "unread")["deliveries"]
    assert {one["state"] for one in unread} <= {"unread"}
    assert "no state" in place.refused("runs", "show", sent["id"], "--state", "asleep")
    below = place.json("runs", "show", sent["id"], "--department", 1)["deliveries"]
    assert len(below) == sum(everybody.values())
    nobody = place.json("runs", "show", sent["id"], "--department", 999_999)["deliveries"]
    assert nobody == []
    rows = place.done("--lang", "zh", "runs", "export", sent["id"], "--state", "unread")
    reader = csv.DictReader(io.StringIO(rows.lstrip("\ufeff")))
    assert {row["状态"] for row in reader} <= {"unread"}
    assert list(reader.fieldnames or ())[:3] == ["userid", "姓名", "状态"]


def test_runs_are_listed_page_by_page(place, company):
    for number in range(3):
        place.json("send", "--to", "users:manager4220", "--text", f"页 {number}", "--wait")
    first = place.json("runs", "list", "--limit", 2)
    ran = place.run("runs", "list", "--limit", 2)
    assert f"--after {first[-1]['id']}" in ran.err
    second = place.json("runs", "list", "--limit", 2, "--after", first[-1]["id"])
    ids = [one["id"] for one in first + second]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == len(ids)


def test_why_a_run_is_as_it_is_is_told_in_the_readers_language(place, company):
    for name in ("ann", "bob"):
        place.done("accounts", "add", name)
    held = place.json("send", "--to", "everyone", "--text", "等", "--yes", "--as", "ann")
    assert held["cause"] == {"kind": "approval"}
    assert held["reason"] == "approval: a second person has to approve"
    assert "需要另一个人批准" in place.done("--lang", "zh", "runs", "list")
    place.done("runs", "cancel", held["id"], "--as", "ann")
    told = place.json("--lang", "zh", "runs", "show", held["id"])
    assert told["reason"] == "canceled by ann"
    assert "由 ann 取消" in place.done("--lang", "zh", "runs", "show", held["id"])
    for name in ("ann", "bob"):
        place.done("accounts", "remove", name)


def test_a_schedule_is_run_for_everyone_after_the_question_only(place, company):
    (place.folder / "dingbell.yaml").write_text(YAML, encoding="utf-8")
    place.done("apply")
    (listed,) = [one for one in place.json("schedules", "list") if one["name"] == "everybody"]
    assert listed["app"] == "zz"
    before = place.json("runs", "list")
    said = place.refused("schedules", "run", "everybody")
    assert "confirm with --yes" in said
    assert place.json("runs", "list") == before
    ran = place.json("schedules", "run", "everybody", "--yes", "--wait")
    assert ran["app"] == "zz"
    again = place.run("schedules", "run", "everybody", "--yes", "--wait")
    assert "have had the same words from this app today" in again.err
    zh = place.run("--lang", "zh", "schedules", "run", "everybody")
    assert "今天已收到" in zh.err


def test_the_directory_is_listed_searched_and_shown(place, company):
    told = company.ask("people")
    page = place.json("directory", "departments")
    assert {one["dept_id"] for one in page["items"]} == {
        one["dept_id"] for one in told["departments"]
    }
    first = place.json("directory", "departments", "--limit", "2")
    rest = place.json("directory", "departments", "--after", first["cursor"])
    assert first["items"] + rest["items"] == page["items"]
    tree = place.done("directory", "departments", "--tree").splitlines()
    assert [len(line) - len(line.lstrip()) for line in tree] == [
        2 * one["depth"] for one in page["items"]
    ]
    roles = place.json("directory", "roles")
    assert {"role_id", "name", "group", "people"} == set(roles[0])
    assert roles[0]["group"] in place.done("directory", "roles", "--tree")
    found = place.json("directory", "find", roles[0]["name"])
    assert {"kind": "role", "id": roles[0]["role_id"], "name": roles[0]["name"]} in found
    shown = place.json("directory", "show", "manager7675")
    examples = {one["name"]: one["example"] for one in shown["attributes"]}
    assert examples["生日"] == "{{ person.生日|date('%Y-%m-%d') }}"
    assert "{{ person.title }}" in place.done("directory", "show", "manager7675")
    assert "nobody1" in place.refused("directory", "show", "nobody1", code=2)
