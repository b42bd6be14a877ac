"""What cannot be read or written of one run, or one call, holds up no other."""

from __future__ import annotations

import pytest
from tests.engine.conftest import Truth, final, until
from tests.engine.given import order, runs_of, send, show, soon, spec

from dingbell.bootstrap import Service
from dingbell.domain.after_call import Next, Verdict
from dingbell.domain.priority import Rank
from dingbell.engine.path.sender.outcomes import Outcome
from dingbell.operations import schedules
from dingbell.operations.context import Operations
from dingbell.store.connection import acquire
from dingbell.store.ledger.claims import Claimed

NO_ID = 10**20


@pytest.mark.parametrize(
    "damage",
    [
        """jsonb_set(spec, '{to}', '{"departments": [100000000000000000000]}')""",
        """jsonb_set(spec, '{message}', '{"text": "a {{ person.name }}", "odd": 1}')""",
        """jsonb_set(spec, '{to}', '17')""",
    ],
    ids=["an id no column holds", "a message of no type", "no audience"],
)
async def test_a_run_that_cannot_be_planned_does_not_make_its_neighbours_late(
    desk: Operations, service: Service, truth: Truth, damage: str
) -> None:
    when = soon(desk, 2)
    for name in ("first", "damaged", "last"):
        await schedules.put(desk, name, spec(when, name, prepare_ahead=0), source="yaml")
    async with acquire(desk.pool) as connection:
        await connection.execute(f"update schedules set spec = {damage} where name = 'damaged'")
    for name in ("first", "last"):
        (found,) = await until(lambda name=name: runs_of(desk, name))
        told = await final(desk, found["id"], 8)
        assert told["totals"] in ({"unread": 1}, {"read": 1})


async def test_an_outcome_that_cannot_be_written_does_not_hold_up_the_others(
    desk: Operations, service: Service, truth: Truth
) -> None:
    run_id = await send(desk, order("first", "manager4220"))
    await final(desk, run_id)
    calls = await truth.calls()
    async with acquire(desk.pool) as connection:
        (row,) = await connection.fetch("select batch_id, id from calls")
    odd = Claimed(
        id=row["batch_id"],
        run_id=run_id,
        app_id=1,
        org="default",
        size=1,
        attempt=1,
        slot_at=desk.clock.now(),
        sent_at=desk.clock.now(),
        body=b"",
        target=None,
        userids=(),
        on_ambiguous="resend",
        in_doubt_since=None,
        rank=Rank.NORMAL,
        call_id=row["id"],
    )
    verdict = Verdict(Next.ACCEPTED, "accepted", desk.clock.now(), task_id=NO_ID)
    service.node._outcomes.add(Outcome(odd, verdict))
    again = await send(desk, order("second", "manager4220"))
    found = await final(desk, again, 8)
    assert found["state"] == "settled"
    assert len(await truth.calls()) == len(calls) + 1
    assert (await show(desk, run_id))["state"] == "settled"
