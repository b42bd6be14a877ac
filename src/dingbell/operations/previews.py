"""Previews: a message as it will be rendered for people, and for whom it is longest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from dingbell.dingtalk import limits
from dingbell.domain.batching import body_hash
from dingbell.domain.message import Message
from dingbell.errors import InputError, Text
from dingbell.operations import directory, forecasts
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.forecasts import Question
from dingbell.operations.views import View, Words
from dingbell.planning import rows
from dingbell.store.connection import acquire
from dingbell.store.directory import RELATED, people

__all__ = ["MessagePreview", "Rendering", "preview"]

# So many people of an audience are rendered for; a company of 20,000 takes under a second.
_MOST = 20_000
_AT_ONCE = 1_000
_RENDERED_AT_ONCE = 50
_MOST_TOLD = 3

_UNKNOWN = Text("the directory does not know {userid}: {said}", "通讯录中没有 {userid}: {said}")


class Rendering(View):
    """A message as one person gets it.

    Attributes:
        why: why this person is shown: `asked`, `longest` or `problem`.
        message: in DingTalk's own form; None where it cannot be rendered.
        bytes: of DingTalk's limit.
        problem: why it cannot be rendered.
    """

    userid: str
    name: str | None
    why: str
    message: dict[str, Any] | None
    bytes: int
    problem: Words | None


class MessagePreview(View):
    """A message as people get it.

    Attributes:
        people: how many the audience names.
        looked_at: for how many of them it was rendered.
        bodies: how many different bodies these are: so many calls at the least.
        failing: for how many it cannot be rendered.
        limit: how many bytes DingTalk takes.
        advice: where DingTalk shows it otherwise than its author may think.
    """

    people: int
    looked_at: int
    bodies: int
    failing: int
    limit: int
    renderings: tuple[Rendering, ...]
    advice: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class _One:
    """What came of one person: a body, or why there is none."""

    userid: str
    name: str | None
    body: bytes = b""
    problem: Text | None = None

    def view(self, why: str) -> Rendering:
        return Rendering(
            userid=self.userid,
            name=self.name,
            why=why,
            message=json.loads(self.body) if self.body else None,
            bytes=len(self.body),
            problem=self.problem,
        )


@dataclass(slots=True)
class _Seen:
    """What was found so far."""

    looked_at: int = 0
    failing: int = 0
    bodies: set[bytes] = field(default_factory=set)
    longest: _One | None = None
    problems: list[_One] = field(default_factory=list)

    def take(self, one: _One) -> None:
        self.looked_at += 1
        if one.problem is not None:
            self.failing += 1
            if len(self.problems) < _MOST_TOLD:
                self.problems.append(one)
            return
        self.bodies.add(body_hash(one.body))
        if self.longest is None or len(one.body) > len(self.longest.body):
            self.longest = one


async def preview(ops: Operations, question: Question, asked: Sequence[str] = ()) -> MessagePreview:
    """Render a message for some people, for whom it is longest, and for whom it does not work.

    Args:
        ops: where, and who asks.
        question: the message, whom it goes to and when.
        asked: userids of people to show it for, in the audience or not.

    Raises:
        InputError: the audience does not work, or a function makes the message.
    """
    ops.may(Operation.FORECASTS_SEE)
    if question.message is None:
        raise InputError(
            Text(
                "a function makes the message when it is due: there is nothing to show before",
                "消息由函数在到期时生成: 之前无法预览",
            )
        )
    await directory.ensure(ops, question.app)
    async with acquire(ops.pool) as connection:
        message = await forecasts.ready(connection, question.app, question.message, ops)
        userids = await directory.resolve(
            ops, connection, question.app.org, question.audience, day=question.day
        )
    shown = [one async for one in _renderings(ops, question, message, asked)]
    seen = _Seen()
    async for one in _renderings(ops, question, message, userids[:_MOST]):
        seen.take(one)
    return MessagePreview(
        people=len(userids),
        looked_at=seen.looked_at,
        bodies=len(seen.bodies),
        failing=seen.failing,
        limit=limits.MESSAGE_BYTES,
        renderings=(
            *(one.view("asked") for one in shown),
            *([seen.longest.view("longest")] if seen.longest else []),
            *(one.view("problem") for one in seen.problems),
        ),
        advice=tuple(message.advice()),
    )


async def _renderings(
    ops: Operations, question: Question, message: Message, userids: Sequence[str]
) -> AsyncIterator[_One]:
    org, also = question.app.org, message.mentions(RELATED)
    ahead = iter(userids)
    while chunk := list(islice(ahead, _AT_ONCE)):
        async with acquire(ops.pool) as connection:
            known = await people(connection, org, chunk, also)
            data = await rows.newest(connection, org, question.rows)
            own = await rows.own(connection, data, message, chunk)
        for place, userid in enumerate(chunk):
            if place % _RENDERED_AT_ONCE == 0:
                await ops.clock.sleep(0)
            variables = {**question.variables, "person": known.get(userid, {"userid": userid})}
            yield _rendered(message, variables, own, userid)


def _rendered(
    message: Message, variables: dict[str, Any], own: rows.Own | None, userid: str
) -> _One:
    person = variables["person"]
    name = person.get("name")
    try:
        if own is not None:
            variables["row"] = own.of(userid)
        body = message.body(variables)
    except InputError as error:
        said = error.message
        known = name is not None or isinstance(error, rows.NoRowError)
        return _One(
            userid, name, problem=said if known else _UNKNOWN.format(userid=userid, said=said)
        )
    return _One(userid, name, body)
