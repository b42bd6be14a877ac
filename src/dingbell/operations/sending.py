"""Operations on manual sends: say what it would take, then do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal
from uuid import uuid4

from dingbell.clock import SHANGHAI
from dingbell.directory.sync import Progress
from dingbell.domain.audience import Audience
from dingbell.domain.batching import Draft, cut
from dingbell.domain.message import Message
from dingbell.domain.schedule import Policies
from dingbell.domain.slots import Load, Pace, reserve
from dingbell.errors import ConflictError, Text
from dingbell.operations import apps, people
from dingbell.operations.desk import Desk
from dingbell.store import directory, firings, jobs
from dingbell.store.apps import App
from dingbell.store.connection import transaction

__all__ = ["APPROVAL_OVER", "Order", "Price", "price", "send"]

# Above so many people, or for everyone, a person has to say yes.
APPROVAL_OVER = 1_000


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent to whom, now."""

    audience: Audience
    message: Message
    app: str | None = None
    tracking: Literal["people", "coarse", "auto"] = "auto"
    on_ambiguous: Literal["resend", "hold"] = "resend"
    request_id: str = field(default_factory=lambda: uuid4().hex)

    def spec(self) -> dict[str, Any]:
        """The form in which the firing keeps it."""
        policies = Policies(tracking=self.tracking, on_ambiguous=self.on_ambiguous)
        return {
            "to": self.audience.to_dict(),
            "message": self.message.to_dict(),
            **policies.model_dump(mode="json", exclude_defaults=True),
        }


@dataclass(frozen=True, slots=True)
class Price:
    """What a send takes.

    Attributes:
        userids: who is meant.
        calls: how many send calls.
        seconds: from the first call to the last, at the pace of app and org, when nothing else is
            being sent.
        needs_yes: whether a person has to confirm.
    """

    userids: tuple[str, ...]
    calls: int
    seconds: float
    needs_yes: bool


async def price(desk: Desk, order: Order, *, progress: Progress = lambda _: None) -> Price:
    """Work out whom a send reaches and what it takes; nothing is sent.

    Raises:
        InputError: the audience or the message does not work.
    """
    async with desk.pool.acquire() as connection:
        app = await apps.find(desk, connection, order.app)
    userids = await people.resolve(desk, app, order.audience, progress=progress)
    drafts = await _drafts(desk, app, order, userids)
    return Price(
        userids=tuple(userids),
        calls=len(drafts),
        seconds=_seconds(desk, app, [draft.size for draft in drafts]),
        needs_yes=order.audience.everyone or len(userids) > APPROVAL_OVER,
    )


async def _drafts(desk: Desk, app: App, order: Order, userids: list[str]) -> list[Draft]:
    variables = {"due": desk.clock.now().astimezone(SHANGHAI), "schedule": None}
    message = order.message
    if order.tracking == "coarse":
        targets = len(order.audience.departments) or 1
        return [Draft(b"", (), ceil(len(userids) / targets)) for _ in range(targets)]
    app_pace, org_pace = _paces(desk, app)
    most = min(message.people_per_call, app_pace.people_per_minute, org_pace.people_per_minute)
    if not message.is_personal:
        body = message.body(variables)
        return cut([(userid, body) for userid in userids], most)
    async with desk.pool.acquire() as connection:
        known = await directory.people(connection, app.org, userids)
    return cut(
        (
            (userid, message.body({**variables, "person": known.get(userid, {"userid": userid})}))
            for userid in userids
        ),
        most,
    )


def _paces(desk: Desk, app: App) -> tuple[Pace, Pace]:
    """The pace of an app, and of its org."""
    return (
        Pace(
            app.people_per_minute or desk.pace.people_per_minute,
            app.calls_per_second or desk.pace.calls_per_second,
        ),
        Pace(app.org_people_per_minute or desk.pace.people_per_minute),
    )


def _seconds(desk: Desk, app: App, sizes: list[int]) -> float:
    pace, org = _paces(desk, app)
    nothing: list[Load] = []
    most = min(pace.people_per_minute, org.people_per_minute)
    fitting = [min(size, most) for size in sizes]
    slots = reserve(0.0, fitting, app=pace, org=org, app_load=nothing, org_load=nothing)
    return slots[-1] if slots else 0.0


async def send(desk: Desk, order: Order) -> int:
    """Send now; return the firing's id. The same request id sends once.

    Raises:
        InputError: the app is not known.
        ConflictError: this request was made before.
    """
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app = await apps.find(desk, connection, order.app)
        created = await firings.create(
            connection,
            [
                firings.NewFiring(
                    schedule_id=None,
                    schedule=None,
                    revision=0,
                    kind="send",
                    key=order.request_id,
                    app_id=app.id,
                    org=app.org,
                    function=None,
                    spec=order.spec(),
                    due_at=now,
                )
            ],
            now,
        )
        if not created:
            raise ConflictError(Text("this request was made before", "该请求已提交过"))
        firing_id = created[0][0]
        await jobs.enqueue(connection, [jobs.Job("plan", [firing_id], priority=1)])
    return firing_id
