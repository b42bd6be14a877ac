"""Nodes: who is running, in which role, and versions side by side."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from dingbell.errors import DatabaseError
from dingbell.store import migrate


def names(found):
    return [(sorted(one["roles"]), one["alive"]) for one in found]


def test_nodes_are_listed_with_their_roles(place):
    assert place.json("nodes", "list") == []
    with place.running("serve", "--port", 0, "--only", "scheduler") as scheduler:
        scheduler.line()
        with place.running("serve", "--port", 0, "--only", "worker") as worker:
            worker.line()
            found = place.json("nodes", "list")
            assert names(found) == [(["scheduler"], True), (["worker"], True)]
            assert all(abs(one["clock_offset"]) < 1 for one in found)
            assert "scheduler" in place.done("--lang", "zh", "nodes", "list")
            # One makes the run, the other sends it.
            place.write(
                "s.yaml",
                """
schedules:
  shared:
    when: {every: 2s}
    to: {users: [manager4220]}
    message: {text: "{{ due }}"}
""",
            )
            place.done("apply", "-f", "s.yaml")
            ran = place.json("schedules", "run", "shared", "--wait")
            assert ran["state"] == "settled"
            place.done("schedules", "delete", "shared")
    assert place.json("nodes", "list") == []


def test_a_send_runs_the_engine_itself_where_no_worker_is_alive(place):
    with place.running("serve", "--port", 0, "--only", "api") as api:
        api.line()
        sent = place.json("send", "--to", "users:manager7675", "--text", "没有 worker")
        assert sent["state"] == "settled"


def test_a_role_that_is_none_is_told(place):
    assert "scheduler, worker, api" in place.refused("serve", "--only", "cook")


def test_nodes_of_the_version_before_go_on_beside_the_next(fresh_database):
    async def at(revision: str) -> None:
        await migrate.upgrade(fresh_database)
        connection = await asyncpg.connect(fresh_database)
        await connection.execute("update dingbell.alembic_version set version_num = $1", revision)
        await connection.close()

    following = f"{int(migrate.HEAD) + 1:04}"
    asyncio.run(at(following))
    assert asyncio.run(migrate.upgrade(fresh_database)) is False

    async def set_far() -> None:
        connection = await asyncpg.connect(fresh_database)
        await connection.execute("update dingbell.alembic_version set version_num = '0099'")
        await connection.close()

    asyncio.run(set_far())
    with pytest.raises(DatabaseError, match="0099"):
        asyncio.run(migrate.upgrade(fresh_database))
