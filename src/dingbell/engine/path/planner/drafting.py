"""Drafting: a due run → its batches in memory; audience resolved, bodies rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dingbell.domain.batching import Draft
from dingbell.domain.followup import Escalation
from dingbell.domain.message import Message
from dingbell.domain.run import AlertNotice, FollowUpStep, Kind, Manual, Occurrence
from dingbell.engine.node.authors import in_words
from dingbell.engine.node.context import Context
from dingbell.errors import InputError, Text
from dingbell.planning import rosters, wakeups
from dingbell.planning.drafting import Brief, Whom, draft_audience, draft_people, named
from dingbell.planning.rows import newest
from dingbell.store import datasets, directory, jobs
from dingbell.store.connection import Connection, acquire
from dingbell.store.datasets import Dataset
from dingbell.store.ledger import deliveries, runs
from dingbell.store.ledger.runs import NewRun, RunRow

__all__ = ["draft"]


async def draft(context: Context, run: RunRow, *, most: int, denied: frozenset[str]) -> list[Draft]:
    """Make the batches of a run, of at most `most` people, without those on the deny-list.

    Raises:
        InputError: the audience, the message or the author's function does not work; the text is
            the run's reason.
    """
    spec = run.spec
    if isinstance(spec, FollowUpStep):
        return await _follow_up(context, run, spec, most, denied)
    message = await _message(context, run, spec)
    if message is None:
        return []
    rows = await _rows(context, run, spec)
    brief = Brief(run.org, message, _variables(run), most, denied, rows=rows)
    at = max(run.due_at, context.clock.now())
    whom = Whom(run.app_id, spec.to, spec.coarse, at)
    return await draft_audience(lambda: acquire(context.pool), context.clock, brief, whom)


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
    rule = spec.follow_up
    async with acquire(context.pool) as connection:
        unread = await deliveries.unread(connection, run.parent_id or 0)
        if spec.step == "remind":
            brief = Brief(run.org, rule.message, _variables(run), most, denied)
            people = [one["userid"] for one in unread]
            return await draft_people(connection, context.clock, brief, people)
        if rule.escalate is None or not unread:
            return []
        wanted = await _rosters(connection, run, spec, rule.escalate, unread)
        told = await _fitted(connection, context, run, spec, rule.escalate, wanted)
        brief = Brief(run.org, rule.escalate.message, _variables(run), most, denied, told)
        return await draft_people(connection, context.clock, brief, sorted(told))


_Rosters = dict[str, Sequence[rosters.Person]]


async def _rosters(
    connection: Connection,
    run: RunRow,
    spec: FollowUpStep,
    rule: Escalation,
    unread: Sequence[rosters.Person],
) -> _Rosters:
    """Whom each receiver is told of."""
    if spec.remaining is not None:
        return {
            receiver: [one for one in unread if one["userid"] in set(userids)]
            for receiver, userids in spec.remaining.items()
        }
    if rule.to == "managers":
        return _by_manager(unread)
    return dict.fromkeys(await named(connection, run.org, rule.to), unread)


async def _fitted(
    connection: Connection,
    context: Context,
    run: RunRow,
    spec: FollowUpStep,
    rule: Escalation,
    wanted: _Rosters,
) -> _Rosters:
    """Lists that a notice holds: shortened, or split, the rest in a run of its own."""
    people = await directory.people(connection, run.org, sorted(wanted))
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
    return None if made is None else _literal(made)


def _literal(made: Any) -> Message:
    """What a function returned, as a message: words are taken as they stand."""
    try:
        if isinstance(made, str):
            return Message({"text": made}, literal=True)
        if isinstance(made, Mapping):
            return Message(made, literal=True)
        if hasattr(made, "to_wire"):
            return Message(made.to_wire(), literal=True)
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


def _variables(run: RunRow) -> dict[str, Any]:
    return {"due": run.due_at.astimezone(run.spec.zone), "schedule": run.schedule}
