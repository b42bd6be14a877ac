"""`serve` on its own data directory: ready, healthy, and gone without a trace."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.usefixtures("company")


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def servers_in(folder: Path) -> list[psutil.Process]:
    """Every PostgreSQL process that works in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and str(folder.resolve()) in process.cwd():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def home(place, tmp_path_factory):
    """A place whose database is its own: embedded, in its data directory."""
    folder = tmp_path_factory.mktemp("home")
    own = {**place.variables, "DINGBELL_DATA_DIR": str(folder / "data")}
    del own["DINGBELL_DATABASE_URL"]
    return type(place)(place.forks, folder, own)


@pytest.fixture(scope="module")
def address(home) -> Iterator[str]:
    with home.running("serve", "--port", 0) as serve:
        yield serve.line().removeprefix("ready ")


def test_one_line_says_where_it_is_ready(address):
    assert address.startswith("http://127.0.0.1:")
    assert int(address.rpartition(":")[2]) > 0


def test_it_is_alive_and_ready_and_measured(address):
    status, body = get(f"{address}/health/live")
    assert (status, json.loads(body)["status"]) == (200, "alive")
    assert get(f"{address}/health/ready") == (200, '{"status":"ready"}')
    status, body = get(f"{address}/metrics")
    assert status == 200
    assert "dingbell_calls_total" in body
    assert "dingbell_call_lateness_seconds" in body
    assert get(f"{address}/nothing")[0] == 404


def test_a_page_says_that_it_runs(address):
    status, body = get(address)
    assert status == 200
    assert "running" in body


def test_other_commands_use_the_same_database_meanwhile(home, address):
    (nodes,) = [check for check in home.json("doctor") if check["check"] == "nodes"]
    assert nodes == {"check": "nodes", "status": "ok", "detail": "1 alive"}
    assert home.json("runs", "list") == []
    home.write("saved", "x")
    said = home.refused("db", "restore", home.write("x.dump", "PGDMP"), "--yes", code=1)
    assert "a node is running: stop it first" in said


def test_a_schedule_that_comes_due_reaches_its_phones(home, address, company, eventually):
    due = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    home.write(
        "dingbell.yaml",
        f'schedules: {{now: {{when: {{once: "{due}"}}, to: {{users: [manager4220]}}, '
        "message: {text: 到点了}}}",
    )
    home.done("apply")
    eventually(lambda: "到点了" in company.texts("manager4220"))
    (run,) = home.json("runs", "list", "--schedule", "now")
    assert home.run("runs", "watch", run["id"]).code == 0
    assert datetime.fromisoformat(run["due_at"]) == datetime.fromisoformat(due)


def test_a_port_in_use_is_told_and_nothing_is_started(nowhere):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = nowhere.refused("serve", "--port", port)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert "--port" in said
    assert not (nowhere.folder / "data").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_a_host_that_is_not_ours_is_told(nowhere, host):
    assert f"cannot listen on {host}:0" in nowhere.refused("serve", "--host", host, "--port", 0)


def test_without_a_console_there_is_no_page(place):
    with place.running("serve", "--port", 0, "--no-console") as serve:
        address = serve.line().removeprefix("ready ")
        assert get(address)[0] == 404
        assert get(f"{address}/health/ready")[0] == 200


def test_an_app_with_a_wrong_secret_does_not_keep_it_from_being_ready(place):
    with place.running("serve", "--port", 0, DINGBELL_APP_SECRET="wrong") as serve:
        assert serve.line().startswith("ready ")
        log = serve.log.read_text()
    assert place.variables["DINGBELL_APP_SECRET"] not in log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_ten_seconds_with_nothing_left(home, tmp_path, how):
    data = tmp_path / "data"
    with home.running("serve", "--port", 0, DINGBELL_DATA_DIR=str(data)) as serve:
        address = serve.line().removeprefix("ready ")
        assert servers_in(data)
        asked = time.monotonic()
        assert serve.end(how) == 0
        assert time.monotonic() - asked < 10
    assert servers_in(data) == []
    with pytest.raises(urllib.error.URLError):
        get(f"{address}/health/live")


def test_the_log_is_json_lines_on_standard_error(place):
    with place.running("serve", "--port", 0) as serve:
        before = len(serve.log.read_text().splitlines())
        serve.line()
        assert serve.end() == 0
    events = [json.loads(line)["event"] for line in serve.log.read_text().splitlines()[before:]]
    assert events[-1] == "node_stopped"
    assert "node_started" in events
