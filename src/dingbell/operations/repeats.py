"""Repeats: where schedules say the same words on one day, which DingTalk drops (143106)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice, permutations, takewhile

from dingbell.clock import SHANGHAI, beijing_day
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, Text

__all__ = ["repeats", "said_before", "said_later", "same_words"]

_DAY = timedelta(days=1)
# So many instants of a rule are looked at.
_MOST_INSTANTS = 1_500
_SAME_WORDS = Text(
    "says the same words as schedule {other!r} on {day}: DingTalk drops the second for everybody "
    "who is in both (143106)",
    "与日程 {other!r} 在 {day} 内容相同: 钉钉会对两者都包含的人丢弃第二条 (143106)",
)
# So many occurrences of a schedule are compared with those of the others.
_COMPARED = 7
# So many schedules that say the same are looked at, and so many are named to each other.
_MOST_ALIKE = 50
_MOST_TOLD = 3


def said_before(name: str, spec: ScheduleSpec, now: datetime, at: datetime) -> bool:
    """Whether a schedule says the same words before an instant, later than now on the same day."""
    words = _words(name, spec, at)
    earlier = spec.trigger().after(max(now, beijing_day(at)))
    return words is not None and any(
        words == _words(name, spec, one)
        for one in islice(takewhile(lambda found: found < at, earlier), _MOST_INSTANTS)
    )


def said_later(name: str, spec: ScheduleSpec, now: datetime) -> datetime | None:
    """The next instant of the same Beijing day at which a schedule says what it says now."""
    words = _words(name, spec, now)
    if words is None:
        return None
    ahead = takewhile(lambda one: one < beijing_day(now) + _DAY, spec.trigger().after(now))
    return next(
        (one for one in islice(ahead, _MOST_INSTANTS) if _words(name, spec, one) == words), None
    )


def _words(name: str, spec: ScheduleSpec, at: datetime) -> bytes | None:
    """What a schedule says to anybody at an instant; None where only a real person shows it."""
    if spec.message is None:
        return None
    try:
        return spec.message.body({**spec.seen_by(name, at), "person": _Anybody()})
    except InputError:
        return None  # of real people it is told one by one


class _Anybody(dict[str, str]):
    """A person of whom every attribute is the same short word."""

    def __missing__(self, name: str) -> str:
        return "x"


def repeats(name: str, spec: ScheduleSpec, now: datetime) -> tuple[datetime, datetime] | None:
    """The first two instants on one Beijing day at which a schedule says the same words.

    That is legal; DingTalk drops the second for everybody (143106).
    """
    last: tuple[datetime, bytes] | None = None
    for place, instant in enumerate(spec.trigger().after(now)):
        words = _words(name, spec, instant)
        if place >= _MOST_INSTANTS or words is None:
            return None
        if last and last[1] == words and beijing_day(last[0]) == beijing_day(instant):
            return last[0], instant
        last = instant, words
    return None


def same_words(
    specs: Mapping[str, tuple[object, ScheduleSpec]], now: datetime
) -> dict[str, list[Text]]:
    """Schedules of one app that say the same words on one Beijing day; both are told.

    Args:
        specs: by name, the app (anything that is equal for one app) and what the schedule says.
        now: the present instant.
    """
    said: dict[tuple[object, bytes, datetime], dict[str, None]] = {}
    for name, (app, spec) in specs.items():
        for instant in islice(spec.trigger().after(now), _COMPARED):
            words = _words(name, spec, instant)
            if words is None:
                break
            said.setdefault((app, words, beijing_day(instant)), {})[name] = None
    found: dict[str, dict[str, Text]] = {}
    for (_, _, day), names in sorted(said.items(), key=lambda item: item[0][2]):
        for name, other in permutations(islice(names, _MOST_ALIKE), 2):
            known = found.get(name, {})
            if other in known or len(known) >= _MOST_TOLD:
                continue
            if _may_meet(specs[name][1], specs[other][1]):
                told = _SAME_WORDS.format(other=other, day=f"{day.astimezone(SHANGHAI):%Y-%m-%d}")
                found.setdefault(name, {}).setdefault(other, told)
    return {name: list(told.values()) for name, told in found.items()}


def _may_meet(one: ScheduleSpec, other: ScheduleSpec) -> bool:
    """Whether somebody may be in both audiences; of userids alone that is known."""
    if one.to.needs_directory() or other.to.needs_directory():
        return True
    return not set(one.to.users).isdisjoint(other.to.users)
