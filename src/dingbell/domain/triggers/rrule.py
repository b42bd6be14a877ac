"""Recurrence rules of calendar programs (RFC 5545), as far as they name days.

FREQ from DAILY to YEARLY, INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS and WKST are
understood. Anything else is refused by its name: what is not understood must not be guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo

from dingbell.domain.triggers.recurrence import Nth, Recurrence
from dingbell.domain.triggers.wallclock import first_shown, parse_zone
from dingbell.errors import InputError, Text

__all__ = ["translated"]

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST",
)  # fmt: skip
_STAMP = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
_NTH = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_LINE = re.compile(r"\s+(?=[A-Za-z]+[;:=])")
_MOST = 10_000


def translated(written: str, zone: ZoneInfo) -> Recurrence:
    """The rule that `DTSTART:… RRULE:…` means.

    Args:
        written: both parts, on two lines or with a blank between them.
        zone: where the start is meant unless it says its own.

    Raises:
        InputError: part of it is not understood, or no day ever fits.
    """
    start, begin, parts = _parts(written, zone)
    freq = parts["FREQ"]
    _refuse_strange(freq, parts)
    until = parts.get("UNTIL")
    found = Recurrence(
        freq=_FREQUENCIES.index(freq),
        start=begin.date(),
        times=(begin.time().isoformat("minutes" if begin.second == 0 else "seconds"),),
        zone=start,
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), 1, 1_000),
        months=_numbers("BYMONTH", parts, 1, 12),
        month_days=_numbers("BYMONTHDAY", parts, 1, 31, signed=True),
        weekdays=_weekdays(freq, parts),
        positions=_numbers("BYSETPOS", parts, 1, 366, signed=True),
        week_start=_weekday(parts.get("WKST", "MO")),
        count=_number("COUNT", parts["COUNT"], 1, _MOST) if "COUNT" in parts else None,
        until=_until(until, start) if until is not None else None,
        written=" ".join(written.split()),
    )
    if not any(islice(found.days_from(found.start), 1)):
        raise InputError(
            Text("rrule: no day ever fits it", "rrule: 没有任何日期符合此规则"),
        )
    return found


def _parts(written: str, zone: ZoneInfo) -> tuple[ZoneInfo, datetime, dict[str, str]]:
    """The zone, the start and the parts of the rule."""
    start: tuple[ZoneInfo, datetime] | None = None
    parts: dict[str, str] = {}
    for line in _LINE.split(written.strip()):
        name, _, value = line.partition(":")
        name, _, parameters = name.partition(";")
        name = name.upper()
        if not value and "FREQ=" in line.upper():
            name, value = "RRULE", line
        if name == "DTSTART":
            start = _start(parameters, value, zone)
        elif name == "RRULE":
            parts = _rule(value)
        else:
            raise InputError(_REFUSED.format(name=name or line))
    if "FREQ" not in parts or start is None:
        raise InputError(_INCOMPLETE)
    return *start, parts


def _rule(value: str) -> dict[str, str]:
    parts = {}
    for part in value.strip().strip(";").upper().split(";"):
        name, sign, said = part.partition("=")
        if name not in _PARTS or not sign or name in parts:
            raise InputError(_REFUSED.format(name=name or part))
        parts[name] = said
    if parts.get("FREQ") not in _FREQUENCIES:
        raise InputError(_REFUSED.format(name=f"FREQ={parts.get('FREQ', '')}"))
    return parts


_REFUSED = Text(
    "rrule: {name} is not supported: write FREQ=DAILY, WEEKLY, MONTHLY or YEARLY with INTERVAL, "
    "COUNT, UNTIL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, WKST; for other days `except`, for hours "
    "`cron` or `any`",
    "rrule: 不支持 {name}: 请写 FREQ=DAILY、WEEKLY、MONTHLY 或 YEARLY, 可带 INTERVAL、COUNT、"
    "UNTIL、BYMONTH、BYMONTHDAY、BYDAY、BYSETPOS、WKST; 排除日期用 `except`, "
    "按小时用 `cron` 或 `any`",
)
_INCOMPLETE = Text(
    'rrule: write both, as in "DTSTART:20261201T090000 RRULE:FREQ=WEEKLY;BYDAY=MO"',
    'rrule: 两部分都要写, 例如 "DTSTART:20261201T090000 RRULE:FREQ=WEEKLY;BYDAY=MO"',
)
_BAD = Text("rrule: {name} has no {value!r}", "rrule: {name} 不能是 {value!r}")


def _refuse_strange(freq: str, parts: dict[str, str]) -> None:
    """Refuse what the RFC does not allow together, or leaves open."""
    strange = {
        "COUNT with UNTIL": "COUNT" in parts and "UNTIL" in parts,
        "BYMONTHDAY with FREQ=WEEKLY": freq == "WEEKLY" and "BYMONTHDAY" in parts,
        "BYSETPOS with FREQ=DAILY": freq == "DAILY" and "BYSETPOS" in parts,
    }
    for name, found in strange.items():
        if found:
            raise InputError(_REFUSED.format(name=name))


def _start(parameters: str, value: str, zone: ZoneInfo) -> tuple[ZoneInfo, datetime]:
    name, _, said = parameters.partition("=")
    if name.upper() == "TZID":
        zone = parse_zone(said)
    elif name and parameters.upper() != "VALUE=DATE-TIME":
        raise InputError(_REFUSED.format(name=f"DTSTART;{parameters}"))
    stamp = _STAMP.fullmatch(value.strip())
    if stamp is None or stamp[2] is None:
        raise InputError(_BAD.format(name="DTSTART", value=value))
    return (ZoneInfo("UTC") if stamp[3] else zone), _moment("DTSTART", stamp[1], stamp[2])


def _moment(name: str, day: str, clock: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        raise InputError(_BAD.format(name=name, value=f"{day}T{clock}")) from None


def _until(value: str, zone: ZoneInfo) -> datetime:
    """The last instant; a day alone is its end, and a time without a zone is the rule's."""
    stamp = _STAMP.fullmatch(value)
    if stamp is None:
        raise InputError(_BAD.format(name="UNTIL", value=value))
    if stamp[2] is None:
        day = _moment("UNTIL", stamp[1], "000000").date()
        return datetime.combine(day, time.max).replace(tzinfo=zone).astimezone(UTC)
    found = _moment("UNTIL", stamp[1], stamp[2])
    return found.replace(tzinfo=UTC) if stamp[3] else first_shown(found, zone)


def _number(name: str, value: str, least: int, most: int, *, signed: bool = False) -> int:
    digits = value.lstrip("+-") if signed else value
    if not digits.isascii() or not digits.isdigit() or not least <= int(digits) <= most:
        raise InputError(_BAD.format(name=name, value=value))
    return int(value)


def _numbers(
    name: str, parts: dict[str, str], least: int, most: int, *, signed: bool = False
) -> tuple[int, ...]:
    if name not in parts:
        return ()
    found = {_number(name, one, least, most, signed=signed) for one in parts[name].split(",")}
    return tuple(sorted(found))


def _weekday(value: str) -> int:
    if value not in _WEEKDAYS:
        raise InputError(_BAD.format(name="WKST", value=value))
    return _WEEKDAYS.index(value)


def _weekdays(freq: str, parts: dict[str, str]) -> tuple[Nth, ...]:
    """The weekdays, each with which one of the month or the year it is; 0 is every one."""
    if "BYDAY" not in parts:
        return ()
    found = set()
    for one in parts["BYDAY"].split(","):
        read = _NTH.fullmatch(one)
        nth = int(read[1]) if read and read[1] else 0
        if read is None or (read[1] and nth == 0) or abs(nth) > 53:
            raise InputError(_BAD.format(name="BYDAY", value=one))
        if nth and freq in ("DAILY", "WEEKLY"):
            raise InputError(_REFUSED.format(name=f"BYDAY={one} with FREQ={freq}"))
        found.add((_WEEKDAYS.index(read[2]), nth))
    return tuple(sorted(found))
