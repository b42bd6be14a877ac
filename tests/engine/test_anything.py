"""Whatever happens, in whatever order: one state each, totals that add up, nobody rung twice."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dingbell.bootstrap import Database, Service, open_desk
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.errors import ConflictError
from dingbell.operations import directory, resends, runs, sending
from dingbell.operations.context import Operations
from dingbell.store.connection import transaction
from dingbell.store.ledger import audit

from .conftest import FINAL, POLLS, Truth
from .given import SEND, show

_FAULTS = (
    {"reset": "after"},
    {"reset": "before"},
    {"errcode": 90018},
    {"errcode": 41028},
    {"errcode": -1},
    {"http_status": 502},
    {"truncate": True},
)
_STEPS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["one text", "own text"])),
    st.tuples(st.just("fault"), st.sampled_from(range(len(_FAULTS)))),
    st.tuples(st.just("narrow"), st.just(0)),
    st.tuples(st.just("crash"), st.just(0)),
    st.tuples(st.sampled_from(["cancel", "recall", "revoke"]), st.just(0)),
    st.tuples(st.just("resend"), st.sampled_from(resends.KINDS)),
    st.tuples(st.just("rest"), st.just(0)),
)
_STORIES = st.lists(_STEPS, min_size=3, max_size=9).map(
    lambda steps: [("send", "one text"), *steps]
)
_MOST_SECONDS = 60
_TIME_PASSES = tuple(
    f"update {table} set {column} = {column} - interval '30 s' where {column} is not null"
    for table, column in (
        ("batches", "slot_at"),
        ("batches", "next_poll_at"),
        ("runs", "touched_at"),
        ("runs", "recall_asked_at"),
        ("runs", "planned_at"),
        ("runs", "started_at"),
    )
)


class Story:
    """One sequence of events, told to a real engine and a real sandbox."""

    def __init__(self, desk: Operations, database: Database, truth: Truth) -> None:
        self.desk = desk
        self._database = database
        self._truth = truth
        self._runs: list[int] = []
        self._service = Service(desk, database, polls=POLLS)

    async def tell(self, steps: list[tuple[str, Any]]) -> None:
        await self._service.start()
        try:
            for step, argument in steps:
                await getattr(self, f"_{step}")(argument)
            await self._come_to_an_end()
        finally:
            await self._service.stop()

    async def _send(self, kind: str) -> None:
        words = f"{len(self._runs)}" + (" {{ person.userid }}" if kind == "own text" else "")
        to = Audience(users=tuple(PEOPLE[len(self._runs) % 3 :: 3]))
        one = sending.Order(to, Message({"text": words}))
        self._runs.append(await sending.send(self.desk, one))
        await asyncio.sleep(0.05)

    async def _fault(self, number: int) -> None:
        await self._truth.post("faults", {"path": SEND, "times": 2, **_FAULTS[number]})

    async def _narrow(self, _: int) -> None:
        """This DingTalk lets fewer people pass than its documents say."""
        await self._truth.post("limits", {"people_per_minute": 4, "window_seconds": 1})

    async def _rest(self, _: int) -> None:
        await asyncio.sleep(0.4)

    async def _revoke(self, _: int) -> None:
        await self._truth.post("revoke-tokens", {})

    async def _cancel(self, _: int) -> None:
        with suppress(ConflictError):
            await runs.cancel(self.desk, self._runs[-1])

    async def _recall(self, _: int) -> None:
        with suppress(ConflictError):
            await runs.recall(self.desk, self._runs[-1])

    async def _resend(self, kind: Any) -> None:
        with suppress(ConflictError):
            await resends.resend(self.desk, self._runs[-1], (kind,))

    async def _crash(self, _: int) -> None:
        """Stop as a killed process does: nothing is drained, nothing is signed off."""
        node = self._service.node
        tasks = [*node._tasks, *node._working, *node._sender._calls, *self._service._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await node._planner.stop()
        await node._tracker.stop()
        with warnings.catch_warnings():
            # A killed process closes nothing either.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        await self._pass_by()
        self._service = Service(self.desk, self._database, polls=POLLS)
        await self._service.start()

    async def _pass_by(self) -> None:
        """Let the time pass that a dead node's lease takes, and what waits for its slot."""
        lease = self._service.node.lease
        mine = lease.node_id if lease.valid else 0
        async with self.desk.pool.acquire() as connection:
            await connection.execute("delete from dingbell_queue.jobs")
            await connection.execute(
                "update nodes set lease_until = now() - interval '1 s' where id <> $1", mine
            )
            for statement in _TIME_PASSES:
                # The engine goes on meanwhile, and is not expected to make way.
                with suppress(asyncpg.DeadlockDetectedError):
                    await connection.execute(statement)

    async def _come_to_an_end(self) -> None:
        async with self._truth._session.delete("/_sandbox/faults"):
            pass
        await self._truth.post("limits", {"people_per_minute": 5_000, "window_seconds": 60})
        async with asyncio.timeout(_MOST_SECONDS):
            while await self._open():
                await self._pass_by()
                async with transaction(self.desk.pool) as connection:
                    await self._service.node._sweeper._reap(connection)
                await self._service.node._sweeper.sweep()
                await asyncio.sleep(0.5)

    async def _open(self) -> bool:
        async with self.desk.pool.acquire() as connection:
            return bool(
                await connection.fetchval(
                    "select exists (select from runs where not state = any($1::text[]) "
                    "or recall_asked_at is not null) or exists (select from batches "
                    "where state in ('queued', 'sending', 'accepted'))",
                    list(FINAL),
                )
            )

    async def check(self) -> None:
        """The ledger adds up, and no phone shows the same words twice."""
        async with self.desk.pool.acquire() as connection:
            since = self.desk.clock.now() - timedelta(days=1)
            assert await audit.discrepancies(connection, since) == {}
        rung: Counter[tuple[str, str]] = Counter()
        for call in await self._truth.calls():
            words = call["msg"]["text"]["content"]
            rung.update((userid, words) for userid in call["delivered"])
        assert [who for who, times in rung.items() if times > 1] == []
        for run_id in self._runs:
            shown = await show(self.desk, run_id)
            states = Counter(row["state"] for row in shown["deliveries"])
            assert dict(states) == shown["totals"], run_id
            for row in shown["deliveries"]:
                if row["state"] in ("unread", "read"):
                    assert any(who == row["userid"] for who, _ in rung)


PEOPLE: list[str] = []


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STORIES)
async def test_any_story_ends_with_one_state_each_and_nobody_rung_twice(
    steps: list[tuple[str, Any]],
    database: Database,
    truth: Truth,
    settings: Any,
    begin_anew: Callable[[], Awaitable[None]],
) -> None:
    await begin_anew()
    await truth.post("reset", {})
    async with open_desk(settings, database=database) as desk:
        PEOPLE[:] = [one["userid"] for one in (await truth.get("people"))["people"]]
        await directory.synchronise(desk, None)
        story = Story(desk, database, truth)
        await story.tell(steps)
        await story.check()
