"""Operations on manual sends: say what it would take, then do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from dingbell.directory.sync import Progress
from dingbell.domain.audience import Audience
from dingbell.domain.datasets import KeyKind, checked_name, name_of_send
from dingbell.domain.forecast import Forecast
from dingbell.domain.gates import Decision, Gated, Hold, Proceed, Rules, decide, state_of
from dingbell.domain.media import MediaFile
from dingbell.domain.message import Message
from dingbell.domain.run import Kind, Manual
from dingbell.domain.schedule import Policies, check_rows
from dingbell.domain.triggers import parse_zone
from dingbell.domain.variables import Vars, seen
from dingbell.domain.zones import DEFAULT
from dingbell.errors import InputError, Text
from dingbell.intake import identifier
from dingbell.operations import approvals, apps, forecasts
from dingbell.operations.actor import Actor, Operation
from dingbell.operations.context import Operations
from dingbell.operations.forecasts import Question, look_ahead
from dingbell.planning import imports, wakeups
from dingbell.store import jobs, media, rules
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import runs
from dingbell.tables import Table

__all__ = ["Order", "needs_yes", "outlook", "requested", "send", "wakeups_of"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent to whom, now.

    Attributes:
        app: the app's name, where there are several.
        policies: how it is sent.
        cool_down: how long it is held first, so that it can still be canceled.
        request_id: the same id sends once.
        vars: values for its templates.
        files: the content of the files that the message names.
        rows: a table that is brought along, or the name of a dataset, in which each has a row.
        key: what says whose a row of the table is; found by its headers if left out.
        audience: None where everybody who has a row is meant.
    """

    audience: Audience | None
    message: Message
    app: str | None = None
    policies: Policies = Policies()
    cool_down: timedelta = timedelta(0)
    request_id: str = field(default_factory=lambda: uuid4().hex)
    vars: Vars = field(default_factory=dict)
    files: tuple[MediaFile, ...] = ()
    rows: Table | str | None = None
    key: KeyKind | None = None

    def __post_init__(self) -> None:
        check_rows(self.message, self.rows)
        if isinstance(self.rows, str):
            checked_name(self.rows)
        if self.audience is None and self.rows is None:
            raise InputError(Text("say whom it goes to", "请写明发给谁"))
        for given in (self.app, self.request_id):
            if given is not None:
                identifier(given)

    @property
    def dataset(self) -> str | None:
        """The name of the dataset that its rows come from."""
        return name_of_send(self.request_id) if isinstance(self.rows, Table) else self.rows

    @property
    def to(self) -> Audience:
        """Whom it goes to."""
        return self.audience or Audience(lists=(str(self.dataset),))

    def spec(self, timezone: str = DEFAULT) -> Manual:
        """What the run keeps; dates and quiet hours are the service's zone's."""
        policies = {name: getattr(self.policies, name) for name in Policies.model_fields}
        return Manual(
            timezone=timezone,
            to=self.to,
            message=self.message,
            vars=self.vars,
            rows=self.dataset,
            **policies,
        )


async def outlook(
    ops: Operations, order: Order, *, thorough: bool = False, progress: Progress = lambda _: None
) -> Forecast:
    """Work out whom a send reaches, whom not and why, and what it takes; nothing is sent.

    Args:
        ops: where, and who asks.
        order: what.
        thorough: read the directory for userids, too, if it was never read.
        progress: told how many people have been read.

    Raises:
        InputError: the audience or the message does not work.
    """
    asked = await question(ops, order)
    if isinstance(order.rows, Table):
        await forecasts.prepare(ops, asked, thorough=thorough, progress=progress)
        return await _rehearsed(ops, order, order.rows, asked)
    return await look_ahead(ops, asked, thorough=thorough, progress=progress)


async def question(ops: Operations, order: Order) -> Question:
    """What is to be asked about a send.

    Raises:
        InputError: the app is not known.
    """
    ops.may(Operation.FORECASTS_SEE)
    app = await apps.chosen(ops, order.app)
    at = ops.clock.now() + order.cool_down
    async with acquire(ops.pool) as connection:
        zone = parse_zone(await rules.zone_name(connection))
    variables = seen(at, zone, None, order.vars)
    return Question(app, order.to, order.message, order.policies, at, variables, rows=order.dataset)


async def _rehearsed(ops: Operations, order: Order, table: Table, question: Question) -> Forecast:
    """The forecast of a send whose rows nobody keeps yet; they are taken back."""
    now = ops.clock.now()
    async with acquire(ops.pool) as connection:
        attempt = connection.transaction()
        await attempt.start()
        try:
            name = name_of_send(order.request_id)
            await imports.enter(connection, question.app.org, name, table, now, kind=order.key)
            return await forecasts.outlook(ops, connection, question)
        finally:
            await attempt.rollback()


def needs_yes(order: Order, found: Forecast) -> bool:
    """Whether a person has to say yes."""
    return approvals.is_large(order.to, len(found.userids))


async def send(ops: Operations, order: Order, *, people: int = 0) -> int:
    """Send now; return the run's id.

    The same request id sends once, and a repeat is answered with the first run's id.

    Args:
        ops: where, and who asks.
        order: what.
        people: how many it goes to, from `outlook`: a large send needs a second person where the
            service has two accounts.

    Raises:
        InputError: the app is not known.
    """
    ops.may(Operation.RUNS_SEND)
    now = ops.clock.now()
    async with transaction(ops.pool) as connection:
        app = await apps.find(ops, connection, order.app)
        await media.keep(connection, order.files, now)
        spec = order.spec(await rules.zone_name(connection))
        fate = await _fate(connection, order, spec, people, ops.actor, now)
        new = runs.NewRun(
            schedule_id=None,
            schedule=None,
            revision=0,
            kind=Kind.SEND,
            key=order.request_id,
            app_id=app.id,
            org=app.org,
            function=None,
            spec=spec,
            due_at=now + order.cool_down,
            state=state_of(fate),
            cause=None if isinstance(fate, Proceed) else fate.cause,
            held_until=fate.until if isinstance(fate, Hold) else None,
            requested_by=ops.actor.name,
        )
        created = await runs.create(connection, [new], now)
        if not created:
            made = await runs.identified(connection, None, Kind.SEND, order.request_id)
            if made is not None:
                return made
        run_id = created[0][0]
        if isinstance(order.rows, Table):
            name, by = name_of_send(order.request_id), ops.actor.name
            await imports.enter(connection, app.org, name, order.rows, now, kind=order.key, by=by)
        await jobs.enqueue(connection, wakeups_of(run_id, None, fate))
    return run_id


async def requested(ops: Operations, request_id: str) -> int | None:
    """The run that a request id has made; None where it is new."""
    ops.may(Operation.RUNS_SEND)
    async with acquire(ops.pool) as connection:
        return await runs.identified(connection, None, Kind.SEND, request_id)


async def _fate(
    connection: Connection,
    order: Order,
    spec: Manual,
    people: int,
    actor: Actor,
    now: datetime,
) -> Decision:
    """Whether a send goes at once, or is held: why, and until when."""
    due = now + order.cool_down
    gated = Gated(
        Kind.SEND,
        spec,
        due,
        approved=not await approvals.needed(connection, order.to, people, actor=actor),
        cool_down_until=due if order.cool_down else None,
    )
    return decide(gated, now, Rules(await rules.quiet_hours(connection)))


def wakeups_of(run_id: int, function: str | None, fate: Decision) -> list[jobs.Job]:
    """What a new run that a person asked for needs: to be planned, or to be let go one day."""
    if isinstance(fate, Proceed):
        return [wakeups.plan([run_id], function, asked_for=True)]
    until = fate.until if isinstance(fate, Hold) else None
    return [wakeups.release([run_id], until)] if until else []
