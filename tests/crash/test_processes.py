"""Processes are killed, frozen and cut off while a run is on its way; then heads are counted."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from actors import World, assert_everybody_once, side_by_side, until

OpenWorld = Callable[..., World]
SEND = "/topapi/message/corpconversation/asyncsend_v2"


def once_in(seconds: float, to: str = "{departments: [1]}") -> str:
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"""
schedules:
  all-hands:
    when: {{once: "{due.isoformat()}"}}
    to: {to}
    message: {{text: "全员通知"}}
"""


def slow_answers(here: World, seconds: float) -> None:
    """Have every send answered late, so that there is time to strike while calls are open."""
    here.ask("faults", {"path": SEND, "probability": 1, "delay": seconds})


def due_of(run: dict[str, str]) -> float:
    return datetime.fromisoformat(run["due_at"]).timestamp()


def test_a_schedule_two_seconds_ahead_reaches_300_phones_in_3_calls(world: OpenWorld) -> None:
    here = world(300)
    here.node()
    here.apply(once_in(4))
    run = here.settled()
    assert_everybody_once(here, run)
    calls = here.ask("calls")
    assert len(calls) == 3
    assert min(call["received_at"] for call in calls) >= due_of(run)
    assert min(call["received_at"] for call in calls) - due_of(run) < 1.0
    by_task = {batch["task_id"]: batch for batch in run["batches"]}
    for call in calls:
        assert by_task[call["task_id"]]["size"] == len(call["userids"])
        people = {r["userid"] for r in run["deliveries"] if r["task_id"] == call["task_id"]}
        assert people == set(call["userids"])


def test_a_node_killed_at_any_moment_is_taken_over_by_the_next(tmp_path: Path) -> None:
    def strike(moment: float) -> None:
        folder = tmp_path / f"at{moment}"
        folder.mkdir()
        with closing(World(folder, people=300)) as here:
            slow_answers(here, 0.3)
            node = here.node()
            here.apply(once_in(6))
            until(lambda: here.run("runs", "list"), 10, "the run is made")
            due = due_of(here.run("runs", "list")[0])
            while time.time() < due + moment:
                time.sleep(0.005)
            node.kill()
            here.node()
            assert_everybody_once(here, here.settled(90))

    side_by_side(strike, [-1.0, -0.1, 0.01, 0.1, 0.6, 2.0], at_once=3)


def test_trouble_on_the_wire_reaches_everybody_once(world: OpenWorld) -> None:
    here = world(2_000)
    here.node()
    here.ask(
        "faults",
        [
            {"path": SEND, "times": 3, "errcode": 90018},
            {"path": SEND, "probability": 0.05, "reset": "after"},
            {"path": SEND, "probability": 0.05, "http_status": 502},
        ],
    )
    here.apply(once_in(2))
    here.ask("revoke-tokens", {})
    assert_everybody_once(here, here.settled(90))


def test_a_frozen_node_goes_on_by_itself(world: OpenWorld) -> None:
    here = world(1_000)
    slow_answers(here, 0.5)
    node = here.node()
    here.apply(once_in(3))
    until(lambda: here.ask("calls"), 20, "the first call")
    node.send(signal.SIGSTOP)
    time.sleep(22)  # longer than its lease
    node.send(signal.SIGCONT)
    assert_everybody_once(here, here.settled(90))


def test_postgresql_killed_while_a_run_is_on_its_way_comes_back(world: OpenWorld) -> None:
    here = world(1_000)
    slow_answers(here, 0.5)
    node = here.node()
    here.apply(once_in(3))
    until(lambda: here.ask("calls"), 20, "the first call")
    pid = here.postmaster
    os.kill(pid, signal.SIGQUIT)
    assert_everybody_once(here, here.settled(90))
    said = [json.loads(line) for line in node.output().splitlines() if line[:6] != "ready "]
    assert "database_lost" in {line["event"] for line in said}


def test_a_polite_end_leaves_no_server_behind(world: OpenWorld) -> None:
    here = world(20)
    node = here.node()
    pid = here.postmaster
    assert node.terminate() == 0
    status = psutil.Process(pid).status() if psutil.pid_exists(pid) else psutil.STATUS_DEAD
    assert status in (psutil.STATUS_DEAD, psutil.STATUS_ZOMBIE)  # nobody may have reaped it yet


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_of_two_nodes_one_dies_or_freezes_and_the_other_goes_on(
    world: OpenWorld, fresh_database: str, how: signal.Signals
) -> None:
    here = world(3_000, database_url=fresh_database)
    slow_answers(here, 0.4)
    one, _ = here.node(), here.node()
    here.apply(once_in(3))
    until(lambda: len(here.ask("calls")) >= 5, 20, "the first calls")
    one.send(how)
    if how == signal.SIGSTOP:
        here.settled(60)
        one.send(signal.SIGCONT)
    assert_everybody_once(here, here.settled(60))
