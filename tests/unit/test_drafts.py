"""Drafts: which of three ways an audience is sent to is one choice, for forecast and planning."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest

from dingbell.clock import SystemClock
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.planning.drafting import Brief, Whom, draft_audience
from dingbell.store.connection import Connection

AT = datetime(2026, 8, 5, 1, tzinfo=UTC)
ALL_ALIKE, PERSONAL = Message({"text": "tea"}), Message({"text": "tea, {{ person.name }}"})
TWO = Audience(users=("a", "b"))


class _WantsToReadError(Exception):
    """Somebody wanted to read."""


def _refuse() -> AbstractAsyncContextManager[Connection]:
    raise _WantsToReadError


def _brief(message: Message, *denied: str) -> Brief:
    return Brief("org", message, {}, most=100, denied=frozenset(denied))


async def test_for_userids_who_get_the_same_words_nothing_is_read() -> None:
    for userids in (None, ["a", "b"]):
        whom = Whom(1, TWO, coarse=False, at=AT, userids=userids)
        drafts = await draft_audience(_refuse, SystemClock(), _brief(ALL_ALIKE, "b"), whom)

        assert [(one.userids, one.reason is None) for one in drafts] == [
            (("a",), True),
            (("b",), False),
        ]


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("message", [ALL_ALIKE, PERSONAL])
@pytest.mark.parametrize("audience", [TWO, Audience(departments=(1,)), Audience(everyone=True)])
async def test_everything_else_is_read_for(
    audience: Audience, message: Message, coarse: bool
) -> None:
    if audience is TWO and message is ALL_ALIKE and not coarse:
        return
    with pytest.raises(_WantsToReadError):
        await draft_audience(_refuse, SystemClock(), _brief(message), Whom(1, audience, coarse, AT))
