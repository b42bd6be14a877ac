"""What the tests of the engine ask for: orders, schedules, and a look at what came of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.operations import reports, sending
from dingbell.operations.desk import Desk

SEND = "/topapi/message/corpconversation/asyncsend_v2"


def order(text: str = "hello", *userids: str, **options: Any) -> sending.Order:
    """An order to these people, or to everyone; what an order does not know is a policy."""
    to = options.pop("to", None) or (
        Audience(users=userids) if userids else Audience(everyone=True)
    )
    own = {key: options.pop(key) for key in ("request_id", "cool_down", "app") if key in options}
    policies = Policies.model_validate(options)
    return sending.Order(to, Message({"text": text}), policies=policies, **own)


async def send(desk: Desk, one: sending.Order, *, by: str | None = None) -> int:
    found = await sending.outlook(desk, one)
    return await sending.send(desk, one, people=len(found.userids), by=by)


def spec(when: dict[str, Any], text: str = "tick", **options: Any) -> ScheduleSpec:
    to = options.pop("to", Audience(users=("manager4220",)))
    return ScheduleSpec(when=when, to=to, message=Message({"text": text}), **options)


def soon(desk: Desk, seconds: float) -> dict[str, str]:
    return {"once": (desk.clock.now() + timedelta(seconds=seconds)).isoformat()}


async def firings_of(desk: Desk, name: str) -> list[dict[str, Any]]:
    return await reports.listed(desk, limit=100, schedule=name)


def quiet_now(desk: Desk, seconds: float = 3600, **options: str) -> dict[str, str]:
    """Quiet hours that lie around the present."""
    now = desk.clock.now().astimezone(SHANGHAI)
    start, end = now - timedelta(hours=1), now + timedelta(seconds=max(seconds, 60))
    return {"from": f"{start:%H:%M}", "to": f"{end:%H:%M}", **options}
