"""Those who have not read are reminded with other words; then somebody is told who they are."""

from __future__ import annotations

from typing import Any

import pytest

from dingbell.bootstrap import Service
from dingbell.domain.audience import Audience
from dingbell.domain.followup import FollowUp
from dingbell.engine.path.settler.follow_ups import prepare
from dingbell.operations import directory, runs, schedules
from dingbell.operations.context import Operations
from dingbell.store import rules
from dingbell.store.connection import transaction
from dingbell.store.ledger import retention

from .conftest import RunService, Truth, final, until
from .given import listed, overview, quiet_now, runs_of, soon, spec


async def follow_ups(desk: Operations, parent: int) -> list[dict[str, Any]]:
    found = await listed(desk, limit=100)
    return [one for one in reversed(found) if one["parent"] == parent]


async def steps_of(desk: Operations, parent: int, count: int) -> list[dict[str, Any]]:
    async def there() -> list[dict[str, Any]] | None:
        found = await follow_ups(desk, parent)
        return found if len(found) == count else None

    found: list[dict[str, Any]] = await until(there)
    return found


async def test_only_who_has_not_read_is_reminded_and_managers_hear_of_their_own(
    desk: Operations, service: Service, truth: Truth
) -> None:
    await directory.synchronise(desk, None)
    company = (await truth.get("people"))["people"]
    # Those who ever read do so at once; some never do.
    await truth.post("limits", {"reading_seconds": 0.1})
    never = {p["userid"] for p in company if p["never_reads"]}
    managers = {p["userid"]: p.get("manager_userid") for p in company}
    assert never
    rule = FollowUp.model_validate(
        {
            "unread_after": "4s",
            "message": {"text": "{{ person.name }}, 还没有看?"},
            "escalate": {
                "unread_after": "8s",
                "to": "managers",
                "message": {"text": "未读: {{ unread|map(attribute='userid')|join(',') }}"},
            },
        }
    )
    everyone = spec(soon(desk, 1), "read me", to=Audience(everyone=True), follow_up=rule)
    await schedules.put(desk, "s", everyone, source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    remind, escalate = await steps_of(desk, run["id"], 2)
    assert {remind["state"], escalate["state"]} == {"held"}
    reminded = await final(desk, remind["id"])
    assert {d["userid"] for d in reminded["deliveries"]} == never
    told = await final(desk, escalate["id"])
    expected: dict[str, set[str]] = {}
    for userid in never:
        if managers[userid]:
            expected.setdefault(str(managers[userid]), set()).add(userid)
    assert {d["userid"] for d in told["deliveries"]} == set(expected)
    calls = [c for c in await truth.calls() if c["msg"]["text"]["content"].startswith("未读")]
    for call in calls:
        named = set(call["msg"]["text"]["content"].removeprefix("未读: ").split(","))
        assert all(expected[userid] == named for userid in call["userids"])


async def test_nobody_is_reminded_when_all_have_read_meanwhile(
    desk: Operations, service: Service, truth: Truth
) -> None:
    rule = FollowUp.model_validate({"unread_after": "6s", "message": {"text": "reminder"}})
    await truth.post("limits", {"reading_seconds": 2.5})
    reader = next(
        p["userid"] for p in (await truth.get("people"))["people"] if not p["never_reads"]
    )
    await truth.post("limits", {"reading_seconds": 0.6})
    to = Audience(users=(reader,))
    await schedules.put(desk, "s", spec(soon(desk, 1), to=to, follow_up=rule), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    followed = await follow_ups(desk, run["id"])
    for one in followed:
        found = await final(desk, one["id"])
        assert found["deliveries"] == []
    assert len(await truth.calls()) == 1


async def test_a_follow_up_is_canceled_like_any_run(
    desk: Operations, service: Service, truth: Truth
) -> None:
    rule = FollowUp.model_validate({"unread_after": "1h", "message": {"text": "reminder"}})
    await schedules.put(desk, "s", spec(soon(desk, 1), follow_up=rule), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await truth.post("limits", {"reading_seconds": 1000})
    await final(desk, run["id"])
    (one,) = await steps_of(desk, run["id"], 1)
    assert one["held_until"] == one["due_at"]
    await runs.cancel(desk, one["id"])
    assert (await overview(desk, one["id"]))["state"] == "canceled"


async def test_a_reminder_keeps_quiet_hours(
    desk: Operations, service: Service, truth: Truth
) -> None:
    rule = FollowUp.model_validate({"unread_after": "3s", "message": {"text": "reminder"}})
    await truth.post("limits", {"reading_seconds": 1000})
    await schedules.put(desk, "s", spec(soon(desk, 0.5), follow_up=rule), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    async with transaction(desk.pool) as connection:
        await rules.put(connection, rules.QUIET_HOURS, quiet_now(desk))
    (one,) = await steps_of(desk, run["id"], 1)

    async def quiet() -> bool:
        found = await overview(desk, one["id"])
        return found["state"] == "held" and found["reason"].startswith("quiet hours")

    await until(quiet)
    assert len(await truth.calls()) == 1


async def test_a_reminder_that_comes_too_late_is_a_skipped_run_and_nobody_is_told(
    desk: Operations, run_service: RunService, truth: Truth
) -> None:
    rule = FollowUp.model_validate(
        {
            "unread_after": "1h",
            "message": {"text": "reminder"},
            "escalate": {"unread_after": "3h", "to": "managers", "message": {"text": "they"}},
        }
    )
    await truth.post("limits", {"reading_seconds": 1000})
    async with run_service() as service:
        await schedules.put(desk, "s", spec(soon(desk, 0.5), follow_up=rule), source="yaml")
        (run,) = await until(lambda: runs_of(desk, "s"))
        await final(desk, run["id"])
        async with desk.pool.acquire() as connection:
            # The run settled two hours later than it should have.
            await connection.execute("delete from runs where parent_id = $1", run["id"])
            await connection.execute("update batches set sent_at = sent_at - interval '2 h'")
        async with transaction(desk.pool) as connection:
            await prepare(connection, service.node._tracker._context, [run["id"]])
        found = await follow_ups(desk, run["id"])
    assert [one["state"] for one in found] == ["skipped", "skipped"]


async def test_a_parent_is_not_forgotten_while_its_follow_up_waits(
    desk: Operations, service: Service, truth: Truth
) -> None:
    rule = FollowUp.model_validate({"unread_after": "1h", "message": {"text": "reminder"}})
    await truth.post("limits", {"reading_seconds": 1000})
    await schedules.put(desk, "s", spec(soon(desk, 0.5), follow_up=rule), source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    await steps_of(desk, run["id"], 1)
    async with transaction(desk.pool) as connection:
        assert await retention.forget(connection, desk.clock.now()) == 0


@pytest.mark.parametrize(("long_list", "notices"), [("shorten", 1), ("split", 2)])
async def test_a_list_longer_than_a_notice_is_shortened_or_split_as_its_author_wants(
    desk: Operations, service: Service, truth: Truth, long_list: str, notices: int
) -> None:
    await directory.synchronise(desk, None)
    await truth.post("limits", {"reading_seconds": 3600})
    company = [p["userid"] for p in (await truth.get("people"))["people"]]
    # Most of a notice is taken: some of the 40 names fit into the rest.
    words = "x" * 1500 + " {{ unread|map(attribute='userid')|join(',') }}"
    rule = FollowUp.model_validate(
        {
            "unread_after": "2s",
            "message": {"text": "{{ person.name }}?"},
            "escalate": {
                "unread_after": "4s",
                "to": {"users": ["manager4220"]},
                "message": {"text": words},
                "long_list": long_list,
            },
        }
    )
    everyone = spec(soon(desk, 1), "read me", to=Audience(everyone=True), follow_up=rule)
    await schedules.put(desk, "s", everyone, source="yaml")
    (run,) = await until(lambda: runs_of(desk, "s"))
    await final(desk, run["id"])
    steps = await steps_of(desk, run["id"], 1 + notices) if notices == 1 else None
    steps = steps or await until(lambda: _all_told(desk, run["id"], 3))
    for step in steps[1:]:
        await final(desk, step["id"])
    told = [c["msg"]["text"]["content"] for c in await truth.calls() if "xxx" in str(c["msg"])]
    assert len(told) == notices
    if long_list == "split":
        named = [name for text in told for name in text.rpartition(" ")[2].split(",")]
        assert sorted(named) == sorted(set(company) & set(named))
        assert len(named) >= 36
    else:
        assert f"runs show {run['id']} --state unread" in told[0]


async def _all_told(desk: Operations, parent: int, count: int) -> list[dict[str, Any]] | None:
    found = await follow_ups(desk, parent)
    return found if len(found) == count else None
