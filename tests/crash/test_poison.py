"""A notice hangs every node that plans it; the others are sent, and it is set aside in the end."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from actors import Process, World, assert_ledger_adds_up, until

OpenWorld = Callable[..., World]
_MOST_NODES = 7
_INNOCENT = 5


def schedules(due: datetime) -> str:
    """Notices that are planned together; the words of one are poison."""
    texts = ["很好", "毒药", *(f"通知 {number}" for number in range(1, _INNOCENT))]
    lines = ["schedules:"]
    for number, text in enumerate(texts):
        when = f'{{once: "{due.isoformat()}"}}'
        message = f'{{text: "{text}"}}'
        lines.append(f"  n{number}: {{when: {when}, to: {{everyone: true}}, message: {message}}}")
    return "\n".join(lines)


def execute(world: World, statement: str) -> list[Any]:
    """Ask the nodes' database."""
    address = world.database()

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(address)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(ask())


def states(world: World) -> Counter[str]:
    rows = execute(world, "select state from dingbell.runs")
    return Counter(row["state"] for row in rows)


def hung(world: World, node: Process) -> bool:
    file = world.folder / "hung"
    return file.exists() and str(node.process.pid) in file.read_text().split()


def hangs(world: World, node: Process) -> bool:
    """Whether a node hangs; False once the poison has been set aside."""
    until(lambda: hung(world, node) or states(world)["failed"], 60, "it hangs, or does not")
    return hung(world, node)


def test_poison_hangs_three_nodes_and_no_more_and_its_neighbours_are_sent(world: OpenWorld) -> None:
    here = world(10)
    hooks = {"CRASH_POISON": "毒药", "CRASH_HUNG": str(here.folder / "hung")}
    deaths = 0
    node = here.node(**hooks)
    here.apply(schedules(datetime.now(UTC) + timedelta(seconds=1)))
    while hangs(here, node):
        deaths += 1
        assert deaths < _MOST_NODES, execute(here, "select id, state, tries from dingbell.runs")
        # Nobody waits for the silence that shows its end.
        node.kill()
        execute(here, "update dingbell.runs set touched_at = touched_at - interval '1 min'")
        node = here.node(**hooks)
    assert deaths == 3
    until(lambda: states(here)["settled"] == _INNOCENT, 60, "the neighbours are settled")
    rows = execute(here, "select schedule, cause from dingbell.runs where state = 'failed'")
    assert [tuple(row) for row in rows] == [("n1", "quarantined")]
    assert set(here.rung().values()) == {_INNOCENT}
    assert_ledger_adds_up(here)


def test_a_node_whose_loop_hangs_ends_at_the_second_signal(world: OpenWorld) -> None:
    here = world(10)
    node = here.node(CRASH_POISON="毒药", CRASH_HUNG=str(here.folder / "hung"))
    here.apply(schedules(datetime.now(UTC) + timedelta(seconds=1)))
    until(lambda: hung(here, node), 30, "it hangs")
    for name in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        node.send(name)
    # Two that come before the first was seen are one: then it is the last that ends it.
    assert node.process.wait(10) in (130, -signal.SIGTERM)
