"""The database goes away, stands still or has no room: nothing is lost, nobody's work stolen."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from actors import Process, World, assert_everybody_once, until

from dingbell.store.server.embedded import EmbeddedServer

OpenWorld = Callable[..., World]
SEND = "/topapi/message/corpconversation/asyncsend_v2"
# Longer than the lease of a node, and than its judgement.
_LONG = 22.0


def apply_notice(here: World, seconds: float) -> None:
    """A notice for everybody, soon, whose calls are answered late."""
    here.run("directory", "sync")
    here.ask("faults", {"path": SEND, "probability": 1, "delay": 3})
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    here.apply(
        f'schedules: {{all: {{when: {{once: "{due.isoformat()}"}}, to: {{departments: [1]}}, '
        "message: {text: 大家好}}}"
    )


def node_ids(here: World) -> list[int]:
    return [node["id"] for node in here.run("nodes", "list") if node["alive"]]


def test_a_database_away_for_longer_than_a_lease_costs_nobody_his_work(
    world: OpenWorld, tmp_path: Path
) -> None:
    server = EmbeddedServer(tmp_path / "elsewhere")
    here = world(1_000, database_url=asyncio.run(server.start()))
    here.node(), here.node()
    before = node_ids(here)
    apply_notice(here, 3)
    until(lambda: len(here.ask("calls")) >= 5, 20, "the first calls")
    asyncio.run(server.stop())
    time.sleep(_LONG)
    asyncio.run(server.start())
    try:
        assert_everybody_once(here, here.settled(90))
        assert len(here.ask("calls")) == 10, "no call was taken for lost"
        assert node_ids(here) == before
        here.close()
    finally:
        asyncio.run(server.stop())


def test_statements_that_wait_for_a_long_time_cost_no_node_its_lease(
    world: OpenWorld, fresh_database: str
) -> None:
    here = world(1_000, database_url=fresh_database)
    here.node(), here.node()
    before = node_ids(here)
    apply_notice(here, 3)
    until(lambda: len(here.ask("calls")) >= 5, 20, "the first calls")

    async def block() -> None:
        connection = await asyncpg.connect(fresh_database)
        async with connection.transaction():
            await connection.execute("lock table dingbell.batches, dingbell.calls")
            await asyncio.sleep(_LONG)
        await connection.close()

    asyncio.run(block())
    assert_everybody_once(here, here.settled(90))
    assert len(here.ask("calls")) == 10, "no call was taken for lost"
    assert node_ids(here) == before


def test_a_server_without_a_free_connection_is_told_and_what_came_due_is_sent_later(
    world: OpenWorld, tmp_path: Path
) -> None:
    server = EmbeddedServer(tmp_path / "elsewhere")
    dsn = asyncio.run(server.start())
    here = world(300, database_url=dsn)
    address = here.node().wait_for("ready ").split()[0]
    apply_notice(here, 8)

    async def exhaust() -> str:
        """Cut the node's connections and take all there are, until it gets none any more."""
        first = await asyncpg.connect(dsn)
        taken = [first]
        try:
            deadline = time.monotonic() + 14  # seconds; the notice is due after eight
            said = ""
            while time.monotonic() < deadline:
                await first.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = 'dingbell'"
                )
                with suppress(asyncpg.TooManyConnectionsError):
                    while True:
                        taken.append(await asyncpg.connect(dsn))
                if "too many clients" not in said:
                    said = await asyncio.to_thread(_why, address)
                await asyncio.sleep(0.1)
            assert here.ask("calls") == []
            return said
        finally:
            for connection in taken:
                connection.terminate()

    assert "too many clients" in asyncio.run(exhaust())
    assert_everybody_once(here, here.settled(90))
    here.close()
    asyncio.run(server.stop())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with room for an empty database and a little more."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mounted = ["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", str(folder)]
    if subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def _why(address: str) -> str:
    """Why the node is not ready; empty when it is."""
    try:
        with urllib.request.urlopen(f"{address}/health/ready", timeout=5):
            return ""
    except urllib.error.HTTPError as error:
        return str(json.load(error)["reason"])


def test_a_full_disk_is_told_and_what_came_due_is_sent_when_there_is_room(
    world: OpenWorld, small_disk: Path
) -> None:
    here = world(300, data_dir=small_disk / "data")
    node: Process = here.node()
    address = node.wait_for("ready ").split()[0]
    apply_notice(here, 12)
    assert not _why(address)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 100_000):
            pass
    said = until(lambda: _why(address), 60, "the node says why it is not ready", every=0.5)
    assert "No space left on device" in said
    time.sleep(10)
    assert here.ask("calls") == []
    filler.unlink()
    until(lambda: not _why(address), 60, "ready again", every=0.5)
    assert_everybody_once(here, here.settled(90))
