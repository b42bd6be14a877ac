"""Drafting: a due firing → its batches in memory; audience resolved, bodies rendered."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from dingbell.clock import Clock
from dingbell.domain.audience import Audience
from dingbell.domain.batching import Draft, cut
from dingbell.domain.message import Message
from dingbell.domain.trigger import parse_zone
from dingbell.engine.context import Context, MessageFunction
from dingbell.errors import InputError, Text
from dingbell.store import directory
from dingbell.store.connection import Connection
from dingbell.store.firings import FiringRow

__all__ = ["draft"]


# An author's function that takes longer fails its firing.
_FUNCTION_SECONDS = 600.0
# So many bodies are rendered before others have a turn.
_BODIES_AT_ONCE = 50


async def draft(context: Context, firing: FiringRow, *, most: int) -> list[Draft]:
    """Make the batches of a firing, of at most `most` people.

    Raises:
        InputError: the audience, the message or the author's function does not work; the text is
            the firing's reason.
    """
    message = await _message(context, firing)
    if message is None:
        return []
    audience = Audience.model_validate(firing.spec["to"])
    if not (audience.needs_directory() or message.is_personal or "tracking" in firing.spec):
        body = message.body(_variables(firing))
        named = [(userid, body) for userid in _plain(audience)]
        return cut(named, min(message.people_per_call, most))
    async with context.pool.acquire() as connection:
        if firing.spec.get("tracking") == "coarse":
            return await _coarse(connection, firing, audience, message, most)
        userids = await _userids(connection, firing.org, audience)
        bodies = await _bodies(context.clock, connection, firing, message, userids)
    return cut(bodies, min(message.people_per_call, most))


async def _message(context: Context, firing: FiringRow) -> Message | None:
    if firing.function is None or "message" in firing.spec:
        return Message(firing.spec["message"])
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


def _plain(audience: Audience) -> list[str]:
    """Whom an audience of userids alone names."""
    left_out = set(audience.except_.users) if audience.except_ else set()
    return sorted(set(audience.users) - left_out)


async def _userids(connection: Connection, org: str, audience: Audience) -> list[str]:
    if not audience.needs_directory():
        return _plain(audience)
    if await directory.last_sync(connection, org) is None:
        raise InputError(
            Text(
                "the directory of org {org} has not been read yet: run `dingbell directory sync`",
                "组织 {org} 的通讯录尚未同步: 请运行 `dingbell directory sync`",
            ).format(org=org)
        )
    try:
        return await directory.resolve(connection, org, audience)
    except LookupError as error:
        raise InputError(
            Text("there is no saved audience {name!r}", "没有名为 {name!r} 的受众").format(
                name=error.args[0]
            )
        ) from None


async def _bodies(
    clock: Clock,
    connection: Connection,
    firing: FiringRow,
    message: Message,
    userids: Sequence[str],
) -> list[tuple[str, bytes]]:
    variables = _variables(firing)
    if not message.is_personal:
        body = message.body(variables)
        return [(userid, body) for userid in userids]
    people = await directory.people(connection, firing.org, userids)
    bodies: list[tuple[str, bytes]] = []
    for place, userid in enumerate(userids):
        person = people.get(userid, {"userid": userid})
        bodies.append((userid, message.body({**variables, "person": person})))
        if place % _BODIES_AT_ONCE == 0:
            await clock.sleep(0)
    return bodies


def _variables(firing: FiringRow) -> dict[str, Any]:
    zone = parse_zone(firing.spec.get("timezone", "Asia/Shanghai"))
    return {"due": firing.due_at.astimezone(zone), "schedule": firing.schedule}


async def _coarse(
    connection: Connection,
    firing: FiringRow,
    audience: Audience,
    message: Message,
    most: int,
) -> list[Draft]:
    """Departments as they are: DingTalk expands them, so nobody can be told apart afterwards."""
    named = audience.parts().keys()
    if named - {"departments", "everyone", "users"} or audience.except_ or message.is_personal:
        raise InputError(
            Text(
                "tracking: coarse takes departments, everyone and users only, without except and "
                "without {{ person }}: use tracking: people",
                "tracking: coarse 只支持 departments、everyone 和 users, 不支持 except 和 "
                "{{ person }}: 请用 tracking: people",
            )
        )
    body = message.body(_variables(firing))
    if audience.everyone:
        size = await directory.size(connection, firing.org)
        drafts = [Draft(body, (), max(size, 1), {"everyone": True})]
    else:
        drafts = [
            Draft(
                body,
                (),
                max(await directory.subtree_size(connection, firing.org, dept_id), 1),
                {"departments": [dept_id]},
            )
            for dept_id in audience.departments
        ]
        drafts += cut(
            [(userid, body) for userid in audience.users], min(message.people_per_call, most)
        )
    if any(entry.size > most for entry in drafts):
        raise InputError(
            Text(
                "a department of more than {limit} people cannot be sent to as a whole: DingTalk "
                "drops the rest in silence. Use tracking: people, or name its sub-departments",
                "超过 {limit} 人的部门不能整体发送: 钉钉会静默丢弃其余的人。"
                "请用 tracking: people, 或列出其子部门",
            ).format(limit=most)
        )
    return drafts
