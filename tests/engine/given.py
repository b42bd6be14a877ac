"""What the tests of the engine ask for: orders, schedules, and a look at what came of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.operations import accounts, runs, sending
from dingbell.operations.context import Operations

SEND = "/topapi/message/corpconversation/asyncsend_v2"


def order(text: str = "hello", *userids: str, **options: Any) -> sending.Order:
    """An order to these people, or to everyone; what an order does not know is a policy."""
    to = options.pop("to", None) or (
        Audience(users=userids) if userids else Audience(everyone=True)
    )
    own = {key: options.pop(key) for key in ("request_id", "cool_down", "app") if key in options}
    policies = Policies.model_validate(options)
    return sending.Order(to, Message({"text": text}), policies=policies, **own)


async def as_account(desk: Operations, name: str) -> Operations:
    """What an account may do on the command line."""
    return desk.as_(await accounts.actor_of(desk, name, "cli"))


async def send(desk: Operations, one: sending.Order, *, by: str | None = None) -> int:
    asking = desk if by is None else await as_account(desk, by)
    found = await sending.outlook(asking, one)
    return await sending.send(asking, one, people=len(found.userids))


async def overview(desk: Operations, run_id: int) -> dict[str, Any]:
    """A run without its people, as JSON."""
    return (await runs.overview(desk, run_id)).to_json()


async def show(desk: Operations, run_id: int) -> dict[str, Any]:
    """A run with its people, as JSON."""
    return (await runs.show(desk, run_id, limit=10_000)).to_json()


async def shown_page(desk: Operations, run_id: int, people: runs.People) -> list[str]:
    """The userids of some people of a run."""
    page = await runs.show(desk, run_id, people, limit=1_000)
    return [one.userid for one in page.deliveries]


async def listed(desk: Operations, **wanted: Any) -> list[dict[str, Any]]:
    """Runs, as JSON."""
    return [one.to_json() for one in (await runs.listed(desk, **{"limit": 100, **wanted})).items]


def spec(when: dict[str, Any], text: str = "tick", **options: Any) -> ScheduleSpec:
    to = options.pop("to", Audience(users=("manager4220",)))
    return ScheduleSpec(when=when, to=to, message=Message({"text": text}), **options)


def soon(desk: Operations, seconds: float) -> dict[str, str]:
    return {"once": (desk.clock.now() + timedelta(seconds=seconds)).isoformat()}


async def runs_of(desk: Operations, name: str) -> list[dict[str, Any]]:
    return await listed(desk, schedule=name)


def quiet_now(desk: Operations, seconds: float = 3600, **options: str) -> dict[str, str]:
    """Quiet hours that lie around the present."""
    now = desk.clock.now().astimezone(SHANGHAI)
    start, end = now - timedelta(hours=1), now + timedelta(seconds=max(seconds, 60))
    return {"from": f"{start:%H:%M}", "to": f"{end:%H:%M}", **options}
