"""A rule as an author writes it: exactly one of `daily`, `cron`, `every`, `once`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.duration import parse_duration
from dingbell.domain.triggers.cron import Cron
from dingbell.domain.triggers.daily import Daily
from dingbell.domain.triggers.every import Every
from dingbell.domain.triggers.once import Once
from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown
from dingbell.errors import InputError, Text

__all__ = ["parse_trigger"]


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
        return first_shown(found, zone).astimezone(zone) if found.tzinfo is None else _sane(found)
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
