"""Forecasts, holds, repairs, the budget and alerts, as the command line has them."""

from __future__ import annotations

import json
import zipfile

import pytest

SEND = "/topapi/message/corpconversation/asyncsend_v2"
STATUS_BAR = json.dumps(
    {
        "oa": {
            "message_url": "https://example.com",
            "head": {"text": "x", "bgcolor": "FFBBBBBB"},
            "body": {"title": "x"},
            "status_bar": {"status_value": "待审批", "status_bg": "0xFFFF9D46"},
        }
    }
)


@pytest.fixture(scope="module", autouse=True)
def _node(place):
    with place.running("serve", "--port", 0) as serve:
        yield serve.line()


@pytest.fixture(autouse=True)
def _calm(company):
    """No fault is left over for the next test."""
    yield
    company.ask("people/manager4220", {"unreachable": False})


def test_a_dry_run_tells_who_will_not_get_it_and_why(place):
    place.json("directory", "sync")
    order = ("send", "--to", "users:manager4220,nobody", "--text", "预测")
    found = place.json(*order, "--dry-run")
    assert found["people"] == [
        {"userid": "manager4220", "expected": "delivered", "code": None, "reason": None},
        {
            "userid": "nobody",
            "expected": "invalid",
            "code": None,
            "reason": "is not in the directory",
        },
    ]
    assert found["totals"] == {"delivered": 1, "invalid": 1}
    said = place.done("--lang", "zh", *order, "--dry-run")
    assert "不在通讯录中" in said
    assert "manager4220" not in said
    sent = place.run(*order, "--wait")
    assert sent.code == 3
    again = place.json("send", "--to", "users:manager4220", "--text", "预测", "--dry-run")
    assert [(p["expected"], p["code"]) for p in again["people"]] == [("dropped", "143106")]
    refused = place.run(
        "send", "--to", "users:manager4220", "--text", "预测", "--preflight", "refuse", "--wait"
    )
    assert refused.code == 1
    assert "refused" in refused.out


def test_a_forecast_stands_beside_what_happened(place):
    sent = place.json("send", "--to", "users:manager7675", "--text", "照预测", "--wait")
    shown = place.json("runs", "show", sent["id"])
    assert shown["forecast"]["totals"] == {"delivered": 1}
    assert shown["mispredictions"] == []
    said = place.done("runs", "show", sent["id"])
    assert "expected delivered=1" in said


def test_what_cools_down_can_be_stopped_and_approved(place, company):
    order = ("send", "--to", "users:manager4220", "--cool-down", "10m", "--text")
    held = place.json(*order, "等一下")
    assert held["state"] == "held"
    assert place.json("runs", "list", "--state", "held")[0]["id"] == held["id"]
    assert place.json("runs", "cancel", "--all") == {"canceled": [held["id"]]}
    assert "name a run" in place.refused("runs", "cancel")
    assert "name a run" in place.refused("runs", "cancel", 1, "--all")
    second = place.json(*order, "现在就发")
    done = place.json("runs", "approve", second["id"], "--wait")
    assert done["state"] == "settled"
    assert "现在就发" in company.texts("manager4220")
    assert "not held" in place.refused("runs", "approve", second["id"], code=1)
    assert "no run 999" in place.refused("runs", "approve", 999)


def test_a_second_person_approves_what_reaches_everyone(place, company):
    assert place.json("accounts", "list") == []
    for name in ("ann", "bob"):
        place.done("accounts", "add", name)
    assert "already" in place.refused("accounts", "add", "ann", code=1)
    held = place.json("send", "--to", "everyone", "--text", "全体", "--yes", "--as", "ann")
    assert (held["state"], held["requested_by"]) == ("held", "ann")
    assert "another person" in place.refused("runs", "approve", held["id"], "--as", "ann", code=1)
    done = place.json("runs", "approve", held["id"], "--as", "bob", "--wait")
    assert done["state"] == "settled"
    for name in ("ann", "bob"):
        place.done("accounts", "remove", name)
    assert "no account" in place.refused("accounts", "remove", "ann")


def test_who_failed_is_sent_to_again(place, company):
    company.ask("people/manager4220", {"unreachable": True})
    sent = place.run("send", "--to", "users:manager4220", "--text", "重发", "--wait", "--json").json
    assert sent["totals"] == {"failed": 1}
    company.ask("people/manager4220", {"unreachable": False})
    again = ("runs", "resend", sent["id"])
    assert place.json(*again, "--dry-run")["userids"] == ["manager4220"]
    assert "--yes" in place.refused(*again)
    assert "pace, failed or unknown" in place.refused(*again, "--only", "all")
    done = place.json(*again, "--yes", "--wait")
    assert done["state"] == "settled"
    assert "重发" in company.texts("manager4220")
    assert "nobody to send to" in place.refused(*again, "--yes", code=1)


def test_what_is_unknown_is_listed_and_settled_by_a_person(place, company):
    company.ask("faults", {"path": SEND, "reset": "after", "times": 1})
    place.write(
        "hold.yaml",
        """
schedules:
  hold:
    when: {daily: "03:00"}
    to: {users: [manager7675]}
    message: {text: "未知"}
    on_ambiguous: hold
""",
    )
    place.done("apply", "-f", "hold.yaml")
    run = place.run("schedules", "run", "hold", "--wait", "--json").json
    assert run["totals"] == {"unknown": 1}
    listed = place.json("runs", "list", "--unknown")
    assert [one["id"] for one in listed] == [run["id"]]
    resolve = ("runs", "resolve", run["id"], "--as")
    assert "delivered or failed" in place.refused(*resolve, "maybe")
    assert place.json(*resolve, "delivered")["totals"] == {"sent": 1}
    assert place.json("runs", "list", "--unknown") == []
    place.done("schedules", "delete", "hold")


def test_a_status_bar_is_changed_after_the_notice(place):
    sent = place.json("send", "--to", "users:manager4220", "--message", STATUS_BAR, "--wait")
    found = place.json("runs", "status-bar", sent["id"], "--text", "已同意")
    assert (found["changed"], found["failed"]) == (1, 0)
    said = place.refused("runs", "status-bar", sent["id"], "--text", "x", "--color", "green")
    assert "'green' is no colour" in said


def test_a_person_and_a_workbook_are_shown_from_the_ledger(place):
    sent = place.json("send", "--to", "users:manager7675", "--text", "台账", "--wait")
    told = place.json("people", "show", "manager7675")
    assert told[0]["run"] == sent["id"]
    assert told[0]["message"]["text"]["content"] == "台账"
    assert "manager7675" not in place.done("people", "show", "nobody")
    place.done("runs", "export", sent["id"], "--format", "xlsx", "-o", "ledger.xlsx")
    with zipfile.ZipFile(place.folder / "ledger.xlsx") as book:
        assert "manager7675" in book.read("xl/worksheets/sheet1.xml").decode()


def test_the_budget_tells_what_the_month_has_cost(place):
    (month,) = place.json("budget")
    assert month["by_endpoint"]["asyncsend_v2"] >= 5
    assert month["limit"] is None
    assert place.json("budget", "--org", "nowhere") == []
    (limited,) = place.json("budget", DINGBELL_MONTHLY_CALLS="10")
    assert limited["limit"] == 10
    assert "of the month's calls are used" in limited["warning"]
    assert "no limit set" in place.done("budget")


def test_alerts_are_listed(place):
    assert place.json("alerts") == []
    assert "告警" in place.done("--lang", "zh", "alerts", "--all")


def test_a_schedule_is_previewed_with_its_people(place):
    place.write(
        "twice.yaml",
        """
schedules:
  twice:
    when: {daily: ["09:00", "16:00"]}
    to: {users: [manager4220, nobody]}
    message: {text: "一样的话"}
""",
    )
    planned = place.run("plan", "-f", "twice.yaml")
    assert "143106" in planned.err
    place.done("apply", "-f", "twice.yaml")
    found = place.json("schedules", "preview", "twice", "--people")
    assert len(found["instants"]) == 5
    assert found["people"][1]["expected"] == "invalid"
    assert any("143106" in warning for warning in found["warnings"])
    assert "nobody" in place.done("schedules", "preview", "twice", "--people")
    assert "needs no approval" in place.refused("schedules", "approve", "twice", code=1)
    place.done("schedules", "delete", "twice")


def test_rules_for_everything_stand_in_the_file(place):
    file = """
orgs:
  default: {monthly_calls: 5000, hold_bulk_at: 0.9}
deny: {users: [manager4220]}
quiet_hours: {from: "22:00", to: "07:30"}
alerts: {webhook: "https://example.com/secret-path", notify: {users: [manager7675]}}
"""
    place.write("rules.yaml", file)
    planned = {(c["kind"], c["name"]): c for c in place.json("plan", "-f", "rules.yaml")}
    assert planned[("rule", "deny")]["action"] == "create"
    assert planned[("org", "default")]["fields"]["monthly_calls"] == {"from": None, "to": 5000}
    place.done("apply", "-f", "rules.yaml")
    assert place.json("plan", "-f", "rules.yaml") == []
    place.write("rules.yaml", file.replace("secret-path", "other-path"))
    assert "secret-path" not in place.done("plan", "-f", "rules.yaml")
    denied = place.json("send", "--to", "users:manager4220", "--text", "拒", "--dry-run")
    assert denied["totals"] == {"canceled": 1}
    place.write("rules.yaml", "{}")
    gone = place.json("apply", "-f", "rules.yaml", "--prune")
    assert {c["name"] for c in gone if c["kind"] == "rule"} == {"deny", "quiet_hours", "alerts"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('quiet_hours: {from: "22:00", to: "22:00"}', "nothing is quiet"),
        ('quiet_hours: {from: "25:00", to: "07:00"}', "quiet_hours.from"),
        ("alerts: {notify: {departments: [0]}}", "alerts.notify.departments"),
        ("deny: {users: [a], except: {}}", "deny.except"),
        ("deny: {audience: [nope]}", "there is no audience 'nope'"),
        ("alerts: {webhook: 'ftp://x'}", "http"),
        ("orgs: {default: {hold_bulk_at: 90}}", "at most 1"),
    ],
)
def test_a_rule_that_cannot_work_is_told_with_its_place(place, wrong, said):
    place.write("wrong.yaml", wrong)
    told = place.refused("plan", "-f", "wrong.yaml")
    assert said in told
    assert "wrong.yaml:1:" in told
