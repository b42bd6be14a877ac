"""A monkey among the nodes kills, freezes, cuts and breaks; then heads are counted.

`make test` lets it loose for a few seconds, `make chaos` for two minutes each with twenty seeds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from actors import Process, World, assert_ledger_adds_up, until

OpenWorld = Callable[..., World]
SEND = "/topapi/message/corpconversation/asyncsend_v2"
# A person may get 500 notices a day from an app, and an app reach 5,000 people a minute.
_RUNS_PER_APP = 40
# What a lease, its judgement and the resends of an in-doubt call may take, several times over.
_PATIENCE = 150


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a seed."""
    metafunc.parametrize("seed", range(metafunc.config.getoption("--chaos-seeds")))


class Monkey:
    """Does something bad every now and then, the same things for the same seed."""

    def __init__(self, world: World, database: str, seed: int) -> None:
        self._world = world
        self._database = database
        self._random = random.Random(seed)
        self._frozen: list[tuple[float, Process]] = []
        self._tricks = ["kill", "freeze", "cut", "break", "revoke", "restart", "set_clock"]
        if world.server is not None:
            self._tricks.append("kill_database")
        self.done: Counter[str] = Counter()

    def play(self, until_: float) -> None:
        while time.time() < until_:
            time.sleep(self._random.uniform(0.5, 2.0))
            self._thaw(time.time())
            trick = self._random.choice(self._tricks)
            getattr(self, f"_{trick}")()
            self.done[trick] += 1
        self._thaw(float("inf"))

    def _victim(self) -> Process | None:
        awake = [node for node in self._alive() if all(node is not one for _, one in self._frozen)]
        return self._random.choice(awake) if awake else None

    def _alive(self) -> list[Process]:
        return [node for node in self._world.nodes if node.process.poll() is None]

    def _kill(self) -> None:
        victim = self._victim()
        if victim is not None:
            victim.kill()
            self._world.node()

    def _restart(self) -> None:
        """The polite way, as an upgrade does it."""
        victim = self._victim()
        if victim is not None:
            self._world.node()
            victim.send(signal.SIGTERM)

    def _freeze(self) -> None:
        victim = self._victim()
        if victim is not None and len(self._alive()) - len(self._frozen) > 1:
            victim.send(signal.SIGSTOP)
            self._frozen.append((time.time() + self._random.uniform(2, 20), victim))

    def _thaw(self, now: float) -> None:
        for at, victim in list(self._frozen):
            if at <= now:
                victim.send(signal.SIGCONT)
                self._frozen.remove((at, victim))

    def _cut(self) -> None:
        """Every connection to the database breaks at once."""

        async def cut() -> None:
            try:
                connection = await asyncpg.connect(self._database, timeout=2)
            except (OSError, TimeoutError, asyncpg.PostgresError):
                return  # it is just starting
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            await connection.close()

        asyncio.run(cut())

    def _kill_database(self) -> None:
        """PostgreSQL ends, politely, at once, or as in a power cut."""
        how = self._random.choice((signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
        with suppress(OSError, ValueError):
            os.kill(self._world.postmaster, how)

    def _set_clock(self) -> None:
        """Somebody sets the clock of a host."""
        victim = self._victim()
        if victim is not None:
            victim.clock.write_text(str(self._random.choice((-3600, -30, 0, 30, 3600))))

    def _break(self) -> None:
        fault = self._random.choice(
            ({"reset": "after"}, {"reset": "before"}, {"http_status": 502}, {"errcode": 90018})
        )
        self._world.ask("faults", {"path": SEND, "times": 3, **fault})

    def _revoke(self) -> None:
        self._world.ask("revoke-tokens", {})


def notices(world: World, count: int, seconds: float) -> str:
    """So many schedules, each with words of its own, due within so many seconds, from all apps."""
    start = datetime.now(UTC) + timedelta(seconds=3)
    people = [one["userid"] for one in world.ask("people")["people"]]
    apps = world.ask("apps")
    lines = ["apps:"]
    for number, app in enumerate(apps):
        lines.append(
            f"  a{number}: {{agent_id: {app['agent_id']}, app_key: {app['app_key']}, "
            f"app_secret: {app['app_secret']}, org: o{number}}}"
        )
    lines += ["audiences:", f"  all: {{users: {json.dumps(people)}}}", "schedules:"]
    for number in range(count):
        due = start + timedelta(seconds=number * seconds / count)
        lines += [
            f"  n{number}:",
            f"    app: a{number % len(apps)}",
            f'    when: {{once: "{due.isoformat()}"}}',
            "    to: {audience: all}",
            f'    message: {{text: "notice {number}"}}',
        ]
    return "\n".join(lines)


def test_whatever_the_monkey_does_everybody_gets_every_notice_once(
    world: OpenWorld, fresh_database: str, seed: int, request: pytest.FixtureRequest
) -> None:
    option = request.config.getoption
    seconds, count = float(option("--chaos-seconds")), int(option("--chaos-runs"))
    # The database is the nodes' own, which may be killed, or a given one, by turns.
    given = {} if seed % 2 == 0 else {"database_url": fresh_database}
    here = world(option("--chaos-people"), apps=-(-count // _RUNS_PER_APP), **given)
    database = here.database()
    for _ in range(option("--chaos-nodes")):
        here.node()
    here.apply(notices(here, count, seconds))
    monkey = Monkey(here, database, seed)
    monkey.play(time.time() + 3 + seconds)
    here.ask("faults", method="DELETE")
    found = until(
        lambda: _all_final(here, count), _PATIENCE, f"{count} final after {monkey.done}", every=1
    )
    assert_ledger_adds_up(here)
    assert Counter(one["state"] for one in found) == {"settled": count}
    rung = Counter(
        (userid, call["msg"]["text"]["content"])
        for call in here.ask("calls")
        for userid in call["delivered"]
    )
    assert max(rung.values()) == 1
    for one in found:
        reached = sum(one["totals"].get(state, 0) for state in ("sent", "unread", "read"))
        if reached != here.people or sum(one["totals"].values()) != here.people:
            shown = here.run("runs", "show", str(one["id"]))["batches"]
            raise AssertionError(json.dumps([one, shown, monkey.done]))
    assert len(rung) == count * here.people


def _all_final(here: World, count: int) -> list[dict[str, Any]] | None:
    try:
        found = here.run("runs", "list", "--limit", str(count + 10))
    except AssertionError:
        return None  # the database is just starting
    open_ = [one for one in found if one["state"] in ("due", "held", "planned", "sending")]
    return found if len(found) == count and not open_ else None
