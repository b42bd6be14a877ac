"""Changes of the directory as they happen: heard over Stream, kept, read, applied."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from tests.engine.conftest import Truth, until

from dingbell.bootstrap import Database
from dingbell.directory.reader import DirectoryReader
from dingbell.engine.upkeep.streams import Streams
from dingbell.operations import directory, directory_parts
from dingbell.operations.context import Operations
from dingbell.store import directory as kept
from dingbell.store.connection import acquire

Listen = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
def listen(desk: Operations, database: Database, truth: Truth) -> Listen:
    """Listen as a node does, from the moment its line is open."""

    @asynccontextmanager
    async def listening(*, idle: float = 600, first: bool = True) -> AsyncIterator[None]:
        reader = DirectoryReader(desk.pool, desk.clients, desk.clock, desk.pace)
        task = asyncio.ensure_future(Streams(database.dsn, reader, idle=idle).listen())
        try:
            if first:
                await lines(truth, 1)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return listening


async def lines(truth: Truth, count: int) -> None:
    async def open_() -> bool:
        return bool((await truth.get("stream"))["lines"] == count)

    await until(open_)


async def counts(truth: Truth) -> dict[str, int]:
    return dict((await truth.get("stream"))["counts"])


async def name_of(desk: Operations, userid: str) -> str | None:
    async with acquire(desk.pool) as connection:
        found = await connection.fetchrow(
            "select name from people where userid = $1 and left_at is null", userid
        )
    return found["name"] if found else None


async def named(desk: Operations, userid: str, name: str | None) -> None:
    async def there() -> bool:
        return await name_of(desk, userid) == name

    await until(there, 5)


async def tables(desk: Operations) -> dict[str, Any]:
    """All that is kept of the directory, in order."""
    told = {
        "people": "userid, name, mobile, active, attributes",
        "departments": "dept_id, name, parent_id",
        "memberships": "dept_id, userid",
        "roles": "role_id, name, group_name",
        "role_members": "role_id, userid",
    }
    async with acquire(desk.pool) as connection:
        return {
            table: [
                tuple(row)
                for row in await connection.fetch(
                    f"select {columns} from {table} "
                    f"{'where left_at is null' if table == 'people' else ''} order by 1, 2"
                )
            ]
            for table, columns in told.items()
        }


async def reshape(truth: Truth) -> None:
    """Everything a company does in a year."""
    opened = await truth.post("departments", {"name": "平台部"})
    below = await truth.post("departments", {"name": "内核组", "parent_id": opened["dept_id"]})
    gone = await truth.post("departments", {"name": "临时组"})
    await truth.post("people", {"userid": "u9", "name": "单小明", "dept_ids": [below["dept_id"]]})
    await truth.post("people/manager7675", {"title": "总监", "dept_ids": [opened["dept_id"]]})
    people = (await truth.get("people"))["people"]
    await truth.post(f"people/{people[5]['userid']}", {"employed": False})
    roles = {one["name"]: one for one in await truth.get("roles")}
    await truth.post(
        f"roles/{roles['HR']['role_id']}",
        {"add": ["u9"], "remove": roles["HR"]["userids"][:1], "name": "人事"},
    )
    await truth.post(f"departments/{opened['dept_id']}", {"name": "平台中心"})
    await truth.delete(f"departments/{gone['dept_id']}")


async def test_whoever_joins_changes_or_leaves_is_known_within_a_second(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    async with listen():
        for path, facts, name in (
            ("people", {"userid": "u9", "name": "新来的"}, "新来的"),
            ("people/u9", {"name": "改了名"}, "改了名"),
            ("people/u9", {"employed": False}, None),
            ("people/u9", {"employed": True}, "改了名"),
        ):
            before = time.monotonic()
            await truth.post(path, facts)
            await named(desk, "u9", name)
            assert time.monotonic() - before < 1


async def test_events_lead_to_what_a_full_reading_finds(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    async with listen():
        await reshape(truth)

        async def settled() -> bool:
            async with acquire(desk.pool) as connection:
                return (await truth.get("stream"))["counts"].get("acknowledged", 0) >= 10 and (
                    not await connection.fetchval(
                        "select count(*) from directory_events where applied_at is null"
                    )
                )

        await until(settled)
    followed = await tables(desk)
    async with acquire(desk.pool) as connection:
        for table in ("departments", "memberships", "role_members", "roles"):
            await connection.execute(f"delete from {table}")
        await connection.execute("delete from people where left_at is null")
    await directory.synchronise(desk, None)
    assert followed == await tables(desk)


async def test_a_full_reading_changes_what_is_different_and_nothing_else(
    desk: Operations, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    versions = (
        "select array_agg((xmin::text, userid)::text order by userid) from people",
        "select array_agg(xmin::text) from memberships",
    )
    async with acquire(desk.pool) as connection:
        before = [await connection.fetchval(one) for one in versions]
    await truth.post("people/manager4220", {"title": "董事长"})
    await directory.synchronise(desk, None)
    async with acquire(desk.pool) as connection:
        after = [await connection.fetchval(one) for one in versions]
    changed = set(after[0]) - set(before[0])
    assert [one.split(",")[1].rstrip(")") for one in changed] == ["manager4220"]
    assert after[1] == before[1]


async def test_an_event_that_comes_twice_is_kept_once_and_acknowledged_each_time(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    await truth.post("stream", {"duplicates": 2})
    async with listen():
        await truth.post("people", {"userid": "u9", "name": "新来的"})
        await named(desk, "u9", "新来的")
    async with acquire(desk.pool) as connection:
        assert await connection.fetchval("select count(*) from directory_events") == 1
    assert (await counts(truth))["told"] == 3


async def test_the_next_line_is_open_before_the_last_is_closed(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    async with listen():
        await truth.post("stream", {"linger_seconds": 1, "disconnect": True})
        await lines(truth, 2)
        await truth.post("people", {"userid": "u9", "name": "新来的"})
        await named(desk, "u9", "新来的")
        await lines(truth, 1)
        async with acquire(desk.pool) as connection:
            last = await kept.last_sync(connection, "default")
        assert last is not None
        assert last.streamed_since is not None
    assert (await counts(truth)).get("given_up", 0) == 0


async def test_a_line_that_is_dead_without_knowing_it_is_replaced(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    await truth.post("stream", {"ping_seconds": 0.05, "ack_seconds": 0.3})
    async with listen(idle=0.4):
        await truth.post("people", {"userid": "u8", "name": "头一个"})
        await named(desk, "u8", "头一个")
        await truth.post("stream", {"silence": True})
        await truth.post("people", {"userid": "u9", "name": "新来的"})
        # It was not acknowledged: it is told again, on the line that was opened meanwhile.
        await named(desk, "u9", "新来的")
        assert (await counts(truth))["opened"] >= 2


async def test_a_cut_is_noted_and_what_was_lost_is_found_by_the_next_full_reading(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    async with listen():
        async with acquire(desk.pool) as connection:
            first = await kept.last_sync(connection, "default")
        await truth.post("stream", {"lose": 1})
        await truth.post("people", {"userid": "u9", "name": "新来的"})
        await truth.post("stream", {"cut": True})

        async def again() -> bool:
            async with acquire(desk.pool) as connection:
                last = await kept.last_sync(connection, "default")
            assert first is not None
            assert last is not None
            return last.streamed_since not in (None, first.streamed_since)

        await until(again)
        assert await name_of(desk, "u9") is None
        await directory.synchronise(desk, None)
        assert await name_of(desk, "u9") == "新来的"


async def test_one_node_listens_and_another_takes_over_what_it_has_kept(
    desk: Operations, truth: Truth, listen: Listen, database: Database
) -> None:
    await directory.synchronise(desk, None)
    reader = DirectoryReader(desk.pool, desk.clients, desk.clock, desk.pace)
    async with listen():
        # It ends at once: the duty is another's.
        await asyncio.wait_for(Streams(database.dsn, reader).listen(), 5)
        assert (await counts(truth))["opened"] == 1
    async with acquire(desk.pool) as connection:
        await connection.execute(
            """
            insert into directory_events (org, event_id, kind, subject, seen_at)
            values ('default', 'e', 'user_modify_org',
                    '{"people": ["manager4220"], "departments": [], "roles": []}', now())
            """
        )
        await connection.execute("update people set name = 'x' where userid = 'manager4220'")
    known = (await truth.get("people?q=manager4220"))["people"][0]
    async with listen():
        await named(desk, "manager4220", known["name"])


async def test_what_happens_while_the_directory_is_read_is_applied_after_it(
    desk: Operations, truth: Truth, listen: Listen
) -> None:
    await directory.synchronise(desk, None)
    async with listen():
        await truth.post("people", {"userid": "u9", "name": "新来的"})
        await named(desk, "u9", "新来的")
        async with acquire(desk.pool) as connection:
            # As if the reading had begun before and had not met them.
            last = await kept.last_sync(connection, "default")
            assert last is not None
            await connection.execute("update people set left_at = now() where userid = 'u9'")
            await kept.note_sync(connection, "default", last, last.synced_at)
            pending = await connection.fetchval(
                "select count(*) from directory_events where applied_at is null"
            )
        assert pending == 1
        await truth.post("people/manager4220", {"title": "x"})
        await named(desk, "u9", "新来的")


async def test_who_has_left_is_shown_with_all_that_was_known_of_them(
    desk: Operations, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    known = (await truth.get("people?q=manager7675"))["people"][0]
    await truth.post("people/manager7675", {"employed": False})
    await directory.synchronise(desk, None)
    shown = await directory_parts.show(desk, None, "manager7675")
    assert shown.left_at is not None
    assert (shown.name, shown.departments) == (known["name"], ())
    assert not await directory.find(desk, None, known["mobile"])
