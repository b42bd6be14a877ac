"""Warnings: what authors should know of a schedule before it is saved, and of a run by hand."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from dingbell.clock import SHANGHAI
from dingbell.domain.forecast import DELIVERED, Forecast, Reason
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.triggers import parse_zone
from dingbell.errors import Text
from dingbell.operations import unpublished
from dingbell.operations.repeats import repeats, said_later

__all__ = ["of_run", "of_schedule", "told_at_length", "told_of"]

_FOR_ONE = Text("{userid}: {said}", "{userid}: {said}")
_NOBODY = Text(
    "nobody is meant on that day: the run will be skipped", "当天没有收件人: 本次发送将跳过"
)
_SAID_ALREADY = Text(
    "{again} of {people} people have had the same words from this app today: DingTalk drops it for "
    "them (143106)",
    "{people} 人中有 {again} 人今天已收到本应用相同的内容: 钉钉会对他们丢弃 (143106)",
)
_SAID_LATER = Text(
    "the occurrence at {at} says the same words: DingTalk will drop it for everybody who gets this "
    "one (143106)",
    "{at} 的发送内容相同: 钉钉会对已收到本次的人丢弃它 (143106)",
)
_MOST_TOLD = 3


def of_schedule(name: str, spec: ScheduleSpec, now: datetime) -> list[Text]:
    """What the author of a schedule should know before it is saved, apart from people."""
    unknown = unpublished.warning(spec, now)
    told = [] if unknown is None else [unknown]
    told += [text for message in spec.messages() for text in message.advice()]
    found = repeats(name, spec, now)
    if found is None:
        return told
    first, second = (one.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S") for one in found)
    return [
        *told,
        Text(
            "the same words at {first} and {second}: DingTalk drops the second for everybody "
            "(143106)",
            "{first} 与 {second} 内容相同: 钉钉会对所有人丢弃第二条 (143106)",
        ).format(first=first, second=second),
    ]


def of_run(name: str, spec: ScheduleSpec, outlook: Forecast, now: datetime) -> list[Text]:
    """What somebody who runs a schedule by hand should know: words that are said twice that day."""
    found = []
    again = sum(reason == Reason.REPEAT for reason in outlook.reasons.values())
    if again:
        found.append(_SAID_ALREADY.format(again=again, people=len(outlook.userids)))
    later = said_later(name, spec, now)
    if later is not None:
        at = later.astimezone(parse_zone(spec.timezone)).isoformat(timespec="seconds")
        found.append(_SAID_LATER.format(at=at))
    return found


def told_of(outlook: Forecast) -> Text | None:
    """One line about those who are not expected to be reached; None when there are none."""
    if not outlook.userids:
        return _NOBODY
    if outlook.spotless:
        return None
    found = outlook.totals()
    delivered = found.pop(DELIVERED, 0)
    counts = ", ".join(f"{state} {count}" for state, count in found.items())
    return Text(
        "{delivered} of {people} people are expected to get it ({counts})",
        "预计 {people} 人中有 {delivered} 人收到 ({counts})",
    ).format(delivered=delivered, people=len(outlook.userids), counts=counts)


def told_at_length(outlook: Forecast) -> list[Text]:
    """The same, some of those whose message cannot be made, with the words, and what rows lack."""
    told = told_of(outlook)
    if told is None:
        return list(outlook.notes)
    some = islice(outlook.words.items(), _MOST_TOLD)
    words = (_FOR_ONE.format(userid=userid, said=said) for userid, said in some)
    return [told, *words, *outlook.notes]
