"""A simulation as a calendar (ICS) that calendar programs open."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from dingbell.errors import InputError, Text
from dingbell.operations.simulation.views import SimulatedOccurrence, SimulationView

if TYPE_CHECKING:
    from collections.abc import Callable

    from icalendar import Event

__all__ = ["MOST_EVENTS", "calendar"]

# Calendar programs give up long before this.
MOST_EVENTS = 20_000
_SHORTEST = timedelta(minutes=1)
# What is sent happens, what waits for a person may, what is not sent does not.
_STATUS = {"sent": "CONFIRMED", "held": "TENTATIVE"}


def calendar(found: SimulationView, now: datetime, say: Callable[[Text], str] = str) -> bytes:
    """An event for every occurrence, in the zone of its schedule.

    Args:
        found: the simulation.
        now: when it was made.
        say: chooses the language.

    Raises:
        InputError: there are more events than a calendar program takes.
    """
    from icalendar import Calendar

    if len(found.occurrences) > MOST_EVENTS:
        raise InputError(
            Text(
                "{count} occurrences are too many for a calendar, which takes {most}: ask for "
                "fewer days, or for --json",
                "{count} 次发送超出日历文件上限 {most}: 请缩短日期范围, 或使用 --json",
            ).format(count=len(found.occurrences), most=MOST_EVENTS)
        )
    made = Calendar()
    made.add("prodid", "-//DingBell//simulate//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    for one in found.occurrences:
        made.add_component(_event(one, now, say))
    made.add_missing_timezones()
    written: bytes = made.to_ical()
    return written


def _event(one: SimulatedOccurrence, now: datetime, say: Callable[[Text], str]) -> Event:
    from icalendar import Event

    begins = one.sent_at or one.due_at
    event = Event()
    event.add("uid", _uid(one))
    event.add("dtstamp", now)
    event.add("dtstart", begins)
    event.add("duration", max(timedelta(minutes=round(one.minutes)), _SHORTEST))
    event.add("summary", say(_SUMMARY.format(schedule=one.schedule, people=one.people)))
    told = _TOLD.format(outcome=one.outcome, reached=one.reached, calls=one.calls)
    why = one.reason
    event.add("description", say(told) + (f"\n{say(why)}" if why else ""))
    event.add("status", _STATUS.get(one.outcome, "CANCELLED"))
    event.add("transp", "TRANSPARENT")
    event.add("categories", [one.outcome])
    return event


_SUMMARY = Text("{schedule} ({people} people)", "{schedule} ({people} 人)")
_TOLD = Text(
    "{outcome}: {reached} people get it, {calls} calls",
    "{outcome}: {reached} 人收到, {calls} 次调用",
)


def _uid(one: SimulatedOccurrence) -> str:
    """The same occurrence is the same event in the next simulation, too."""
    said = f"{one.schedule} {one.due_at.isoformat()}"
    return f"{blake2b(said.encode(), digest_size=12).hexdigest()}@dingbell"
