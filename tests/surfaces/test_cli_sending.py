"""`send`, `runs …` and `directory …`, with a node alive and without one."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import zipfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest

from dingbell.cli.following import exit_code
from dingbell.domain.lifecycle import Run

DELIVERY = {
    "userid",
    "name",
    "state",
    "code",
    "expected",
    "task_id",
    "attempt",
    "sent_at",
    "read_at",
    "words",
}
BATCH = {"ordinal", "state", "task_id", "slot_at", "sent_at", "size"}
RUN = {"id", "schedule", "due_at", "state", "totals"}
STATUS_BAR = json.dumps(
    {
        "oa": {
            "message_url": "https://example.com",
            "head": {"text": "x", "bgcolor": "FFBBBBBB"},
            "body": {"title": "x"},
            "status_bar": {"status_value": "x", "status_bg": "0xFFF65E5E"},
        }
    }
)
ARRIVED = ("unread", "read")


def id_of(ran):
    """The id in `run 7: settled …`."""
    return int(ran.out.split()[1].rstrip(":"))


def arrived(run):
    return sum(run["totals"].get(state, 0) for state in ARRIVED)


@pytest.fixture(scope="module")
def partly(place):
    """A send of which one person exists and the other does not."""
    return place.run("send", "--to", "users:nobody,manager4220", "--text", "部分")


HOSTILE = '=HYPERLINK("http://evil.example")\x1b]0;\x07\x9b\u202e\nhttp://evil.example'


@pytest.fixture
def hostile(place, partly, request):
    """Somebody has a name that was made to do harm."""
    name = getattr(request, "param", HOSTILE)
    place.done("directory", "sync")
    asyncio.run(_rename(place.variables["DINGBELL_DATABASE_URL"], "manager4220", name))
    yield
    place.done("directory", "sync")


async def _rename(dsn, userid, name):
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "update dingbell.people set name = $2 where userid = $1", userid, name
        )
    finally:
        await connection.close()


class TestWithoutNode:
    """Nobody serves: the command runs the engine itself, until the notice is settled."""

    def test_a_notice_reaches_its_phones_and_the_report_keeps_its_keys(self, place, company):
        sent = place.json("send", "--to", "users:manager4220,manager7675", "--text", "没有节点")
        assert (sent["state"], arrived(sent)) == ("settled", 2)
        assert company.texts("manager4220").count("没有节点") == 1

        shown = place.json("runs", "show", sent["id"])
        assert shown.keys() >= RUN | {"batches", "deliveries"}
        (batch,) = shown["batches"]
        assert batch.keys() >= BATCH
        assert (batch["ordinal"], batch["state"], batch["size"]) == (0, "settled", 2)
        assert all(one.keys() >= DELIVERY for one in shown["deliveries"])
        assert {one["task_id"] for one in shown["deliveries"]} == {batch["task_id"]}
        assert shown["schedule"] is None
        assert all(
            datetime.fromisoformat(instant).tzinfo
            for instant in (shown["due_at"], batch["slot_at"], batch["sent_at"])
        )

    def test_the_exit_code_tells_nobody_from_some(self, place, partly):
        ran = place.run("send", "--to", "users:nobody", "--text", "1", "--json")
        assert (ran.code, ran.json["totals"]) == (1, {"invalid": 1})
        assert partly.code == 3
        assert "invalid=1" in partly.out
        assert "runs show" in partly.err

    @pytest.mark.usefixtures("partly")
    def test_the_newest_run_is_listed_first(self, place):
        listed = place.json("runs", "list")
        assert [one["id"] for one in listed] == sorted((o["id"] for o in listed), reverse=True)
        assert all(one.keys() >= RUN for one in listed)
        assert place.json("runs", "list", "--limit", 1) == listed[:1]
        settled = place.json("runs", "list", "--state", "settled")
        assert settled == [one for one in listed if one["state"] == "settled"]
        assert place.json("runs", "list", "--schedule", "nothing") == []

    def test_people_see_names_codes_and_reasons_in_their_language(self, place, partly):
        listed = place.done("--lang", "zh", "runs", "list")
        assert "应发时间" in listed
        assert "invalid=1" in listed
        shown = place.done("runs", "show", id_of(partly))
        assert "manager4220" in shown
        assert "nobody" in shown

    def test_a_run_is_exported_whole(self, place, partly):
        run_id = id_of(partly)
        deliveries = place.json("runs", "show", run_id)["deliveries"]
        rows = list(csv.DictReader(io.StringIO(place.done("runs", "export", run_id))))
        assert [row["userid"] for row in rows] == [one["userid"] for one in deliveries]
        assert rows[0].keys() == DELIVERY
        lines = place.done("runs", "export", run_id, "--format", "jsonl").splitlines()
        assert [json.loads(line) for line in lines] == deliveries
        place.done("runs", "export", run_id, "--out", "ledger.csv")
        written = (place.folder / "ledger.csv").read_bytes()
        assert written.startswith("\ufeffuserid".encode())
        assert not list(place.folder.glob(".*.part"))

    @pytest.mark.usefixtures("hostile")
    def test_nothing_in_a_name_steers_a_terminal_or_a_spreadsheet(self, place, partly):
        run_id = id_of(partly)
        shown = [
            place.done("directory", "find", "manager4220"),
            place.done("directory", "find", "manager4220", "--json"),
            place.done("runs", "show", run_id),
            place.done("runs", "export", run_id),
            place.done("runs", "export", run_id, "--format", "jsonl"),
        ]
        for text in shown:
            assert not re.search("[\x1b\x07\x9b\u202e]", text)
            assert "\\u001b]0;" in text
        assert json.loads(shown[1])[0]["name"] == HOSTILE
        assert HOSTILE in {json.loads(line)["name"] for line in shown[4].splitlines()}
        cells = [cell for row in csv.reader(io.StringIO(shown[3])) for cell in row]
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@")]

    @pytest.mark.parametrize("hostile", ["http://evil.example/?a", "=1+1", "15"], indirect=True)
    @pytest.mark.usefixtures("hostile")
    def test_a_workbook_keeps_a_name_as_text(self, place, partly):
        place.done("runs", "export", id_of(partly), "--format", "xlsx", "-o", "l.xlsx")
        with zipfile.ZipFile(place.folder / "l.xlsx") as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
            assert not [name for name in book.namelist() if "rels" in name and "sheet" in name]
        assert "<f>" not in sheet
        assert "hyperlink" not in sheet

    def test_what_cannot_be_exported_loses_nothing(self, place, partly):
        file = place.write("old.csv", "precious")
        said = place.refused("runs", "export", 9999, "--out", file)
        assert "there is no run 9999" in said
        assert file.read_text() == "precious"
        run_id = id_of(partly)
        said = place.refused("runs", "export", run_id, "--out", "/nowhere/ledger.csv")
        assert "/nowhere/ledger.csv: No such file or directory" in said
        said = place.refused("runs", "export", run_id, "--format", "xml")
        assert "--format is csv, jsonl or xlsx" in said
        said = place.refused("runs", "export", run_id, "--format", "xlsx")
        assert "--out" in said

    def test_a_recall_takes_it_off_the_phones(self, place, company):
        sent = place.json("send", "--to", "users:manager7675", "--text", "撤回我")
        assert "撤回我" in company.texts("manager7675")
        assert "--yes" in place.refused("runs", "recall", sent["id"])
        recalled = place.json("runs", "recall", sent["id"], "--yes")
        assert (recalled["state"], recalled["totals"]) == ("recalled", {"recalled": 1})
        assert "撤回我" not in company.texts("manager7675")
        said = place.refused("runs", "recall", sent["id"], "--yes", code=1)
        assert "nothing to recall" in said

    def test_what_holds_a_notice_up_is_told_and_it_can_be_canceled(self, place, eventually):
        dead = {"DINGBELL_OAPI_URL": "http://127.0.0.1:1", "DINGBELL_AGENT_ID": "12"}
        order = ["send", "--to", "users:a", "--text", "x"]
        with place.running(*order, **dead) as send:
            eventually(lambda: "will be made again: unreachable" in send.log.read_text())
            send.end()
        (waiting, *_) = place.json("runs", "list")
        assert (waiting["state"], waiting["totals"]) == ("sending", {"planned": 1})
        canceled = place.json("runs", "cancel", waiting["id"])
        assert (canceled["state"], canceled["totals"]) == ("canceled", {"canceled": 1})
        said = place.refused("runs", "cancel", waiting["id"], code=1)
        assert "there is nothing left to cancel" in said


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "export", "recall"])
def test_a_run_that_does_not_exist_is_told_in_both_languages(place, command):
    yes = ["--yes"] if command == "recall" else []
    language = ["--lang", "zh"] if command == "show" else []
    said = place.refused(*language, "runs", command, 9999, *yes)
    assert ("没有发送 9999" if language else "there is no run 9999") in said


def test_a_state_that_does_not_exist_is_told(place):
    said = place.refused("runs", "list", "--state", "lost")
    assert "there is no state 'lost'" in said
    assert "settled" in said


@pytest.mark.usefixtures("node")
class TestWithNode:
    """A node serves: the command only leaves the order there."""

    def test_the_order_is_left_with_the_node_and_watched_from_here(self, place, company):
        sent = place.json("send", "--to", "users:manager4220", "--text", "有节点")
        assert sent["state"] in ("due", "planned", "sending", "settled")
        ran = place.run("runs", "watch", sent["id"], "--json")
        assert ran.code == 0
        assert (ran.json["state"], arrived(ran.json)) == ("settled", 1)
        assert "有节点" in company.texts("manager4220")

    def test_wait_stays_until_it_is_settled_and_tells_people_how_it_goes(self, place):
        ran = place.run("send", "--to", "users:manager7675", "--text", "等", "--wait")
        assert ran.code == 0
        assert "settled" in ran.out
        assert "settled" in ran.err

    def test_the_same_words_twice_a_day_are_dropped_and_said_so(self, place):
        order = ["send", "--to", "users:manager7675", "--text", "两次", "--wait"]
        assert place.run(*order).code == 0
        ran = place.run(*order)
        assert ran.code == 1
        assert "dropped=1" in ran.out
        run_id = place.json("runs", "list", "--limit", 1)[0]["id"]
        assert "143106" in place.done("runs", "show", run_id)

    def test_every_kind_of_target_finds_its_people(self, place, company):
        known = next(one for one in company.ask("people")["people"] if one["role_list"])
        place.write("two.yaml", "audiences: {two: {users: [manager4220, manager7675]}}")
        place.done("apply", "-f", "two.yaml")
        targets = {
            "departments:1": 50,
            "everyone": 50,
            "audience:two": 2,
            f"mobiles:{known['mobile']}": 1,
            f"roles:{known['role_list'][0]['name']}": None,
            f"roles:{known['role_list'][0]['id']}": None,
        }
        for target, people in targets.items():
            found = place.json("directory", "audience", target)
            priced = place.json("send", "--to", target, "--text", "x", "--dry-run")
            assert [one["userid"] for one in priced["people"]] == found["userids"]
            assert found["people"] == len(found["userids"]) > 0
            assert priced.keys() == {"calls", "seconds", "budget", "totals", "people", "notes"}
            assert priced["budget"].keys() == {"used", "limit", "cost"}
            assert people in (None, found["people"])
            assert target.startswith("audience") or known["userid"] in found["userids"]

    def test_a_dry_run_sends_nothing(self, place):
        before = place.json("runs", "list")
        said = place.done("send", "--to", "everyone", "--text", "x", "--dry-run")
        assert said.startswith("50 people, 1 calls")
        assert place.json("runs", "list") == before

    def test_everyone_needs_a_yes(self, place, company):
        said = place.refused("send", "--to", "everyone", "--text", "全员", "--json")
        assert "50 people" in said
        assert "--yes" in said
        place.done("send", "--to", "everyone", "--text", "全员", "--yes", "--wait")
        assert "全员" in company.texts("manager4220")

    def test_more_than_a_hundred_people_are_cut_into_calls(self, place):
        many = ",".join(f"user{number}" for number in range(101))
        plain = place.json("send", "--to", f"users:{many}", "--text", "x", "--dry-run")
        assert (len(plain["people"]), plain["calls"]) == (101, 2)
        assert plain["totals"] == {"invalid": 101}
        barred = place.json("send", "--to", f"users:{many}", "--message", STATUS_BAR, "--dry-run")
        assert (len(barred["people"]), barred["calls"]) == (101, 21)

    def test_people_are_found_by_a_part_of_their_name(self, place, company):
        known = company.ask("people")["people"][0]
        found = place.json("directory", "find", known["name"])
        assert known["userid"] in [one["userid"] for one in found]
        assert known["name"] in place.done("directory", "find", known["userid"])
        assert place.json("directory", "find", "nobody at all") == []

    def test_the_directory_is_read_again_on_demand(self, place):
        assert place.json("directory", "sync")["people"] == 50
        assert "50 people" in place.done("directory", "sync")


GOOD = ["--to", "users:a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*GOOD], "exactly one of --text, --markdown, --message"),
        ([*GOOD, "--text", "x", "--markdown", "y"], "exactly one of"),
        ([*GOOD, "--text", ""], "text.content"),
        ([*GOOD, "--text", "x" * 2049], "2048"),
        ([*GOOD, "--message", "{"], "--message is not readable JSON"),
        ([*GOOD, "--message", "[]"], "--message must be a JSON object"),
        ([*GOOD, "--message", "{}"], "exactly one of text, image"),
        ([*GOOD, "--message", '{"fax": {}}'], "fax is not a message type"),
        ([*GOOD, "--message", '{"link": {}}'], "link.message_url is missing"),
        ([*GOOD, "--message", "@nowhere.json"], "nowhere.json"),
        ([*GOOD, "--message", '{"text": ' + "[" * 30_000], "nested too deeply"),
        ([*GOOD, "--message", '{"text": "\\u0000"}'], "U+0000"),
        ([*GOOD, "--message", '{"image": "./logo.png"}'], "image: cannot read ./logo.png: No such"),
        ([*GOOD, "--image", "logo.png"], "image: cannot read ./logo.png: No such file"),
        ([*GOOD, "--attach", "/etc/passwd"], "DingTalk takes no file of this kind"),
        ([*GOOD, "--template", "a", "--var", "x"], "--var x: write NAME=VALUE"),
        ([*GOOD, "--template", "a", "--var", "_x=1"], "_x is no name of a variable"),
        ([*GOOD, "--text", "a\udcffb"], "is not text in UTF-8"),
        (["--to", "users:a\u200bb", "--text", "x"], "the invisible character U+200B"),
        (["--to", f"departments:{2**63}", "--text", "x"], "is no department"),
        ([*GOOD, "--text", "{{ boss }}"], "unknown template variable boss"),
        ([*GOOD, "--text", "{{ person.name"], "the template does not work"),
        (
            [*GOOD, "--text", "x", "--tracking", "none"],
            "--tracking: must be 'people', 'coarse' or 'auto'",
        ),
        ([*GOOD, "--text", "x", "--priority", "now"], "--priority: must be 'urgent'"),
        ([*GOOD, "--text", "x", "--finish-by", "soon"], "--finish-by: 'soon' is not a duration"),
        ([*GOOD, "--text", "x", "--cool-down", "soon"], "'soon' is not a duration"),
        (["--to", "bogus", "--text", "x"], "'bogus' is not a target"),
        (["--to", "users:", "--text", "x"], "'users:' is not a target"),
        (["--to", "users:a b", "--text", "x"], "users"),
        (["--to", "departments:/", "--text", "x"], "is no department"),
        (["--to", "departments:0", "--text", "x"], "department"),
    ],
)
def test_an_order_that_cannot_be_right_is_refused_before_anything_is_asked(
    nowhere, arguments, words
):
    assert words in nowhere.refused("send", *arguments, "--json")
    assert not (nowhere.folder / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "departments:9999", "--text", "x"], "departments: 9999"),
        (["--to", "roles:没有", "--text", "x"], "roles: 没有"),
        (["--to", "mobiles:1", "--text", "x"], "mobiles: 1"),
        (["--to", "audience:nobody", "--text", "x"], "no saved audience 'nobody'"),
        ([*GOOD, "--text", "x", "--app", "nothing"], "no app 'nothing' (known: default)"),
        (["--to", "users:manager4220", "--text", "{{ person.salary }}"], "there is no salary"),
        ([*GOOD, "--text", "{{ 1 / 0 }}"], "the template does not work"),
    ],
)
def test_an_order_that_fits_nobody_is_refused_and_nothing_is_fired(place, arguments, words):
    before = place.json("runs", "list")
    assert words in place.refused("send", *arguments, "--json")
    assert place.json("runs", "list") == before


def test_whom_a_target_means_is_refused_in_the_same_words(place):
    assert "'bogus' is not a target" in place.refused("directory", "audience", "bogus")
    assert "departments: 9999" in place.refused("directory", "audience", "departments:9999")
    assert "no app 'x'" in place.refused("directory", "find", "y", "--app", "x")
    assert "没有应用 'x'" in place.refused("--lang", "zh", "directory", "sync", "--app", "x")


@pytest.mark.parametrize(
    ("state", "totals", "code"),
    [
        ("sending", {"planned": 2}, 0),
        ("settled", {"read": 1, "unread": 1}, 0),
        ("settled", {"untracked": 9}, 0),
        ("settled", {"unread": 1, "dropped": 1}, 3),
        ("settled", {"unknown": 1}, 1),
        ("failed", {}, 1),
        ("canceled", {"canceled": 1, "sent": 1}, 3),
    ],
)
def test_the_exit_code_follows_from_where_everybody_ended(state, totals, code):
    stands = SimpleNamespace(totals=totals, final=Run(state).final)
    assert exit_code(stands) == code


def test_a_message_may_stand_in_a_file(place):
    place.write("message.json", '{"markdown": {"title": "t", "text": "**文件**"}}')
    priced = place.json("send", *GOOD, "--message", "@message.json", "--dry-run")
    assert priced["calls"] == 1
    assert Path(place.folder / "message.json").exists()


def test_what_a_template_lacks_for_one_person_is_shown_of_them_in_the_readers_language(place):
    words = "{{ person.name if person.userid == 'manager4220' else person.nickname }}"
    to = ["--to", "users:manager4220,manager7675", "--text", words]
    dry = place.done("--lang", "zh", "send", *to, "--dry-run")
    assert "模板有误: text 第 1 行: 没有 nickname" in " ".join(dry.split())
    ran = place.run("send", *to, "--wait", "--json")
    assert ran.code == 3, ran
    found = ran.json
    assert found["totals"].get("failed") == 1
    shown = "".join(place.done("--lang", "zh", "runs", "show", found["id"]).split())
    assert "没有nickname" in shown
    assert "Error" not in shown
    exported = place.done("runs", "export", found["id"])
    assert "text line 1: there is no nickname" in exported


def test_a_template_that_works_for_nobody_is_refused_in_the_readers_language(place):
    place.write(
        "dingbell.yaml",
        """\
schedules:
  bonus:
    when: {daily: "16:00"}
    to: {users: [manager4220]}
    message: {text: "{{ person.name if due.year == 1999 else person.bonus }}"}
""",
    )
    ran = place.run("--lang", "zh", "apply")
    assert ran.code == 2
    assert "schedules.bonus" in ran.err
    assert "模板有误: text 第 1 行: 没有 bonus" in " ".join(ran.err.split())
    assert "line" not in ran.err
    message = '{text: "{% if due.hour != 16 or due.minute %}{{ person.bonus }}{% endif %}x"}'
    place.write(
        "dingbell.yaml",
        f'schedules: {{bonus: {{when: {{daily: "16:00"}}, to: {{users: [manager4220]}}, '
        f"message: {message}}}}}\n",
    )
    place.done("apply")
    refused = place.run("--lang", "zh", "schedules", "run", "bonus", "--wait")
    assert refused.code == 2
    assert "没有bonus" in "".join(refused.err.split())
    assert place.json("runs", "list", "--schedule", "bonus") == []
