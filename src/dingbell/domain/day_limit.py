"""How many notices a person gets on one day: `per_person_per_day`, and what becomes of the others.

Three limits may hold at once: of everything that an org's apps send (the file), of one app, and of
one schedule. Each counts the notices of its own scope on the Beijing day; whoever has reached one
of them is over. What is urgent goes all the same, and counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dingbell.errors import Text
from dingbell.meaning import Meaning

__all__ = [
    "NONE",
    "OVER_LIMIT",
    "PER_DAY",
    "UNLIMITED",
    "DayLimit",
    "Limits",
    "OverLimit",
    "PerDay",
    "next_day",
]

# DingTalk itself delivers at most 500 notices of an app to a person on one day.
PerDay = Annotated[int, Field(ge=1, le=1_000_000)]
OverLimit = Literal["hold", "skip"]

PER_DAY = Meaning(
    Text(
        "how many notices a person gets on one Beijing day at most; urgent ones are exempt",
        "每人每天 (北京时间) 至多收到多少条通知; 紧急通知不受限",
    ),
    "3",
    unit=Text("notices", "条"),
)
OVER_LIMIT = Meaning(
    Text(
        "what becomes of people above `per_person_per_day`: `hold` until the next day, or `skip`",
        "超过 `per_person_per_day` 的人: `hold` 次日再发, 或 `skip` 跳过",
    ),
    "skip",
)

_DAY = timedelta(days=1)


class DayLimit(BaseModel):
    """The limit of a scope, as its author wrote it.

    Attributes:
        per_person_per_day: how many notices a person gets on one Beijing day; None limits nothing.
        over_limit: whoever has had as many gets the notice on the next day at the same time
            (`hold`), or not at all (`skip`); None leaves it to the wider scope.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_person_per_day: PerDay | None = None
    over_limit: OverLimit | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that hold for one run.

    Attributes:
        everywhere: of all the notices of the org.
        app: of those of the run's app.
        schedule: of those of the run's schedule.
        then: what becomes of whoever is over one of them.
    """

    everywhere: int | None = None
    app: int | None = None
    schedule: int | None = None
    then: OverLimit = "hold"

    @classmethod
    def of(cls, everywhere: DayLimit | None, app: DayLimit, own: DayLimit) -> Limits:
        """The limits of three scopes together; the narrowest says what becomes of the others."""
        wide = everywhere or NONE
        return cls(
            wide.per_person_per_day,
            app.per_person_per_day,
            own.per_person_per_day,
            own.over_limit or app.over_limit or wide.over_limit or "hold",
        )

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return any(one is not None for one in (self.everywhere, self.app, self.schedule))

    def reached(self, everywhere: int, app: int, schedule: int) -> bool:
        """Whether somebody who has had so many notices that day has had as many as any allows."""
        return any(
            limit is not None and had >= limit
            for limit, had in (
                (self.everywhere, everywhere),
                (self.app, app),
                (self.schedule, schedule),
            )
        )


NONE = DayLimit()
UNLIMITED = Limits()


def next_day(instant: datetime) -> datetime:
    """When what is held for a day is sent: on the next one, at the same time."""
    return instant + _DAY
