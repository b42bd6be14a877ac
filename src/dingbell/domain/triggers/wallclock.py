"""What the clocks of a zone show: where they skip a time, where they repeat one."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dingbell.errors import InputError, Text

__all__ = ["first_shown", "parse_zone", "shown", "unrepeated"]

_SECOND = timedelta(seconds=1)


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


def shown(local: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants at which the clocks of a zone show a time: none if skipped, two if repeated.

    Args:
        local: a time without a zone.
        zone: whose clocks.
    """
    early, late = _readings(local, zone)
    if early == late:
        return (early,)
    return (early, late) if early < late else ()


def first_shown(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clocks of a zone show a time, or have skipped it."""
    early, late = _readings(local, zone)
    return early if early <= late else _change(late, early, zone)


def unrepeated(instant: datetime, zone: ZoneInfo) -> datetime:
    """The local time of an instant, set back before any repetition that the clocks are in.

    From there on, every time that the clocks have yet to show again comes up.
    """
    local = instant.astimezone(zone).replace(tzinfo=None)
    early, late = _readings(local, zone)
    return local - max(late - early, timedelta(0))


def _readings(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants a time means by the offset before and by the offset after a change of clocks.

    They are equal where no change is near; the first is the later one where the time is skipped.
    """
    return (
        local.replace(tzinfo=zone, fold=0).astimezone(UTC),
        local.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The full second between two instants at which the clocks of a zone are changed."""
    before = before.replace(microsecond=0)
    offset = before.astimezone(zone).utcoffset()
    return before + _SECOND * bisect_left(
        range((after - before) // _SECOND),
        True,
        key=lambda seconds: (before + _SECOND * seconds).astimezone(zone).utcoffset() != offset,
    )
