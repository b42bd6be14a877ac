"""Drafting: a due firing → its batches in memory; audience resolved, bodies rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dingbell.domain.batching import Draft
from dingbell.domain.message import Message
from dingbell.domain.run import AlertNotice, FollowUpStep, Manual, Occurrence
from dingbell.engine.authors import in_words
from dingbell.engine.context import Context
from dingbell.errors import InputError, Text
from dingbell.planning.drafts import Brief, Whom, draft_audience, draft_people, named
from dingbell.store import deliveries
from dingbell.store.connection import acquire
from dingbell.store.firings import FiringRow

__all__ = ["draft"]


async def draft(
    context: Context, firing: FiringRow, *, most: int, denied: frozenset[str]
) -> list[Draft]:
    """Make the batches of a firing, of at most `most` people, without those on the deny-list.

    Raises:
        InputError: the audience, the message or the author's function does not work; the text is
            the firing's reason.
    """
    spec = firing.spec
    if isinstance(spec, FollowUpStep):
        return await _follow_up(context, firing, spec, most, denied)
    message = await _message(context, firing, spec)
    if message is None:
        return []
    brief = Brief(firing.org, message, _variables(firing), most, denied)
    at = max(firing.due_at, context.clock.now())
    whom = Whom(firing.app_id, spec.to, spec.coarse, at)
    return await draft_audience(lambda: acquire(context.pool), context.clock, brief, whom)


async def _follow_up(
    context: Context, firing: FiringRow, spec: FollowUpStep, most: int, denied: frozenset[str]
) -> list[Draft]:
    """Remind those who have not read the parent, or tell others who they are.

    Asked for at the last moment: whoever has read meanwhile is left alone.
    """
    rule = spec.follow_up
    async with acquire(context.pool) as connection:
        unread = await deliveries.unread(connection, firing.parent_id or 0)
        if spec.step == "remind":
            brief = Brief(firing.org, rule.message, _variables(firing), most, denied)
            people = [one["userid"] for one in unread]
            return await draft_people(connection, context.clock, brief, people)
        if rule.escalate is None or not unread:
            return []
        rosters: dict[str, Sequence[Mapping[str, Any]]]
        if rule.escalate.to == "managers":
            rosters = _by_manager(unread)
        else:
            told = await named(connection, firing.org, rule.escalate.to)
            rosters = dict.fromkeys(told, unread)
        brief = Brief(firing.org, rule.escalate.message, _variables(firing), most, denied, rosters)
        return await draft_people(connection, context.clock, brief, sorted(rosters))


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
    context: Context, firing: FiringRow, spec: Occurrence | Manual | AlertNotice
) -> Message | None:
    if spec.message is not None:
        return spec.message
    assert firing.function is not None
    function, due = context.functions[firing.function], _variables(firing)["due"]
    made = await context.authors.call(firing.function, function, due, context.clock)
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


def _variables(firing: FiringRow) -> dict[str, Any]:
    return {"due": firing.due_at.astimezone(firing.spec.zone), "schedule": firing.schedule}
