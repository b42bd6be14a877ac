"""Operations on forecasts: what will happen to each person of a send or a schedule, and its price.

Made of the same parts that planning uses, so that it says what will be done.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from dingbell.directory.sync import Progress
from dingbell.domain.audience import Audience
from dingbell.domain.batching import Draft, body_hash
from dingbell.domain.budget import month_of, poll_plan
from dingbell.domain.day_limit import DayLimit
from dingbell.domain.forecast import Forecast, Reason, prediction
from dingbell.domain.message import Message
from dingbell.domain.priority import rank
from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.errors import OutsideError
from dingbell.operations import apps, directory
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.repeats import said_before
from dingbell.operations.views import View, Words
from dingbell.planning import reservation, rows
from dingbell.planning.day_limits import Planned, keep_within
from dingbell.planning.denial import DenyList
from dingbell.planning.drafting import Brief, Whom, draft_audience
from dingbell.planning.uploading import KEPT
from dingbell.planning.words import resolved
from dingbell.store import media, spending
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire
from dingbell.store.datasets import Dataset
from dingbell.store.ledger import forecasts

__all__ = [
    "ExpectedPerson",
    "ForecastBudget",
    "ForecastView",
    "Question",
    "look_ahead",
    "next_question",
    "of_schedule",
    "outlook",
    "prepare",
    "present",
    "ready",
    "run_question",
]

# A person whose message a function makes is forecast without its words.
_UNKNOWN_WORDS = Message({"text": "…"})
# Progress and result once; the looks for reading come after.
_FIRST_POLLS = 2


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about.

    Attributes:
        message: None where a function will make it: what depends on its words is left out.
        at: when the first call would be made.
        schedule: its name, for templates.
        repeated: whether the schedule says these words earlier on that day itself.
        may_be_empty: whether it may turn out that nobody is meant.
        name: the schedule, where it is one.
        rows: the dataset in which each person has a row.
    """

    app: App
    audience: Audience
    message: Message | None
    policies: Policies
    at: datetime
    variables: dict[str, Any]
    repeated: bool = False
    may_be_empty: bool = False
    name: str | None = None
    rows: str | None = None

    @property
    def day(self) -> date:
        """The due day, where it is due."""
        due: datetime = self.variables["due"]
        return due.date()

    @property
    def coarse(self) -> bool:
        """Whether departments are sent to as they are."""
        return self.policies.tracking == "coarse"


class ExpectedPerson(View):
    """What is expected of a person, and why."""

    userid: str
    expected: str
    code: str | None
    reason: Words | None


class ForecastBudget(View):
    """What the org has spent of its month, and what this would take."""

    used: int
    limit: int | None
    cost: int


class ForecastView(View):
    """What a send, or the next occurrence of a schedule, would do to each person, and its price.

    Attributes:
        calls: how many send calls.
        seconds: from the due instant to the last call.
        totals: how many people are expected to end how.
        notes: what else to know, such as rows that reach nobody.
    """

    calls: int
    seconds: float
    budget: ForecastBudget
    totals: dict[str, int]
    people: tuple[ExpectedPerson, ...]
    notes: tuple[Words, ...] = ()


async def look_ahead(
    ops: Operations,
    question: Question,
    *,
    thorough: bool = True,
    progress: Progress = lambda _: None,
) -> Forecast:
    """Say what would happen to everybody; nothing is sent or reserved.

    Args:
        ops: where, and who asks.
        question: what.
        thorough: read the directory even where userids alone are named, if it was never read;
            where that is not permitted, nothing is known of these people.
        progress: told how many people have been read.

    Raises:
        InputError: the audience or the message does not work.
    """
    ops.may(Operation.FORECASTS_SEE)
    await prepare(ops, question, thorough=thorough, progress=progress)
    async with acquire(ops.pool) as connection:
        return await outlook(ops, connection, question)


async def prepare(
    ops: Operations,
    question: Question,
    *,
    thorough: bool,
    progress: Progress = lambda _: None,
) -> None:
    """Read the directory that a question needs, if it was never read; see `look_ahead`."""
    ops.may(Operation.FORECASTS_SEE)
    app = question.app
    if thorough or (question.message is not None and question.message.is_personal):
        with suppress(OutsideError):
            await directory.ensure(ops, app, progress=progress)
    if question.audience.needs_directory():
        await directory.ensure(ops, app, progress=progress)
        await directory.ask_sources(ops, question.audience)


async def outlook(ops: Operations, connection: Connection, question: Question) -> Forecast:
    """The same by the directory as it was read, in the caller's transaction if one is open.

    Raises:
        InputError: the audience or the message does not work.
    """
    app = question.app
    data = await rows.newest(connection, app.org, question.rows)
    if question.message is not None:
        question = replace(question, message=await ready(connection, app, question.message, ops))
    userids = await directory.resolve(
        ops,
        connection,
        app.org,
        question.audience,
        day=question.day,
        may_be_empty=question.may_be_empty,
    )
    paces = await reservation.paces_of(connection, [app.id], ops.pace, lock=False)
    drafts, reasons = await _drafts(ops, connection, question, userids, paces, data)
    sent = [draft for draft in drafts if draft.reason is None]
    month = month_of(ops.clock.now())
    limit = ops.allowance.monthly_calls
    usage = (await spending.usage(connection, [app.org], month, default_limit=limit))[app.org]
    polls = 1 if question.coarse else _FIRST_POLLS + len(poll_plan(usage))
    return Forecast(
        calls=len(sent),
        polls=len(sent) * polls,
        seconds=await _seconds(ops, connection, question, paces, sent),
        userids=tuple(userids),
        reasons=reasons,
        usage=usage,
        words={u: d.words for d in drafts if d.words is not None for u in d.userids},
        notes=await rows.told(connection, data, question.message, userids),
    )


async def ready(connection: Connection, app: App, message: Message, ops: Operations) -> Message:
    """A message with what its template says, and the ids of the files that DingTalk has already.

    Raises:
        InputError: there is no such template.
    """
    found, _ = await resolved(connection, message)
    if not found.uploads:
        return found
    since = ops.clock.now() - KEPT
    return found.with_media(await media.known(connection, app.id, found.uploads, since=since))


async def _drafts(
    ops: Operations,
    connection: Connection,
    question: Question,
    userids: list[str],
    paces: dict[int, reservation.AppPace],
    data: Dataset | None,
) -> tuple[list[Draft], dict[str, str]]:
    """The batches that would be made, and why people would not be reached."""
    app = question.app
    denied = await DenyList().of(connection, [app.org])
    brief = Brief(
        app.org,
        question.message or _UNKNOWN_WORDS,
        question.variables,
        paces[app.id].most_people,
        denied.get(app.org, frozenset()),
        rows=data,
    )
    whom = Whom(app.id, question.audience, question.coarse, question.at, userids)
    drafts = await draft_audience(lambda: nullcontext(connection), ops.clock, brief, whom)
    drafts = await _within_day_limits(connection, question, drafts)
    if question.coarse:
        return drafts, dict.fromkeys(userids, Reason.UNTRACKED.value)
    return drafts, await _reasons(ops, connection, question, drafts)


async def _within_day_limits(
    connection: Connection, question: Question, drafts: list[Draft]
) -> list[Draft]:
    """Set those aside who have had as many notices that day as is allowed."""
    policies = question.policies
    expires: datetime | None = None
    own = DayLimit(over_limit=policies.over_limit)
    if isinstance(policies, ScheduleSpec):
        own = own.model_copy(update={"per_person_per_day": policies.per_person_per_day})
        after = policies.expires_after
        expires = None if after is None else question.at + after
    planned = Planned(
        question.app.org,
        question.app.id,
        question.name,
        question.at,
        own,
        drafts,
        exempt=policies.priority == "urgent",
        expires=expires,
    )
    (kept,) = await keep_within(connection, [planned])
    return list(kept)


async def _reasons(
    ops: Operations, connection: Connection, question: Question, drafts: list[Draft]
) -> dict[str, str]:
    """Why people would not be reached: set aside, known from the tables, or repeated."""
    aside = {u: d.reason.value for d in drafts if d.reason is not None for u in d.userids}
    bodies = [
        (userid, body_hash(draft.body) if question.message else b"")
        for draft in drafts
        if draft.reason is None
        for userid in draft.userids
    ]
    known = await forecasts.of_people(
        connection,
        bodies,
        app_id=question.app.id,
        org=question.app.org,
        at=question.at,
        daily_cap=ops.allowance.daily_per_person,
    )
    if question.repeated:
        known = dict.fromkeys((userid for userid, _ in bodies), Reason.REPEAT.value) | known
    return aside | known


async def _seconds(
    ops: Operations,
    connection: Connection,
    question: Question,
    paces: dict[int, reservation.AppPace],
    sent: list[Draft],
) -> float:
    """From the due instant to the last call, after everything that is queued already."""
    policies, app_id = question.policies, question.app.id
    sizes = tuple(draft.size for draft in sent)
    wanted = reservation.Wanted(
        app_id,
        question.at,
        sizes,
        rank(policies.priority, sum(sizes), paces[app_id].most_people),
        *([policies.spread] if policies.spread else []),
    )
    now = ops.clock.now()
    # Reading the directory and rendering take a while, which the send itself will not.
    began = max(question.at, now)
    async with connection.transaction(readonly=True):
        (slots,) = await reservation.reserve_slots(connection, [wanted], paces, now=now)
    return (max(slots, default=began) - began).total_seconds()


async def of_schedule(
    ops: Operations,
    name: str,
    spec: ScheduleSpec,
    *,
    thorough: bool = True,
    progress: Progress = lambda _: None,
) -> Forecast | None:
    """The forecast of a schedule's next occurrence; None when there is none. See `look_ahead`."""
    app = await apps.chosen(ops, spec.app)
    question = next_question(app, name, spec, ops.clock.now())
    if question is None:
        return None
    return await look_ahead(ops, question, thorough=thorough, progress=progress)


def next_question(app: App, name: str, spec: ScheduleSpec, now: datetime) -> Question | None:
    """What is to be asked about the next occurrence of a schedule; None when there is none."""
    at = spec.trigger().next_after(now)
    if at is None:
        return None
    return Question(
        app,
        spec.to,
        spec.message,
        spec,
        at,
        spec.seen_by(name, at),
        repeated=said_before(name, spec, now, at),
        may_be_empty=True,
        name=name,
        rows=spec.rows,
    )


def run_question(app: App, name: str, spec: ScheduleSpec, now: datetime) -> Question:
    """What is to be asked about a schedule that is run by hand."""
    variables = spec.seen_by(name, now)
    return Question(
        app,
        spec.to,
        spec.message,
        spec,
        now,
        variables,
        may_be_empty=True,
        name=name,
        rows=spec.rows,
    )


def present(outlook: Forecast) -> ForecastView:
    """A forecast, person by person."""
    usage = outlook.usage
    return ForecastView(
        calls=outlook.calls,
        seconds=round(outlook.seconds, 3),
        budget=ForecastBudget(used=usage.used, limit=usage.limit, cost=outlook.cost),
        totals=outlook.totals(),
        people=tuple(_person(outlook, userid) for userid in outlook.userids),
        notes=outlook.notes,
    )


def _person(outlook: Forecast, userid: str) -> ExpectedPerson:
    found = prediction(outlook.reasons.get(userid))
    return ExpectedPerson(
        userid=userid, expected=found.expected, code=found.code, reason=outlook.why(userid)
    )
