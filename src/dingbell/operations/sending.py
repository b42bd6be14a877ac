"""Operations on manual sends: say what it would take, then do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from dingbell.clock import SHANGHAI
from dingbell.directory.sync import Progress
from dingbell.domain.audience import Audience
from dingbell.domain.gates import Decision, Gated, Hold, Proceed, Rules, decide, state_of
from dingbell.domain.message import Message
from dingbell.domain.preflight import Outlook
from dingbell.domain.run import Kind, Manual
from dingbell.domain.schedule import Policies
from dingbell.errors import ConflictError, Text
from dingbell.operations import approvals, apps
from dingbell.operations.desk import Desk
from dingbell.operations.preflight import Question, look_ahead
from dingbell.planning import wakeups
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

    def spec(self) -> Manual:
        """What the firing keeps."""
        policies = {name: getattr(self.policies, name) for name in Policies.model_fields}
        return Manual(to=self.audience, message=self.message, **policies)


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
        fate = await _fate(connection, order, people, by, now)
        new = firings.NewFiring(
            schedule_id=None,
            schedule=None,
            revision=0,
            kind=Kind.SEND,
            key=order.request_id,
            app_id=app.id,
            org=app.org,
            function=None,
            spec=order.spec(),
            due_at=now + order.cool_down,
            state=state_of(fate),
            cause=None if isinstance(fate, Proceed) else fate.cause,
            held_until=fate.until if isinstance(fate, Hold) else None,
            requested_by=by,
        )
        created = await firings.create(connection, [new], now)
        if not created:
            raise ConflictError(Text("this request was made before", "该请求已提交过"))
        firing_id = created[0][0]
        await jobs.enqueue(connection, _jobs(firing_id, fate))
    return firing_id


async def _fate(
    connection: Connection, order: Order, people: int, by: str | None, now: datetime
) -> Decision:
    """Whether a send goes at once, or is held: why, and until when."""
    due = now + order.cool_down
    gated = Gated(
        Kind.SEND,
        order.spec(),
        due,
        approved=not await approvals.needed(connection, order.audience, people, by=by),
        cool_down_until=due if order.cool_down else None,
    )
    return decide(gated, now, Rules(await rules.quiet_hours(connection)))


def _jobs(firing_id: int, fate: Decision) -> list[jobs.Job]:
    if isinstance(fate, Proceed):
        return [wakeups.plan([firing_id], None, asked_for=True)]
    until = fate.until if isinstance(fate, Hold) else None
    return [wakeups.release([firing_id], until)] if until else []
