"""Operations on forecasts: what will happen to each person of a send or a schedule, and its price.

Made of the same parts that planning uses, so that it says what will be done.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Any

from dingbell.clock import SHANGHAI, beijing_day
from dingbell.directory.sync import Progress
from dingbell.domain.audience import Audience
from dingbell.domain.batching import Draft, body_hash
from dingbell.domain.budget import look_plan, month_of
from dingbell.domain.message import Message
from dingbell.domain.preflight import DELIVERED, Outlook, Reason, expectation
from dingbell.domain.priority import rank
from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.domain.triggers import parse_zone
from dingbell.errors import InputError, OutsideError, Text
from dingbell.operations import apps, people
from dingbell.operations.desk import Desk
from dingbell.planning import pace
from dingbell.planning.denial import DenyList
from dingbell.planning.drafts import Brief, Whom, draft_audience
from dingbell.store import foresight, spending
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire

__all__ = ["Question", "look_ahead", "of_schedule", "present", "repeats", "told_of", "warnings"]

# A person whose message a function makes is forecast without its words.
_UNKNOWN_WORDS = Message({"text": "…"})
# Progress and result once; the looks for reading come after.
_FIRST_LOOKS = 2
_MOST_INSTANTS = 1_500


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about.

    Attributes:
        message: None where a function will make it: what depends on its words is left out.
        at: when the first call would be made.
        schedule: its name, for templates.
        repeated: whether the schedule says these words earlier on that day itself.
    """

    app: App
    audience: Audience
    message: Message | None
    policies: Policies
    at: datetime
    variables: dict[str, Any]
    repeated: bool = False


async def look_ahead(
    desk: Desk,
    question: Question,
    *,
    thorough: bool = True,
    progress: Progress = lambda _: None,
) -> Outlook:
    """Say what would happen to everybody; nothing is sent or reserved.

    Args:
        desk: where.
        question: what.
        thorough: read the directory even where userids alone are named, if it was never read;
            where that is not permitted, nothing is known of these people.
        progress: told how many people have been read.

    Raises:
        InputError: the audience or the message does not work.
    """
    app = question.app
    if thorough or (question.message is not None and question.message.is_personal):
        with suppress(OutsideError):
            await people.ensure(desk, app, progress=progress)
    userids = await people.resolve(desk, app, question.audience, progress=progress)
    async with acquire(desk.pool) as connection:
        paces = await pace.paces_of(connection, [app.id], desk.pace, lock=False)
        denied = await DenyList().of(connection, [app.org])
        brief = Brief(
            app.org,
            question.message or _UNKNOWN_WORDS,
            question.variables,
            paces[app.id].most_people,
            denied.get(app.org, frozenset()),
        )
        coarse = question.policies.tracking == "coarse"
        whom = Whom(app.id, question.audience, coarse, question.at, userids)
        drafts = await draft_audience(lambda: nullcontext(connection), desk.clock, brief, whom)
        if coarse:
            reasons = dict.fromkeys(userids, Reason.UNTRACKED.value)
        else:
            reasons = await _reasons(desk, connection, question, drafts)
        sent = [draft for draft in drafts if draft.reason is None]
        usage = (
            await spending.usage(
                connection,
                [app.org],
                month_of(desk.clock.now()),
                default_limit=desk.allowance.monthly_calls,
            )
        )[app.org]
        return Outlook(
            calls=len(sent),
            looks=len(sent) * (1 if coarse else _FIRST_LOOKS + len(look_plan(usage))),
            seconds=await _seconds(desk, connection, question, paces, sent),
            userids=tuple(userids),
            reasons=reasons,
            usage=usage,
            words={u: d.words for d in drafts if d.words is not None for u in d.userids},
        )


async def _reasons(
    desk: Desk, connection: Connection, question: Question, drafts: list[Draft]
) -> dict[str, str]:
    """Why people would not be reached: set aside, known from the tables, or repeated."""
    aside = {u: d.reason.value for d in drafts if d.reason is not None for u in d.userids}
    bodies = [
        (userid, body_hash(draft.body) if question.message else b"")
        for draft in drafts
        if draft.reason is None
        for userid in draft.userids
    ]
    known = await foresight.of_people(
        connection,
        bodies,
        app_id=question.app.id,
        org=question.app.org,
        at=question.at,
        daily_cap=desk.allowance.daily_per_person,
    )
    if question.repeated:
        known = dict.fromkeys((userid for userid, _ in bodies), Reason.REPEAT.value) | known
    return aside | known


async def _seconds(
    desk: Desk,
    connection: Connection,
    question: Question,
    paces: dict[int, pace.AppPace],
    sent: list[Draft],
) -> float:
    """From the due instant to the last call, after everything that is queued already."""
    policies, app_id = question.policies, question.app.id
    sizes = tuple(draft.size for draft in sent)
    wanted = pace.Wanted(
        app_id,
        question.at,
        sizes,
        rank(policies.priority, sum(sizes), paces[app_id].most_people),
        *([policies.spread] if policies.spread else []),
    )
    now = desk.clock.now()
    # Reading the directory and rendering take a while, which the send itself will not.
    began = max(question.at, now)
    async with connection.transaction(readonly=True):
        (slots,) = await pace.reserve_slots(connection, [wanted], paces, now=now)
    return (max(slots, default=began) - began).total_seconds()


async def of_schedule(
    desk: Desk,
    name: str,
    spec: ScheduleSpec,
    *,
    thorough: bool = True,
    progress: Progress = lambda _: None,
) -> Outlook | None:
    """The forecast of a schedule's next occurrence; None when there is none. See `look_ahead`."""
    app = await apps.chosen(desk, spec.app)
    now = desk.clock.now()
    at = spec.trigger().next_after(now)
    if at is None:
        return None
    question = Question(
        app,
        spec.to,
        spec.message,
        spec,
        at,
        _variables(name, spec, at),
        repeated=_said_before(name, spec, now, at),
    )
    return await look_ahead(desk, question, thorough=thorough, progress=progress)


def told_of(outlook: Outlook) -> Text | None:
    """One line about those who are not expected to be reached; None when there are none."""
    if outlook.spotless:
        return None
    found = outlook.totals()
    delivered = found.pop(DELIVERED, 0)
    counts = ", ".join(f"{state} {count}" for state, count in found.items())
    return Text(
        "{delivered} of {people} people are expected to get it ({counts})",
        "预计 {people} 人中有 {delivered} 人收到 ({counts})",
    ).format(delivered=delivered, people=len(outlook.userids), counts=counts)


def _variables(name: str, spec: ScheduleSpec, at: datetime) -> dict[str, Any]:
    return {"due": at.astimezone(parse_zone(spec.timezone)), "schedule": name}


def _said_before(name: str, spec: ScheduleSpec, now: datetime, at: datetime) -> bool:
    """Whether a schedule says the same words before an instant, later than now on the same day."""
    words = _words(name, spec, at)
    earlier = spec.trigger().after(max(now, beijing_day(at)))
    return words is not None and any(
        words == _words(name, spec, one)
        for one in islice(takewhile(lambda found: found < at, earlier), _MOST_INSTANTS)
    )


def _words(name: str, spec: ScheduleSpec, at: datetime) -> bytes | None:
    """What a schedule says to anybody at an instant; None where only a real person shows it."""
    if spec.message is None:
        return None
    try:
        return spec.message.body({**_variables(name, spec, at), "person": _Anybody()})
    except InputError:
        return None  # of real people it is told one by one


class _Anybody(dict[str, str]):
    """A person of whom every attribute is the same short word."""

    def __missing__(self, name: str) -> str:
        return "x"


def repeats(name: str, spec: ScheduleSpec, now: datetime) -> tuple[datetime, datetime] | None:
    """The first two instants on one Beijing day at which a schedule says the same words.

    That is legal; DingTalk drops the second for everybody (143106).
    """
    last: tuple[datetime, bytes] | None = None
    for place, instant in enumerate(spec.trigger().after(now)):
        words = _words(name, spec, instant)
        if place >= _MOST_INSTANTS or words is None:
            return None
        if last and last[1] == words and beijing_day(last[0]) == beijing_day(instant):
            return last[0], instant
        last = instant, words
    return None


def present(outlook: Outlook) -> dict[str, Any]:
    """A forecast as JSON, person by person."""
    usage = outlook.usage
    return {
        "calls": outlook.calls,
        "seconds": round(outlook.seconds, 3),
        "budget": {"used": usage.used, "limit": usage.limit, "cost": outlook.cost},
        "totals": outlook.totals(),
        "people": [_person(outlook, userid) for userid in outlook.userids],
    }


def _person(outlook: Outlook, userid: str) -> dict[str, Any]:
    found = expectation(outlook.reasons.get(userid))
    why = outlook.why(userid)
    return {
        "userid": userid,
        "expected": found.expected,
        "code": found.code,
        "reason": why,
    }


def warnings(name: str, spec: ScheduleSpec, now: datetime) -> list[Text]:
    """What the author of a schedule should know before it is saved, apart from people."""
    found = repeats(name, spec, now)
    if found is None:
        return []
    first, second = (one.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") for one in found)
    return [
        Text(
            "the same words at {first} and {second}: DingTalk drops the second for everybody "
            "(143106)",
            "{first} 与 {second} 内容相同: 钉钉会对所有人丢弃第二条 (143106)",
        ).format(first=first, second=second)
    ]
