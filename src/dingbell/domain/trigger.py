"""Rules that give the next instant: daily, cron, every, once.

A trigger is an immutable value with one question, `next_after`. All instants are aware; results are
in UTC. A trigger never reads a clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from dingbell.domain.duration import format_duration, parse_duration
from dingbell.errors import InputError, Text

__all__ = ["Cron", "Daily", "Every", "Once", "Trigger", "instants", "parse_trigger", "parse_zone"]

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_SHORTEST = timedelta(seconds=1)


class Trigger(Protocol):
    """Gives the next instant of a rule."""

    def next_after(self, instant: datetime) -> datetime | None:
        """The first occurrence strictly after `instant`, in UTC, or None when there is none."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The form that `parse_trigger` reads."""
        ...


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields, or six with seconds first, in a zone.

    Daylight saving as cronsim documents it: a fixed time that is skipped fires at the next valid
    instant, one that is repeated fires once; wildcard and step fields follow real time.
    """

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        fields = len(self.expression.split())
        if fields not in (5, 6):
            raise InputError(
                Text(
                    "cron expression {expression!r} has {fields} fields: write 5 (minute hour day "
                    "month weekday) or 6 with seconds first",
                    "cron 表达式 {expression!r} 有 {fields} 个字段: 请写 5 个 (分 时 日 月 周) "
                    "或 6 个 (秒在最前)",
                ).format(expression=self.expression, fields=fields)
            )
        try:
            CronSim(self.expression, datetime(2026, 1, 1, tzinfo=self.zone))
        except CronSimError as error:
            raise InputError(
                Text(
                    "cron expression {expression!r} is not valid: {error}",
                    "cron 表达式 {expression!r} 无效: {error}",
                ).format(expression=self.expression, error=error)
            ) from error

    def next_after(self, instant: datetime) -> datetime | None:
        """The first matching instant after `instant`; None when none comes (30 February)."""
        try:
            return next(CronSim(self.expression, instant.astimezone(self.zone))).astimezone(UTC)
        except StopIteration:
            return None

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
        for time in self.times:
            if not _TIME.fullmatch(time):
                raise InputError(
                    Text(
                        "{time!r} is not a time of day: write HH:MM or HH:MM:SS",
                        "{time!r} 不是一天中的时间: 请写 HH:MM 或 HH:MM:SS",
                    ).format(time=time)
                )

    def next_after(self, instant: datetime) -> datetime:
        """The earliest of the next occurrence of each time."""
        found = (cron.next_after(instant) for cron in self._crons())
        return min(occurrence for occurrence in found if occurrence)

    def _crons(self) -> Iterator[Cron]:
        for time in self.times:
            hour, minute, *second = (int(part) for part in time.split(":"))
            yield Cron(f"{second[0] if second else 0} {minute} {hour} * * *", self.zone)

    def to_dict(self) -> dict[str, Any]:
        """`{"daily": "16:00"}` or a list of times."""
        return {"daily": self.times[0] if len(self.times) == 1 else list(self.times)}


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed interval of elapsed time, counted from an anchor; zones do not matter to it."""

    interval: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.interval < _SHORTEST:
            raise InputError(
                Text("the shortest interval is 1s", "最短间隔是 1s"),
            )

    def next_after(self, instant: datetime) -> datetime:
        """The next multiple of the interval after the anchor, or the first one after it."""
        steps = math.floor((instant - self.anchor) / self.interval) + 1
        return (self.anchor + max(steps, 1) * self.interval).astimezone(UTC)

    def to_dict(self) -> dict[str, Any]:
        """`{"every": "15m", "from": anchor}`."""
        return {"every": format_duration(self.interval), "from": self.anchor.isoformat()}


@dataclass(frozen=True, slots=True)
class Once:
    """One single instant."""

    at: datetime

    def next_after(self, instant: datetime) -> datetime | None:
        """The instant, until it has come."""
        return self.at.astimezone(UTC) if self.at > instant else None

    def to_dict(self) -> dict[str, Any]:
        """`{"once": "2026-11-23T16:00:00+08:00"}`."""
        return {"once": self.at.isoformat()}


def instants(trigger: Trigger, after: datetime, count: int) -> Iterator[datetime]:
    """The next `count` occurrences after an instant."""
    for _ in range(count):
        occurrence = trigger.next_after(after)
        if occurrence is None:
            return
        yield occurrence
        after = occurrence


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
    return value if isinstance(value, list) else [value]


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
    except ValueError as error:
        raise InputError(
            Text(
                "{value!r} is not an instant: write 2026-11-23 16:00 or 2026-11-23T16:00:00+08:00",
                "{value!r} 不是时刻: 请写 2026-11-23 16:00 或 2026-11-23T16:00:00+08:00",
            ).format(value=value)
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=zone)
