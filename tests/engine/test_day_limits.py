"""`per_person_per_day`: whoever has had as many notices that day is held, or left out."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from dingbell.clock import beijing_day
from dingbell.domain.audience import Audience
from dingbell.operations import approvals, apps, resends, rules, runs, schedules, sending
from dingbell.operations.context import Operations
from dingbell.operations.forecasts import present

from .conftest import RunService, Truth, final, until
from .given import listed, order, runs_of, send, soon, spec

ONE = "manager4220"


async def people_of(truth: Truth, count: int) -> list[str]:
    found = (await truth.get("people"))["people"]
    return [one["userid"] for one in found[20 : 20 + count]]


OVER = "has had as many notices that day as per_person_per_day allows"
HELD = f"{OVER}: held until the next day, in a run of its own"


def states(run: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {d["userid"]: (d["state"], d["words"]) for d in run["deliveries"]}


async def limit(desk: Operations, most: int, over: str = "skip") -> None:
    await rules.put(desk, "per_person_per_day", {"per_person_per_day": most, "over_limit": over})


async def test_of_two_runs_at_one_instant_a_person_gets_as_many_as_is_allowed(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    both, only_second = await people_of(truth, 2)
    await limit(desk, 1)
    due = soon(desk, 2)
    await schedules.put(
        desk, "one", spec(due, "limit one", to=Audience(users=(both,))), source="yaml"
    )
    await schedules.put(
        desk, "two", spec(due, "limit two", to=Audience(users=(both, only_second))), source="yaml"
    )
    async with run_service(), run_service():
        (first,) = await until(lambda: runs_of(desk, "one"))
        (second,) = await until(lambda: runs_of(desk, "two"))
        ended = [await final(desk, first["id"]), await final(desk, second["id"])]
    told = Counter((userid, words) for one in ended for userid, (_, words) in states(one).items())
    assert told == {(both, None): 1, (both, OVER): 1, (only_second, None): 1}
    rung = await truth.rung()
    assert (rung[both], rung[only_second]) == (1, 1)


async def test_a_send_by_hand_counts_and_is_counted_and_says_so_beforehand(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    one, other = await people_of(truth, 2)
    await limit(desk, 1)
    async with run_service():
        await final(desk, await send(desk, order("by hand 1", one)))
        asked = present(await sending.outlook(desk, order("by hand 2", one, other))).to_json()
        found = await final(desk, await send(desk, order("by hand 2", one, other)))
    assert {p["userid"]: (p["expected"], p["reason"]) for p in asked["people"]} == {
        one: ("canceled", OVER),
        other: ("delivered", None),
    }
    assert asked["calls"] == 1
    assert states(found)[one] == ("canceled", OVER)
    assert states(found)[other][0] in ("sent", "unread", "read")


async def test_what_is_urgent_goes_all_the_same_and_counts(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    (one,) = await people_of(truth, 1)
    await limit(desk, 1)
    async with run_service():
        for text in ("urgent 1", "urgent 2"):
            await final(desk, await send(desk, order(text, one, priority="urgent")))
        found = await final(desk, await send(desk, order("not urgent", one)))
    assert states(found)[one] == ("canceled", OVER)
    assert (await truth.rung())[one] == 2


async def test_whoever_is_held_gets_it_in_a_run_of_its_own_on_the_next_day(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    one, other = await people_of(truth, 2)
    await limit(desk, 1, "hold")
    async with run_service():
        await final(desk, await send(desk, order("held 1", one)))
        parent = await final(desk, await send(desk, order("held 2", one, other)))

        async def rest() -> list[dict[str, Any]]:
            return [run for run in await listed(desk, state="held") if run["parent"]]

        (held,) = await until(rest)
        assert states(parent)[one] == ("canceled", HELD)
        shown = (await runs.overview(desk, held["id"])).to_json()
        assert shown["cause"]["kind"] == "day_limit"
        ends = (await runs.overview(desk, held["id"])).held_until
        assert ends is not None
        assert beijing_day(ends) == beijing_day(desk.clock.now()) + timedelta(days=1)
        assert (await truth.rung())[one] == 1
        # A person may let it go before; it is for the held only, and says the same.
        await approvals.approve_run(desk, held["id"])
        found = await final(desk, held["id"])
    assert set(states(found)) == {one}
    assert states(found)[one][0] in ("sent", "unread", "read")
    assert (await truth.rung()) == {one: 2, other: 1}


async def test_a_resend_in_a_run_is_one_notice(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    (one,) = await people_of(truth, 1)
    await limit(desk, 2)
    async with run_service():
        await truth.post(f"people/{one}", {"unreachable": True})
        failed = await final(desk, await send(desk, order("resent", one)))
        assert states(failed)[one][0] == "failed"
        await truth.post(f"people/{one}", {"unreachable": False})
        await resends.resend(desk, failed["id"])
        await final(desk, failed["id"])
        second = await final(desk, await send(desk, order("second", one)))
        third = await final(desk, await send(desk, order("third", one)))
    assert states(second)[one][1] is None
    assert states(third)[one] == ("canceled", OVER)
    assert (await truth.rung())[one] == 2


async def test_limits_of_an_app_and_of_a_schedule_count_their_own(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    (one,) = await people_of(truth, 1)
    to = Audience(users=(one,))
    assert desk.environment_app is not None
    limited = desk.environment_app.model_copy(
        update={"per_person_per_day": 3, "over_limit": "skip"}
    )
    assert desk.default_app is not None
    await apps.put(desk, desk.default_app, limited)
    own = spec(soon(desk, 3_000), "of its own {{ due }}", to=to, per_person_per_day=1)
    other = spec(soon(desk, 3_000), "another {{ due }}", to=to)
    await schedules.put(desk, "own", own, source="yaml")
    await schedules.put(desk, "other", other, source="yaml")
    async with run_service():
        ended = [
            await final(desk, await schedules.run(desk, name))
            for name in ("other", "own", "own", "other", "other")
        ]
    assert [states(run)[one][1] for run in ended] == [None, None, OVER, None, OVER]


async def test_a_run_that_is_planned_again_leaves_nobody_to_be_sent_to_twice(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    (one,) = await people_of(truth, 1)
    await limit(desk, 1, "hold")
    async with run_service():
        await final(desk, await send(desk, order("before", one)))
        # It is prepared a minute ahead, and the person is over.
        await schedules.put(
            desk, "later", spec(soon(desk, 8), "later", to=Audience(users=(one,))), source="yaml"
        )
        (run,) = await until(lambda: runs_of(desk, "later"))
        await limit(desk, 5, "hold")
        found = await final(desk, run["id"])
        held = await listed(desk, state="held")
    assert states(found)[one][0] in ("sent", "unread", "read", "canceled")
    assert (await truth.rung())[one] + len(held) == 2
