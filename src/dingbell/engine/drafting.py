"""Drafting: a due firing → its batches in memory; audience resolved, bodies rendered."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from dingbell.domain.batching import Draft
from dingbell.domain.message import Message
from dingbell.domain.run import AlertNotice, FollowUpStep, Manual, Occurrence
from dingbell.engine.context import Context, MessageFunction
from dingbell.errors import InputError, Text
from dingbell.planning.drafts import (
    Brief,
    allow_everyone,
    draft_alike,
    draft_coarse,
    draft_people,
    named,
    plain,
)
from dingbell.store import deliveries
from dingbell.store.connection import acquire
from dingbell.store.firings import FiringRow

__all__ = ["draft"]


# An author's function that takes longer fails its firing.
_FUNCTION_SECONDS = 600.0


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
    audience = spec.to
    brief = Brief(firing.org, message, _variables(firing), most, denied)
    coarse = spec.coarse
    if not (coarse or audience.needs_directory() or message.is_personal):
        return draft_alike(brief, plain(audience))
    async with acquire(context.pool) as connection:
        if coarse:
            at = max(firing.due_at, context.clock.now())
            await allow_everyone(connection, firing.app_id, audience, at)
            return await draft_coarse(connection, brief, audience)
        userids = await named(connection, firing.org, audience)
        return await draft_people(connection, context.clock, brief, userids)


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
    function = context.functions[firing.function]
    made = await _called(function, context.threads)
    if made is None:
        return None
    if isinstance(made, str):
        return Message({"text": made})
    if isinstance(made, Mapping):
        return Message(made)
    if hasattr(made, "to_wire"):
        return Message(made.to_wire())
    raise InputError(
        Text(
            "the function returned {kind}: return a message, a mapping, a string or None",
            "函数返回了 {kind}: 请返回消息、映射、字符串或 None",
        ).format(kind=type(made).__name__)
    )


async def _called(function: MessageFunction, threads: Executor) -> Any:
    try:
        async with asyncio.timeout(_FUNCTION_SECONDS):
            if inspect.iscoroutinefunction(function):
                return await function()
            made = await asyncio.get_running_loop().run_in_executor(threads, function)
            return await made if inspect.isawaitable(made) else made
    except Exception as error:
        raise InputError(f"{type(error).__name__}: {error}") from error


def _variables(firing: FiringRow) -> dict[str, Any]:
    return {"due": firing.due_at.astimezone(firing.spec.zone), "schedule": firing.schedule}
