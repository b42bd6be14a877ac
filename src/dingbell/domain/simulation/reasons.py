"""What a simulation says of people who would not get a notice, or not then."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from dingbell.errors import Text

__all__ = ["NOBODY", "absent", "broken", "denied", "dropped", "left_out", "put_off"]

NOBODY = Text("nobody on this day", "当天没有收件人")
_DROPPED = Text(
    "DingTalk drops it for {people} people: they have had the same words from this app that day "
    "(143106), or as many notices as it allows (143105)",
    "钉钉会对 {people} 人丢弃: 当天已由本应用发送过相同内容 (143106), 或已达到每日上限 (143105)",
)
_DENIED = Text("{people} people are on the deny-list", "{people} 人在拒发名单中")
_BROKEN = Text("the message cannot be made for {people} people", "无法为 {people} 人生成消息")
_ABSENT = Text(
    "{people} people have left, are not active or are not in the directory",
    "{people} 人已离职、未激活或不在通讯录中",
)
_LEFT_OUT = Text(
    "{people} people are left out: per_person_per_day", "{people} 人被略过: per_person_per_day"
)
_PUT_OFF = Text(
    "{people} people are held until {until}: per_person_per_day",
    "{people} 人挂起到 {until}: per_person_per_day",
)


@lru_cache(4_096)
def dropped(people: int) -> Text:
    """DingTalk would drop it for some."""
    return _DROPPED.format(people=people)


@lru_cache(4_096)
def denied(people: int) -> Text:
    """Some are never sent to."""
    return _DENIED.format(people=people)


@lru_cache(4_096)
def absent(people: int) -> Text:
    """Some cannot be reached."""
    return _ABSENT.format(people=people)


@lru_cache(4_096)
def broken(people: int) -> Text:
    """For some the message cannot be made."""
    return _BROKEN.format(people=people)


@lru_cache(4_096)
def left_out(people: int) -> Text:
    """Some are over a limit, and are left out."""
    return _LEFT_OUT.format(people=people)


def put_off(people: int, until: datetime) -> Text:
    """Some are over a limit, and get it on the next day."""
    return _PUT_OFF.format(people=people, until=f"{until:%Y-%m-%d %H:%M}")
