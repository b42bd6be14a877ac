"""A rule in the five or six fields of cron."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from dingbell.domain import cronforms
from dingbell.domain.triggers import cronwords
from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown, shown, unrepeated
from dingbell.errors import InputError, Text

__all__ = ["Cron"]

_WITHOUT_SECONDS = 5
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  only the expression is explained


@dataclass(frozen=True, slots=True)
class Cron(Trigger):
    """A cron expression of five fields, or six with seconds first, in a zone.

    An expression whose minute and hour are both fixed names times of day: one that a clock change
    skips is meant at the next valid instant, one that it repeats is meant once. An expression with
    a wildcard or a step there follows real time: it fires whenever the clocks show a matching time,
    a second time too, and not when they skip it.
    """

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        problem = cronforms.problem(self.expression)
        if problem is not None:
            raise InputError(problem)

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The matching instants; none where cronsim finds none in 50 years."""
        for found in self._from(unrepeated(instant, self.zone)):
            if found > instant:
                yield found
                instant = found

    def _from(self, local: datetime) -> Iterator[datetime]:
        """The instants of the matching times from a local time on, in order.

        cronsim reads the calendar and the clock on the wall only: stepping through a zone itself it
        loses occurrences where clocks skip midnight or move by half an hour.
        """
        fixed = self._is_fixed()
        again: deque[datetime] = deque()
        for matching in CronSim(self.expression, local):
            here = (first_shown(matching, self.zone),) if fixed else shown(matching, self.zone)
            # What the clocks show twice they show again after the last of it, not at once.
            while again and here and again[0] < here[0]:
                yield again.popleft()
            yield from here[:1]
            again.extend(here[1:])
        yield from again

    def _is_fixed(self) -> bool:
        minute, hour = self.expression.split()[-5:-3]
        return not any(mark in field for field in (minute, hour) for mark in "*/")

    def words(self) -> Text:
        """Cron 0 9 * * 1-5 (on Monday to Friday, at 09:00)."""
        written = " ".join(self.expression.split()).upper()
        if len(written.split()) == _WITHOUT_SECONDS:
            said = cronwords.said(written)
            return Text(f"cron {written} ({said})", f"cron {written} ({said.zh})")
        explained = CronSim(self.expression, _ANY_DAY).explain()
        return Text(f"cron {written} ({explained})", f"cron {written}")

    def to_dict(self) -> dict[str, Any]:
        """`{"cron": expression}`."""
        return {"cron": self.expression}
