"""A rule read back to its author: what it says, and when it comes due next."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.trigger import Trigger
from dingbell.errors import Text

__all__ = ["read_back"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NEXT = Text("{rule}; next {day}", "{rule}; 下一次 {day}")
_NEVER = Text("{rule}; never again", "{rule}; 不会再发送")


def read_back(trigger: Trigger, due: datetime | None, zone: ZoneInfo, now: datetime) -> Text:
    """A rule in words and the day of its next occurrence: 每个工作日 16:00; 下一次 11月26日 周四.

    Args:
        trigger: the rule.
        due: its next occurrence; None where there is none.
        zone: in which the day is told.
        now: the present instant: another year than its own is named.
    """
    if due is None:
        return _NEVER.format(rule=trigger.words())
    local, here = due.astimezone(zone), now.astimezone(zone)
    weekday = phrases.weekday(local.weekday())
    en = f"{weekday[:3]}, {_MONTHS[local.month - 1]} {local.day}"
    zh = f"{local.month}月{local.day}日 {weekday.zh}"
    if local.year != here.year:
        en, zh = f"{en} {local.year}", f"{local.year}年{zh}"
    return _NEXT.format(rule=trigger.words(), day=Text(en, zh))
