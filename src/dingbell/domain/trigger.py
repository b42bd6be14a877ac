"""Rules that give the next instant: daily, cron, every, once.

A trigger is an immutable value with one question: what comes after an instant. All instants are
aware; results are in UTC and strictly increase. A trigger never reads a clock.

Where a zone changes its clocks, a time of day that is skipped stands for the next valid instant,
and one that is repeated for its first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import count, islice
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim

from dingbell.domain import cronforms
from dingbell.domain.duration import format_duration, parse_duration
from dingbell.errors import InputError, Text

__all__ = ["Cron", "Daily", "Every", "Once", "Trigger", "instants", "parse_trigger", "parse_zone"]

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_SHORTEST = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


class Trigger(Protocol):
    """Gives the next instants of a rule."""

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The occurrences strictly after `instant`, in UTC, in order."""
        ...

    def next_after(self, instant: datetime) -> datetime | None:
        """The first of them, or None when there is none."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The form that `parse_trigger` reads."""
        ...


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields, or six with seconds first, in a zone.

    Clock changes as Debian's cron has them: an expression whose minute and hour are both fixed
    names times of day (skipped: the next valid instant; repeated: once); one with a wildcard or a
    step there follows real time.
    """

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        problem = cronforms.problem(self.expression)
        if problem is not None:
            raise InputError(problem)

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The matching instants; none where cronsim finds none in 50 years."""
        for found in self._times_of_day(instant) if self._is_fixed() else self._real_time(instant):
            if found > instant:
                yield found
                instant = found

    def _is_fixed(self) -> bool:
        minute, hour = self.expression.split()[-5:-3]
        return not (minute.startswith("*") or hour.startswith("*"))

    def _times_of_day(self, instant: datetime) -> Iterator[datetime]:
        """The same for zones of any kind: cronsim itself knows the rule for five fields only."""
        local = instant.astimezone(self.zone).replace(tzinfo=None)
        return (_on_the_wall(found, self.zone) for found in CronSim(self.expression, local))

    def _real_time(self, instant: datetime) -> Iterator[datetime]:
        local = instant.astimezone(self.zone)
        return (found.astimezone(UTC) for found in CronSim(self.expression, local))

    def next_after(self, instant: datetime) -> datetime | None:
        """The first matching instant after `instant`; None when none comes."""
        return next(self.after(instant), None)

    def to_dict(self) -> dict[str, Any]:
        """`{"cron": expression}`."""
        return {"cron": self.expression}


@dataclass(frozen=True, slots=True)
class Daily:
    """One or more times of day, every day, in a zone."""

    times: tuple[str, ...]
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if not self.times:
            raise InputError(Text("daily needs at least one time", "daily 至少要有一个时间"))
        for written in self.times:
            if not _TIME.fullmatch(written):
                raise InputError(
                    Text(
                        "{time!r} is not a time of day: write HH:MM or HH:MM:SS",
                        "{time!r} 不是一天中的时间: 请写 HH:MM 或 HH:MM:SS",
                    ).format(time=written)
                )

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every time of every day."""
        day = instant.astimezone(self.zone).date()
        times = sorted(map(_time_of_day, self.times))
        while True:
            for of_day in times:
                found = _on_the_wall(datetime.combine(day, of_day), self.zone)
                if found > instant:
                    yield found
                    instant = found
            day += _DAY

    def next_after(self, instant: datetime) -> datetime | None:
        """The earliest of the next occurrences of each time."""
        return next(self.after(instant), None)

    def to_dict(self) -> dict[str, Any]:
        """`{"daily": "16:00"}` or a list of times."""
        return {"daily": self.times[0] if len(self.times) == 1 else list(self.times)}


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed interval of elapsed time; the anchor is the first occurrence."""

    interval: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.interval < _SHORTEST:
            raise InputError(
                Text("the shortest interval is 1s", "最短间隔是 1s"),
            )

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The anchor and what follows it at a distance of whole intervals, whatever clocks do."""
        anchor = self.anchor.astimezone(UTC)
        first = (instant - anchor) // self.interval + 1
        return (anchor + steps * self.interval for steps in count(max(first, 0)))

    def next_after(self, instant: datetime) -> datetime | None:
        """The anchor, or the first whole interval after it."""
        return next(self.after(instant), None)

    def to_dict(self) -> dict[str, Any]:
        """`{"every": "15m", "from": anchor}`."""
        return {"every": format_duration(self.interval), "from": self.anchor.isoformat()}


@dataclass(frozen=True, slots=True)
class Once:
    """One single instant."""

    at: datetime

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The instant, until it has come."""
        at = self.at.astimezone(UTC)
        if at > instant:
            yield at

    def next_after(self, instant: datetime) -> datetime | None:
        """The instant, until it has come."""
        return next(self.after(instant), None)

    def to_dict(self) -> dict[str, Any]:
        """`{"once": "2026-11-23T16:00:00+08:00"}`."""
        return {"once": self.at.isoformat()}


def _time_of_day(written: str) -> time:
    hour, minute, *second = map(int, written.split(":"))
    return time(hour, minute, second[0] if second else 0)


def _on_the_wall(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clocks of a zone show a time, or have skipped it."""
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while instant.astimezone(zone).replace(tzinfo=None) != local:
        local = local.replace(second=0, microsecond=0) + _MINUTE
        instant = local.replace(tzinfo=zone).astimezone(UTC)
    return instant


def instants(trigger: Trigger, after: datetime, count: int) -> Iterator[datetime]:
    """The next `count` occurrences after an instant."""
    return islice(trigger.after(after), count)


def parse_zone(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name.

    Raises:
        InputError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            Text(
                "unknown time zone {name!r}: use an IANA name such as Asia/Shanghai or UTC",
                "未知时区 {name!r}: 请使用 IANA 名称, 例如 Asia/Shanghai 或 UTC",
            ).format(name=name)
        ) from error


def parse_trigger(when: Mapping[str, Any], *, zone: ZoneInfo, anchor: datetime) -> Trigger:
    """Read `{"daily": "16:00"}`, `{"cron": …}`, `{"every": "15m"}` or `{"once": …}`.

    Args:
        when: exactly one rule; `every` may also say `from`.
        zone: where times of day are meant, and instants without an offset.
        anchor: what `every` counts from unless it says so itself.

    Raises:
        InputError: it is none of these, more than one, or not valid.
    """
    rule = {key: value for key, value in when.items() if value is not None}
    origin = rule.pop("from", None)
    if len(rule) != 1 or not rule.keys() <= {"daily", "cron", "every", "once"}:
        raise InputError(
            Text(
                "when: write exactly one of daily, cron, every, once (found: {found})",
                "when: 请只写 daily、cron、every、once 之一 (现为: {found})",
            ).format(found=", ".join(map(str, rule)) or "-")
        )
    ((kind, value),) = rule.items()
    if origin is not None and kind != "every":
        raise InputError(Text("'from' belongs to 'every' only", "'from' 只能与 'every' 一起用"))
    if kind == "daily":
        return Daily(tuple(_text(item, kind) for item in _listed(value)), zone)
    if kind == "cron":
        return Cron(_text(value, kind), zone)
    if kind == "every":
        return Every(parse_duration(value), _instant(origin, zone) if origin else anchor)
    return Once(_instant(value, zone))


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: object, kind: str) -> str:
    if isinstance(value, str):
        return value.strip()
    raise InputError(
        Text(
            "{kind}: {value!r} must be written in quotes",
            "{kind}: {value!r} 要写在引号里",
        ).format(kind=kind, value=value)
    )


def _instant(value: object, zone: ZoneInfo) -> datetime:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return _on_the_wall(found, zone).astimezone(zone) if found.tzinfo is None else _sane(found)
    except (ValueError, OverflowError) as error:
        raise InputError(
            Text(
                "{value!r} is not an instant: write 2026-11-23 16:00 or 2026-11-23T16:00:00+08:00",
                "{value!r} 不是时刻: 请写 2026-11-23 16:00 或 2026-11-23T16:00:00+08:00",
            ).format(value=value)
        ) from error


def _sane(found: datetime) -> datetime:
    """Demand that an instant can be written in every zone."""
    found.astimezone(UTC)
    return found
