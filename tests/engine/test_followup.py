"""Those who have not read are reminded with other words; then somebody is told who they are."""

from __future__ import annotations

from typing import Any

from dingbell.bootstrap import Service
from dingbell.domain.audience import Audience
from dingbell.domain.followup import FollowUp
from dingbell.operations import people, reports, schedules
from dingbell.operations.desk import Desk

from .conftest import Truth, final, until
from .given import firings_of, soon, spec


async def follow_ups(desk: Desk, parent: int) -> list[dict[str, Any]]:
    found = await reports.listed(desk, limit=100)
    return [one for one in reversed(found) if one["parent"] == parent]


async def steps_of(desk: Desk, parent: int, count: int) -> list[dict[str, Any]]:
    async def there() -> list[dict[str, Any]] | None:
        found = await follow_ups(desk, parent)
        return found if len(found) == count else None

    found: list[dict[str, Any]] = await until(there)
    return found


async def test_only_who_has_not_read_is_reminded_and_managers_hear_of_their_own(
    desk: Desk, service: Service, truth: Truth
) -> None:
    await people.synchronise(desk, None)
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
    (firing,) = await until(lambda: firings_of(desk, "s"))
    await final(desk, firing["id"])
    remind, escalate = await steps_of(desk, firing["id"], 2)
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
    desk: Desk, service: Service, truth: Truth
) -> None:
    rule = FollowUp.model_validate({"unread_after": "6s", "message": {"text": "reminder"}})
    await truth.post("limits", {"reading_seconds": 2.5})
    reader = next(
        p["userid"] for p in (await truth.get("people"))["people"] if not p["never_reads"]
    )
    await truth.post("limits", {"reading_seconds": 0.6})
    to = Audience(users=(reader,))
    await schedules.put(desk, "s", spec(soon(desk, 1), to=to, follow_up=rule), source="yaml")
    (firing,) = await until(lambda: firings_of(desk, "s"))
    await final(desk, firing["id"])
    followed = await follow_ups(desk, firing["id"])
    for one in followed:
        found = await final(desk, one["id"])
        assert found["deliveries"] == []
    assert len(await truth.calls()) == 1


async def test_a_follow_up_is_canceled_like_any_firing(
    desk: Desk, service: Service, truth: Truth
) -> None:
    rule = FollowUp.model_validate({"unread_after": "1h", "message": {"text": "reminder"}})
    await schedules.put(desk, "s", spec(soon(desk, 1), follow_up=rule), source="yaml")
    (firing,) = await until(lambda: firings_of(desk, "s"))
    await truth.post("limits", {"reading_seconds": 1000})
    await final(desk, firing["id"])
    (one,) = await steps_of(desk, firing["id"], 1)
    assert one["held_until"] == one["due_at"]
    await reports.cancel(desk, one["id"])
    assert (await reports.overview(desk, one["id"]))["state"] == "canceled"
