"""`sandbox` and `demo`: everything without an account."""

from __future__ import annotations

import json
import socket
import tempfile
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

SETTINGS = {
    "DINGBELL_OAPI_URL",
    "DINGBELL_API_URL",
    "DINGBELL_APP_KEY",
    "DINGBELL_APP_SECRET",
    "DINGBELL_AGENT_ID",
}
DEMO = {"people", "runs", "delivered", "twice", "missing", "calls", "lateness_ms"}


def told_by(sandbox) -> dict[str, str]:
    return dict(sandbox.line().split("=", 1) for _ in SETTINGS)


def test_it_prints_the_settings_that_lead_to_it(nowhere):
    with nowhere.running("sandbox", "--port", 0, "--people", 12, "--seed", 3) as sandbox:
        told = told_by(sandbox)
        phones = sandbox.line()
        with urllib.request.urlopen(f"{told['DINGBELL_OAPI_URL']}/_sandbox/stats") as answer:
            assert json.load(answer)["people"] == 12
        assert phones == f"# phones: {told['DINGBELL_OAPI_URL']}/"
        assert sandbox.end() == 0
    assert told.keys() == SETTINGS


def test_the_same_seed_gives_the_same_credentials(nowhere):
    keys = []
    for seed in (5, 5, 6):
        with nowhere.running("sandbox", "--port", 0, "--people", 3, "--seed", seed) as sandbox:
            keys.append(told_by(sandbox)["DINGBELL_APP_KEY"])
    assert keys[0] == keys[1] != keys[2]


def test_faults_from_a_file_are_in_force_from_the_start(nowhere, place):
    nowhere.write("faults.json", json.dumps([{"path": "/gettoken", "times": 9, "errcode": 40096}]))
    with nowhere.running("sandbox", "--port", 0, "--faults", "faults.json") as sandbox:
        told = told_by(sandbox)
        ran = place.run("doctor", "--json", **told)
    assert ran.code == 1
    assert any("40096" in check["detail"] for check in ran.json)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("5", "must be an object"),
        ('[{"path": "/x", "fault": 1}]', "fault: unknown field"),
        (None, "No such file or directory"),
    ],
)
def test_a_faults_file_that_says_nothing_is_told(nowhere, content, words):
    if content is not None:
        nowhere.write("faults.json", content)
    assert words in nowhere.refused("sandbox", "--port", 0, "--faults", "faults.json")


def test_a_port_in_use_is_told(nowhere):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = nowhere.refused("sandbox", "--port", port)
        zh = nowhere.refused("--lang", "zh", "sandbox", "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert f"无法监听 127.0.0.1:{port}" in zh


def test_the_demo_tells_its_story_and_everybody_got_it_once(nowhere):
    with tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as short:
        told = nowhere.json("demo", "--once", "--people", 30, TMPDIR=short)
        assert list(Path(short).glob("dingbell-demo-*")) == []
    assert told.keys() >= DEMO
    assert (told["people"], told["delivered"], told["twice"], told["missing"]) == (30, 30, 0, 0)
    assert (told["runs"], told["calls"], told["agrees"]) == (2, 2, True)
    assert told["lateness_ms"].keys() == {"p50", "max"}


def test_the_demo_tells_people_in_chinese_and_uses_no_settings_of_theirs(nowhere):
    theirs = {"DINGBELL_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x", "DINGBELL_AGENT_ID": "7"}
    said = nowhere.done("--lang", "zh", "demo", "--once", "--people", 5, **theirs)
    assert "送达 5/5" in said
    assert "台账与手机一致" in said
    assert not (nowhere.folder / "data").exists()
