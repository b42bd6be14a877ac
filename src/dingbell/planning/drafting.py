"""Drafts: an audience and a message → batches in memory; people with identical bodies together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from dingbell.clock import Clock, beijing_day
from dingbell.domain.audience import Audience
from dingbell.domain.batching import Draft, Groups, cut
from dingbell.domain.forecast import Reason
from dingbell.domain.message import Message, TooLongError
from dingbell.domain.templates import MissingError
from dingbell.errors import InputError, Text
from dingbell.planning import audiences, rows
from dingbell.planning.audiences import demand_directory, plain
from dingbell.planning.rows import NoRowError, is_own_audience
from dingbell.store import datasets, directory
from dingbell.store.connection import Connection
from dingbell.store.datasets import Dataset
from dingbell.store.ledger import batches

__all__ = [
    "Brief",
    "Whom",
    "allow_everyone",
    "draft_alike",
    "draft_audience",
    "draft_body",
    "draft_coarse",
    "draft_people",
]

# So many people are read at once, and so many bodies rendered before others have a turn.
_PEOPLE_AT_ONCE = 1_000
_BODIES_AT_ONCE = 50
# A body takes a few microseconds; those that take long give the loop back after so many seconds.
_RENDERED_AT_ONCE = 0.002
# What is wrong is told apart in so many ways a run: each makes a batch.
_MOST_WORDS = 20
# Where the reason says all that is wrong.
_SAYS_ALL = frozenset({Reason.NO_ROW, Reason.UNKNOWN})
# Sends to everyone an app may make on one day (41045; FAQ page, read 2026-08).
_TO_ALL_A_DAY = 3


@dataclass(frozen=True, slots=True)
class Brief:
    """What batches are made of.

    Attributes:
        org: whose directory is meant.
        message: what is sent.
        variables: what its templates see, beside the person.
        most: how many people a batch may hold at the pace in force.
        denied: who is never sent to.
        rosters: for a message about people: userid → those it is about.
        rows: the version of a dataset in which each has a row.
    """

    org: str
    message: Message
    variables: Mapping[str, Any]
    most: int
    denied: frozenset[str] = frozenset()
    rosters: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    rows: Dataset | None = None

    @property
    def per_batch(self) -> int:
        """How many people a batch holds: DingTalk's limit, or what the pace lets through."""
        return min(self.message.people_per_call, self.most)


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom a message goes to.

    Attributes:
        app_id: whose app it is.
        audience: as its author named it.
        coarse: departments are sent to as a whole.
        at: when the first call would be made.
        userids: whom the audience means, unless it is sent to as a whole or names userids alone.
    """

    app_id: int
    audience: Audience
    coarse: bool
    at: datetime
    userids: Sequence[str] = ()


async def draft_audience(
    connect: Callable[[], AbstractAsyncContextManager[Connection]],
    clock: Clock,
    brief: Brief,
    whom: Whom,
) -> list[Draft]:
    """Make the batches of an audience, in one of three ways.

    1. Alike: userids alone are named, and all get the same words. Nothing has to be read.
    2. Coarse: departments, or everyone, as they are.
    3. Per person: by the directory, and with everybody's own words.

    Args:
        connect: gives a connection; asked only where something has to be read.
        clock: gives the loop back now and then.
        brief: what the batches are made of.
        whom: whom they go to.

    Raises:
        InputError: the audience or the message does not work.
    """
    audience = whom.audience
    if not (whom.coarse or audience.needs_directory() or brief.message.is_personal):
        return draft_alike(brief, plain(audience))
    async with connect() as connection:
        if whom.coarse:
            await allow_everyone(connection, whom.app_id, audience, whom.at)
            return await draft_coarse(connection, brief, audience)
        userids = whom.userids if audience.needs_directory() else plain(audience)
        if brief.rows is not None and is_own_audience(audience, brief.rows):
            # Those of the version that is rendered.
            userids = await datasets.people_of(connection, brief.rows.id)
        return await draft_people(connection, clock, brief, userids)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why nothing could be rendered for a person."""

    reason: Reason
    error: InputError


async def draft_people(
    connection: Connection, clock: Clock, brief: Brief, userids: Sequence[str]
) -> list[Draft]:
    """Make batches for people; those on the deny-list, or without a body, are set aside.

    Raises:
        InputError: nobody's body could be rendered, and the text says why; or the directory was
            never read, and the message needs what stands in it.
    """
    if not brief.message.is_personal:
        return draft_alike(brief, userids)
    failures: dict[str, _Failure] = {}
    wanted = [userid for userid in userids if userid not in brief.denied]
    groups = Groups()
    async for userid, body in _bodies(connection, clock, brief, wanted, failures):
        groups.add(userid, body)
    drafts = groups.cut(brief.per_batch)
    unknown = any(one.reason is Reason.UNKNOWN for one in failures.values())
    if unknown:
        await demand_directory(connection, brief.org)
    if failures and not drafts and not unknown:
        raise next(iter(failures.values())).error
    return [
        *drafts,
        *_aside(brief.denied.intersection(userids), Reason.DENIED),
        *_failed(failures),
    ]


def draft_alike(brief: Brief, userids: Sequence[str]) -> list[Draft]:
    """Make batches for people who all get the same words; nothing has to be read for that.

    Raises:
        InputError: the message cannot be rendered.
    """
    body = brief.message.body(brief.variables)
    return draft_body(body, userids, most=brief.per_batch, denied=brief.denied)


def draft_body(
    body: bytes, userids: Sequence[str], *, most: int, denied: frozenset[str]
) -> list[Draft]:
    """Make batches for people who all get a body that is made already."""
    wanted = ((userid, body) for userid in userids if userid not in denied)
    return [*cut(wanted, most), *_aside(denied.intersection(userids), Reason.DENIED)]


async def _bodies(
    connection: Connection,
    clock: Clock,
    brief: Brief,
    userids: Sequence[str],
    failures: dict[str, _Failure],
) -> AsyncIterator[tuple[str, bytes]]:
    """Render per person; who cannot be rendered for is put among the failures."""
    ahead = iter(userids)
    also = brief.message.mentions(directory.RELATED)
    began = clock.monotonic()
    while chunk := list(islice(ahead, _PEOPLE_AT_ONCE)):
        people = await directory.people(connection, brief.org, chunk, also)
        own = await rows.own(connection, brief.rows, brief.message, chunk)
        for place, userid in enumerate(chunk):
            variables = {**brief.variables, "person": people.get(userid, {"userid": userid})}
            if brief.rosters:
                variables["unread"] = brief.rosters.get(userid, ())
            try:
                if own is not None:
                    variables["row"] = own.of(userid)
                body = brief.message.body(variables)
            except InputError as error:
                failures[userid] = _Failure(_reason(error, known=userid in people), error)
            else:
                yield userid, body
            if place % _BODIES_AT_ONCE == 0 or clock.monotonic() - began > _RENDERED_AT_ONCE:
                await clock.sleep(0)
                began = clock.monotonic()


def _reason(error: InputError, *, known: bool) -> Reason:
    """Why nothing could be rendered; of whom nothing is known, everything is missing."""
    if isinstance(error, NoRowError):
        return Reason.NO_ROW
    if isinstance(error, MissingError) and not known:
        return Reason.UNKNOWN
    return Reason.TOO_LONG if isinstance(error, TooLongError) else Reason.TEMPLATE


def _failed(failures: Mapping[str, _Failure]) -> list[Draft]:
    """One batch for all of whom the same is wrong, and says what; the rarest share one."""
    alike: dict[tuple[Reason, Text | None], list[str]] = defaultdict(list)
    for userid, failure in failures.items():
        words = None if failure.reason in _SAYS_ALL else failure.error.message
        if len(alike) >= _MOST_WORDS and (failure.reason, words) not in alike:
            words = None
        alike[failure.reason, words].append(userid)
    return [
        draft
        for (reason, words), userids in alike.items()
        for draft in _aside(userids, reason, words)
    ]


def _aside(userids: Collection[str], reason: Reason, words: Text | None = None) -> list[Draft]:
    """One batch for all who are not sent to for one reason."""
    if not userids:
        return []
    return [Draft(b"", tuple(sorted(userids)), len(userids), reason=reason, words=words)]


async def allow_everyone(
    connection: Connection, app_id: int, audience: Audience, at: datetime
) -> None:
    """See that an app may send to everyone as a whole once more on the day of an instant.

    Raises:
        InputError: it has done so as often as DingTalk allows.
    """
    if not audience.everyone:
        return
    if await batches.sent_to_everyone(connection, app_id, beijing_day(at)) >= _TO_ALL_A_DAY:
        raise InputError(
            Text(
                "this app has sent to everyone {limit} times that day, which is what DingTalk "
                "allows (41045): use tracking: people",
                "本应用当天已全员发送 {limit} 次, 达到钉钉上限 (41045): 请用 tracking: people",
            ).format(limit=_TO_ALL_A_DAY)
        )


async def draft_coarse(connection: Connection, brief: Brief, audience: Audience) -> list[Draft]:
    """Departments as they are: DingTalk expands them, so nobody can be told apart afterwards.

    Raises:
        InputError: the audience cannot be sent to as a whole.
    """
    left_out = audience.parts().keys() - {"departments", "everyone", "users"}
    if left_out or audience.except_ or brief.message.is_personal:
        raise InputError(
            Text(
                "tracking: coarse takes departments, everyone and users only, without except and "
                "without {{ person }}: use tracking: people",
                "tracking: coarse 只支持 departments、everyone 和 users, 不支持 except 和 "
                "{{ person }}: 请用 tracking: people",
            )
        )
    if brief.denied and (audience.everyone or audience.departments):
        raise InputError(
            Text(
                "tracking: coarse cannot leave out who is on the deny-list: use tracking: people",
                "tracking: coarse 无法排除拒发名单中的人: 请用 tracking: people",
            )
        )
    body = brief.message.body(brief.variables)
    dept_ids = await audiences.department_ids(connection, brief.org, audience)
    if audience.everyone:
        size = await directory.size(connection, brief.org)
        drafts = [_whole(body, size, {"everyone": True})]
    else:
        drafts = [
            _whole(
                body,
                await directory.subtree_size(connection, brief.org, dept_id),
                {"departments": [dept_id]},
            )
            for dept_id in dept_ids
        ]
        drafts += draft_alike(brief, audience.users) if audience.users else []
    if any(entry.size > brief.most for entry in drafts):
        raise InputError(
            Text(
                "a department of more than {limit} people cannot be sent to as a whole: DingTalk "
                "drops the rest in silence. Use tracking: people, or name its sub-departments",
                "超过 {limit} 人的部门不能整体发送: 钉钉会静默丢弃其余的人。"
                "请用 tracking: people, 或列出其子部门",
            ).format(limit=brief.most)
        )
    return drafts


def _whole(body: bytes, size: int, target: dict[str, Any]) -> Draft:
    return Draft(body, (), max(size, 1), target)
