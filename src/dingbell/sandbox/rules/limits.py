"""The limits of the pretend DingTalk: documented defaults, adjustable so that tests stay short."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dingbell.sandbox.wire.refusals import MisuseError

UNLIMITED = sys.maxsize


@dataclass(frozen=True, slots=True)
class Limits:
    """Every number and switch, with its documented default (facts read 2026-08).

    Whole numbers may be `null` over HTTP, which means unlimited.

    Attributes:
        people_per_minute: Recipients per app in one people window (143103).
        org_people_per_minute: Recipients per organisation in one people window (143104).
        window_seconds: Length of the people window.
        calls_per_second: Calls per app and API in any second (88/90018).
        daily_per_person: Notices per person, app and Beijing day (143105).
        monthly_calls: Billable calls per organisation and month (90020).
        people_per_call: People one call may reach through departments or everyone.
        excess_is_error: Refuse a call above `people_per_call` (41029) instead of dropping the rest.
        userids_per_call: Ids in `userid_list` (40032).
        departments_per_call: Ids in `dept_id_list` (400002).
        to_all_per_day: Sends to everyone per app and Beijing day (41045).
        calls_per_ip: Calls per address in one address window, then it is banned.
        ip_window_seconds: Length of the address window.
        ip_ban_seconds: Length of the ban.
        completion_seconds: Time a task takes from 0 to 2.
        reading_seconds: Half of those who read have read by then.
        lenient_bytes: Accept messages above 2,048 bytes.
        strict_media: Accept only media ids uploaded to this sandbox (40007).
        include_forbidden_user_id_list: Add that documented but never seen key to results.
        large_result_hold_seconds: Hold a result query above 100 recipients before it times out.
        progress_window_seconds: How long a task's progress may be asked.
        result_window_seconds: How long a task's result may be asked and it may be recalled.
        status_bar_window_seconds: How long a status bar may be changed.
    """

    people_per_minute: int = 5_000
    org_people_per_minute: int = 5_000
    window_seconds: float = 60.0
    calls_per_second: int = 20
    daily_per_person: int = 500
    monthly_calls: int = UNLIMITED
    people_per_call: int = 5_000
    excess_is_error: bool = False
    userids_per_call: int = 100
    departments_per_call: int = 20
    to_all_per_day: int = 3
    calls_per_ip: int = 10_000
    ip_window_seconds: float = 20.0
    ip_ban_seconds: float = 300.0
    completion_seconds: float = 1.0
    reading_seconds: float = 20.0
    lenient_bytes: bool = False
    strict_media: bool = True
    include_forbidden_user_id_list: bool = False
    large_result_hold_seconds: float = 0.0
    progress_window_seconds: float = 7 * 86_400.0
    result_window_seconds: float = 86_400.0
    status_bar_window_seconds: float = 7 * 86_400.0

    def changed(self, wishes: Mapping[str, Any]) -> "Limits":
        """A copy with other values.

        Raises:
            MisuseError: A name is unknown or a value does not fit it.
        """
        values = {name: _fit(name, value) for name, value in wishes.items()}
        if "people_per_minute" in values:
            values.setdefault("org_people_per_minute", values["people_per_minute"])
        return dataclasses.replace(self, **values)

    def as_json(self) -> dict[str, Any]:
        """All values by name; unlimited is null."""
        values = dataclasses.asdict(self)
        return {name: None if value == UNLIMITED else value for name, value in values.items()}


_KINDS: dict[str, type] = {field.name: type(field.default) for field in dataclasses.fields(Limits)}


def _fit(name: str, value: object) -> Any:
    kind = _KINDS.get(name)
    if kind is None:
        raise MisuseError(name, f"unknown limit; known: {', '.join(sorted(_KINDS))}")
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise MisuseError(name, f"must be true or false, got {value!r}")
    if kind is int and value is None:
        return UNLIMITED
    if isinstance(value, bool) or not isinstance(value, int | float) or not _sane(value):
        raise MisuseError(name, f"must be a number, zero or more, got {value!r}")
    if kind is int and value != int(value):
        raise MisuseError(name, f"must be a whole number, got {value!r}")
    return kind(value)


def _sane(value: float) -> bool:
    return math.isfinite(value) and value >= 0
