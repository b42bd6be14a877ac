"""Drafting: a due run → its batches in memory; audience resolved, bodies rendered.

Sources are asked first, with no connection held: they may take ten seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from dingbell.domain.audience import Audience
from dingbell.domain.batching import Draft
from dingbell.domain.followup import Escalation, FollowUp
from dingbell.domain.media import MediaFile
from dingbell.domain.message import Fillable, Message
from dingbell.domain.run import AlertNotice, FollowUpStep, Kind, Manual, Occurrence
from dingbell.domain.variables import seen
from dingbell.engine.node.authors import in_words
from dingbell.engine.node.context import Context
from dingbell.errors import InputError, Text
from dingbell.planning import audiences, rosters, wakeups, words
from dingbell.planning.attachments import attach
from dingbell.planning.drafting import Brief, Whom, draft_audience, draft_body, draft_people
from dingbell.planning.rows import is_own_audience, newest
from dingbell.planning.uploading import uploaded
from dingbell.store import datasets, directory, jobs, media, templates
from dingbell.store.audience_members import Found
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.datasets import Dataset
from dingbell.store.ledger import batches, deliveries, runs
from dingbell.store.ledger.runs import NewRun, RunRow

__all__ = ["Made", "NobodyMeant", "draft", "draft_joined", "uploading", "whom"]

_Words = TypeVar("_Words", bound=Message)


class NobodyMeant(Exception):  # noqa: N818  no mistake: a birthday greeting on most days
    """An audience means nobody on the due day."""

    def __init__(self, day: date) -> None:
        self.day = day
        super().__init__(day.isoformat())


@dataclass(frozen=True, slots=True)
class Made:
    """The batches of a run.

    Attributes:
        directory_version: of the directory they were made by; None where nobody can join or leave.
    """

    drafts: list[Draft]
    directory_version: int | None = None


async def draft(context: Context, run: RunRow, *, most: int, denied: frozenset[str]) -> Made:
    """Make the batches of a run, of at most `most` people, without those on the deny-list.

    Raises:
        InputError: the audience, the message or the author's function does not work; the text is
            the run's reason.
        NobodyMeant: nobody is to get it.
        SourceFailed: a source does not say who is to get it.
    """
    spec = run.spec
    if isinstance(spec, FollowUpStep):
        return Made(await _follow_up(context, run, spec, most, denied))
    message = await _message(context, run, spec)
    if message is None:
        return Made([])
    rows = await _rows(context, run, spec)
    by_rows = is_own_audience(spec.to, rows)
    found = None if spec.coarse or by_rows else await whom(context, run, spec.to)
    if found is not None and not found.userids:
        raise NobodyMeant(_day(run))
    message = await _ready(context, run, message)
    brief = Brief(run.org, message, _variables(run), most, denied, rows=rows)
    at = max(run.due_at, context.clock.now())
    meant = Whom(run.app_id, spec.to, spec.coarse, at, found.userids if found else ())
    drafts = await draft_audience(lambda: acquire(context.pool), context.clock, brief, meant)
    return Made(drafts, found.version if found else None)


async def draft_joined(
    context: Context, run: RunRow, userids: Sequence[str], *, most: int, denied: frozenset[str]
) -> list[Draft]:
    """Make batches for people who have joined a run that is planned already.

    Raises:
        InputError: the message does not work for any of them.
    """
    spec = run.spec
    assert isinstance(spec, Occurrence | Manual | AlertNotice)
    message = None if spec.message is None else await _ready(context, run, spec.message)
    rows = await _rows(context, run, spec)
    async with acquire(context.pool) as connection:
        if message is None:
            # A function has made the words, the same for all: it is not asked again.
            body = await batches.body_of(connection, run.id)
            return [] if body is None else draft_body(body, userids, most=most, denied=denied)
        brief = Brief(run.org, message, _variables(run), most, denied, rows=rows)
        return await draft_people(connection, context.clock, brief, userids)


async def whom(
    context: Context, run: RunRow, audience: Audience, *, ask: bool = True
) -> Found | None:
    """Whom an audience means on the due day of a run; None where userids alone are named.

    Args:
        context: of the node.
        run: whose due day is meant.
        audience: who is meant.
        ask: ask sources; else what they answered a while ago is taken.

    Raises:
        InputError: it names what does not exist, or the directory was never read.
        SourceFailed: a source does not say whom it means.
    """
    if not audience.needs_directory():
        return None
    async with acquire(context.pool) as connection:
        await audiences.demand_directory(connection, run.org)
        whole = await audiences.expand(connection, audience)
    sources = context.sources
    fetched = await sources.ask(whole.addresses()) if ask else sources.remembered()
    async with acquire(context.pool) as connection:
        return await audiences.find(connection, run.org, whole, day=_day(run), fetched=fetched)


async def uploading(connection: Connection, due: Sequence[RunRow]) -> set[int]:
    """Those of the runs whose words name files, by their own words or by their template's."""
    said = {run.id: list(_said(run)) for run in due}
    names = {one.template for own in said.values() for one in own if one.template}
    with_files = await templates.with_files(connection, names) if names else set()
    return {
        run_id
        for run_id, own in said.items()
        if any(one.uploads or one.template in with_files for one in own)
    }


def _said(run: RunRow) -> Iterator[Message]:
    """Every message that a run may send; none where its specification cannot be read."""
    try:
        spec = run.spec
    except InputError:
        return
    if isinstance(spec, FollowUpStep):
        yield spec.follow_up.message
        if spec.follow_up.escalate is not None:
            yield spec.follow_up.escalate.message
    elif spec.message is not None:
        yield spec.message


async def _rows(
    context: Context, run: RunRow, spec: Occurrence | Manual | AlertNotice
) -> Dataset | None:
    """The newest version of its rows, noted with the run; None where it has none."""
    if isinstance(spec, AlertNotice) or spec.rows is None:
        return None
    async with acquire(context.pool) as connection:
        found = await newest(connection, run.org, spec.rows)
        assert found is not None
        await datasets.mark(connection, run.id, found.version)
    return found


async def _follow_up(
    context: Context, run: RunRow, spec: FollowUpStep, most: int, denied: frozenset[str]
) -> list[Draft]:
    """Remind those who have not read the parent, or tell others who they are.

    Asked for at the last moment: whoever has read meanwhile is left alone.
    """
    rule = await _with_words(context, run, spec)
    told = await _receivers(context, run, spec)
    async with acquire(context.pool) as connection:
        unread = await deliveries.unread(connection, run.parent_id or 0)
        if spec.step == "remind":
            brief = Brief(run.org, rule.message, _variables(run), most, denied)
            people = [one["userid"] for one in unread]
            return await draft_people(connection, context.clock, brief, people)
        if rule.escalate is None or not unread:
            return []
        wanted = _rosters(spec, told, unread)
        fitted = await _fitted(connection, context, run, spec, rule.escalate, wanted)
        brief = Brief(run.org, rule.escalate.message, _variables(run), most, denied, fitted)
        return await draft_people(connection, context.clock, brief, sorted(fitted))


async def _with_words(context: Context, run: RunRow, spec: FollowUpStep) -> FollowUp:
    """The rule of a follow-up, with the message of this step as it can be sent."""
    rule = spec.follow_up
    if spec.step == "remind":
        return rule.model_copy(update={"message": await _ready(context, run, rule.message)})
    if rule.escalate is None:
        return rule
    told = await _ready(context, run, rule.escalate.message)
    return rule.model_copy(update={"escalate": rule.escalate.model_copy(update={"message": told})})


async def _ready(context: Context, run: RunRow, message: _Words) -> _Words:
    """A message with what its template says and DingTalk's ids of its files.

    Raises:
        InputError: there is no such template, or DingTalk does not take a file.
    """
    if message.template is not None:
        async with acquire(context.pool) as connection:
            message, used = await words.resolved(connection, message)
            await runs.note_template(connection, run.id, used)
    if not message.uploads:
        return message
    app = run.app_id, run.org
    ids = await uploaded(context.pool, context.clients, context.clock, app, message.uploads)
    return message.with_media(ids)


_Rosters = dict[str, Sequence[rosters.Person]]


async def _receivers(context: Context, run: RunRow, spec: FollowUpStep) -> list[str]:
    """Whom an escalation tells about all; nobody where each manager is told about his own."""
    rule = spec.follow_up.escalate
    if spec.step != "escalate" or rule is None or rule.to == "managers":
        return []
    found = await whom(context, run, rule.to)
    return audiences.plain(rule.to) if found is None else found.userids


def _rosters(
    spec: FollowUpStep, receivers: Sequence[str], unread: Sequence[rosters.Person]
) -> _Rosters:
    """Whom each receiver is told of."""
    if spec.remaining is not None:
        return {
            receiver: [one for one in unread if one["userid"] in set(userids)]
            for receiver, userids in spec.remaining.items()
        }
    rule = spec.follow_up.escalate
    if rule is not None and rule.to == "managers":
        return _by_manager(unread)
    return dict.fromkeys(receivers, unread)


async def _fitted(
    connection: Connection,
    context: Context,
    run: RunRow,
    spec: FollowUpStep,
    rule: Escalation,
    wanted: _Rosters,
) -> _Rosters:
    """Lists that a notice holds: shortened, or split, the rest in a run of its own."""
    also = rule.message.mentions(directory.RELATED)
    people = await directory.people(connection, run.org, sorted(wanted), also)
    fitted: _Rosters = {}
    remaining: dict[str, tuple[str, ...]] = {}
    for receiver, own in wanted.items():
        if not own:
            continue
        person = people.get(receiver, {"userid": receiver})
        variables = {**_variables(run), "person": person}
        if rule.long_list == "shorten":
            parent = run.parent_id or 0
            fitted[receiver] = rosters.shortened(rule.message, variables, own, run_id=parent)
            continue
        fitted[receiver], rest = rosters.split(rule.message, variables, own)
        if rest:
            remaining[receiver] = tuple(one["userid"] for one in rest)
    if remaining:
        await _go_on(connection, context, run, spec, remaining)
    return fitted


async def _go_on(
    connection: Connection,
    context: Context,
    run: RunRow,
    spec: FollowUpStep,
    remaining: dict[str, tuple[str, ...]],
) -> None:
    """Make the run that tells of the rest; its key makes a repeat harmless."""
    now = context.clock.now()
    next_one = NewRun(
        schedule_id=run.schedule_id,
        schedule=run.schedule,
        revision=0,
        kind=Kind.FOLLOW_UP,
        key=f"{run.id}:rest",
        app_id=run.app_id,
        org=run.org,
        function=None,
        spec=spec.model_copy(update={"remaining": remaining}),
        due_at=now,
        parent_id=run.parent_id,
    )
    async with connection.transaction():
        created = await runs.create(connection, [next_one], now)
        await jobs.enqueue(connection, [wakeups.plan([one], None) for one, _ in created])


def _by_manager(
    unread: Sequence[Mapping[str, Any]],
) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Those who have not read, under each manager; who has none is told to nobody."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in unread:
        if one["manager"]:
            found.setdefault(one["manager"], []).append(one)
    return dict(found)


async def _message(
    context: Context, run: RunRow, spec: Occurrence | Manual | AlertNotice
) -> Message | None:
    if spec.message is not None:
        return spec.message
    assert run.function is not None
    function, due = context.functions[run.function], _variables(run)["due"]
    made = await context.authors.call(run.function, function, due, context.clock)
    if made is None:
        return None
    message, files = await asyncio.to_thread(_read, made)
    if files:
        async with transaction(context.pool) as connection:
            await media.keep(connection, files, context.clock.now())
    return message


def _read(made: Any) -> tuple[Message, tuple[MediaFile, ...]]:
    """What a function returned, as a message, and the files it names; reading those blocks.

    Words are taken as they stand, unless it says itself that they are to be filled in.
    """
    try:
        if isinstance(made, str):
            return Message({"text": made}, literal=True), ()
        if isinstance(made, Mapping) or hasattr(made, "to_wire"):
            attached = attach(made if isinstance(made, Mapping) else made.to_wire(), Path())
            literal = not isinstance(made, Fillable)
            return Message(attached.content, literal=literal), attached.files
    except InputError:
        raise
    except BaseException as error:  # what it returned is its author's, too
        raise in_words(error) from error
    raise InputError(
        Text(
            "the function returned {kind}: return a message, a mapping, a string or None",
            "函数返回了 {kind}: 请返回消息、映射、字符串或 None",
        ).format(kind=type(made).__name__)
    )


def _day(run: RunRow) -> date:
    """The day on which a run is due, where it is due."""
    return run.due_at.astimezone(run.spec.zone).date()


def _variables(run: RunRow) -> dict[str, Any]:
    return seen(run.due_at, run.spec.zone, run.schedule, run.spec.vars)
