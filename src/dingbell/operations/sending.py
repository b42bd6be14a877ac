"""Operations on manual sends: say what it would take, then do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from dingbell.clock import SHANGHAI
from dingbell.directory.sync import Progress
from dingbell.domain.audience import Audience
from dingbell.domain.lifecycle import Firing
from dingbell.domain.message import Message
from dingbell.domain.preflight import Outlook
from dingbell.domain.schedule import Policies
from dingbell.errors import ConflictError, Text
from dingbell.intake import identifier
from dingbell.operations import approvals, apps
from dingbell.operations.desk import Desk
from dingbell.operations.preflight import Question, look_ahead
from dingbell.store import firings, jobs, rules
from dingbell.store.connection import Connection, transaction

__all__ = ["Order", "needs_yes", "outlook", "send"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent to whom, now.

    Attributes:
        app: the app's name, where there are several.
        policies: how it is sent.
        cool_down: how long it is held first, so that it can still be canceled.
        request_id: the same id sends once.
    """

    audience: Audience
    message: Message
    app: str | None = None
    policies: Policies = Policies()
    cool_down: timedelta = timedelta(0)
    request_id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        for given in (self.app, self.request_id):
            if given is not None:
                identifier(given)

    def spec(self) -> dict[str, Any]:
        """The form in which the firing keeps it."""
        return {
            "to": self.audience.to_dict(),
            "message": self.message.to_dict(),
            **self.policies.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        }


async def outlook(
    desk: Desk, order: Order, *, thorough: bool = False, progress: Progress = lambda _: None
) -> Outlook:
    """Work out whom a send reaches, whom not and why, and what it takes; nothing is sent.

    Args:
        desk: where.
        order: what.
        thorough: read the directory for userids, too, if it was never read.
        progress: told how many people have been read.

    Raises:
        InputError: the audience or the message does not work.
    """
    app = await apps.chosen(desk, order.app)
    at = desk.clock.now() + order.cool_down
    variables = {"due": at.astimezone(SHANGHAI), "schedule": None}
    question = Question(app, order.audience, order.message, order.policies, at, variables)
    return await look_ahead(desk, question, thorough=thorough, progress=progress)


def needs_yes(order: Order, found: Outlook) -> bool:
    """Whether a person has to say yes."""
    return approvals.is_large(order.audience, len(found.userids))


async def send(desk: Desk, order: Order, *, people: int = 0, by: str | None = None) -> int:
    """Send now; return the firing's id. The same request id sends once.

    Args:
        desk: where.
        order: what.
        people: how many it goes to, from `outlook`: a large send needs a second person where the
            service has two accounts.
        by: the account that asks; None is the local command line.

    Raises:
        InputError: the app is not known.
        ConflictError: this request was made before.
    """
    now = desk.clock.now()
    async with transaction(desk.pool) as connection:
        app = await apps.find(desk, connection, order.app)
        state, reason, until = await _fate(connection, order, people, by, now)
        new = firings.NewFiring(
            schedule_id=None,
            schedule=None,
            revision=0,
            kind="send",
            key=order.request_id,
            app_id=app.id,
            org=app.org,
            function=None,
            spec=order.spec(),
            due_at=now + order.cool_down,
            state=state,
            reason=reason,
            held_until=until,
            requested_by=by,
        )
        created = await firings.create(connection, [new], now)
        if not created:
            raise ConflictError(Text("this request was made before", "该请求已提交过"))
        firing_id = created[0][0]
        await jobs.enqueue(connection, _jobs(firing_id, state, until))
    return firing_id


async def _fate(
    connection: Connection, order: Order, people: int, by: str | None, now: datetime
) -> tuple[Firing, str | None, datetime | None]:
    """Whether a send goes at once, or is held: why, and until when."""
    if await approvals.needed(connection, order.audience, people, by=by):
        return Firing.HELD, "approval: a second person has to approve", None
    due = now + order.cool_down
    quiet = order.policies.quiet(await rules.quiet_hours(connection))
    ends = quiet.end_after(due, SHANGHAI) if quiet else None
    if quiet and ends:
        reason = quiet.reason
        return (
            (Firing.SKIPPED, reason, None) if quiet.then == "skip" else (Firing.HELD, reason, ends)
        )
    if order.cool_down:
        return Firing.HELD, "cool-down: `dingbell firings cancel` stops it", due
    return Firing.DUE, None, None


def _jobs(firing_id: int, state: Firing, until: datetime | None) -> list[jobs.Job]:
    if state is Firing.DUE:
        return [jobs.Job("plan", [firing_id], priority=1)]
    return [jobs.Job("release", [firing_id], at=until)] if until else []
