"""A node dies right before and right after every commit on the path; the next one goes on.

Commits are told apart by their first write. A run in which nobody dies finds them; `make test` then
takes a few of them, `make chaos` all.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from actors import World, assert_everybody_once, side_by_side, until

SEND = "/topapi/message/corpconversation/asyncsend_v2"
_PEOPLE = 250
_AT_ONCE = 6
# Of this process, and of no notice: a node enters and renews its lease, PgQueuer beats and tells.
_BESIDE = (
    "update nodes",
    "insert into nodes",
    "delete from nodes",
    "delete from dingbell_queue.log",
    "SELECT pg_notify",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """How many commits are tried: a few, or all."""
    if "tried" in metafunc.fixturenames:
        metafunc.parametrize("tried", [metafunc.config.getoption("--chaos-failpoints")])


class Story:
    """One notice for everybody, with a refused call and a lost one on its way."""

    def __init__(self, folder: Path, at: str = "") -> None:
        folder.mkdir()
        self.at = at
        self.world = World(folder, people=_PEOPLE)
        self._armed, self.seen = folder / "armed", folder / "seen"

    def tell(self) -> dict[str, Any]:
        """Have it told by a node that dies at its commit, and by the next one."""
        here = self.world
        here.database()
        node = here.node(CRASH_AT=self.at, CRASH_ARMED=str(self._armed), CRASH_SEEN=str(self.seen))
        here.run("directory", "sync")
        here.ask("faults", [
            {"path": SEND, "times": 1, "errcode": 90018},
            {"path": SEND, "times": 1, "reset": "after"},
        ])  # fmt: skip
        self._armed.touch()
        due = datetime.now(UTC) + timedelta(seconds=2)
        here.apply(
            f'schedules: {{all: {{when: {{once: "{due.isoformat()}"}}, to: {{departments: [1]}}, '
            "message: {text: 大家好}}}"
        )
        if self.at:
            until(lambda: node.process.poll() is not None, 60, f"dies {self.at}")
            assert node.process.returncode == -signal.SIGKILL
            here.node()
        return here.settled(120)

    def commits(self) -> list[str]:
        """Every commit of the path, once."""
        found = dict.fromkeys(self.seen.read_text().splitlines())
        return [write for write in found if not write.startswith(_BESIDE)]


@contextmanager
def told(folder: Path, at: str = "") -> Iterator[tuple[Story, dict[str, Any]]]:
    story = Story(folder, at)
    try:
        yield story, story.tell()
    finally:
        story.world.close()


def test_a_node_may_die_at_every_commit(tmp_path: Path, tried: int) -> None:
    with told(tmp_path / "whole") as (story, run):
        assert_everybody_once(story.world, run)
        commits = story.commits()
    assert len(commits) >= 10, commits
    points = [f"{moment} {write}" for write in commits for moment in ("before", "after")]
    random.Random(tried).shuffle(points)

    def die(at: str) -> None:
        with told(tmp_path / f"{points.index(at)}", at) as (story, run):
            assert_everybody_once(story.world, run)

    side_by_side(die, points[:tried] if tried else points, at_once=_AT_ONCE)
