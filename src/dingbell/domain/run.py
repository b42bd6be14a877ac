"""What a run is to do: the part of its schedule or order that it keeps from when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, ValidationError, field_validator

from dingbell.domain.audience import Audience
from dingbell.domain.day_limit import DayLimit, PerDay
from dingbell.domain.duration import Duration
from dingbell.domain.followup import FollowUp, Step
from dingbell.domain.message import Message
from dingbell.domain.misfire import Misfire
from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.domain.triggers import parse_zone
from dingbell.domain.variables import Vars
from dingbell.validation import refusal

__all__ = [
    "AlertNotice",
    "FollowUpStep",
    "Kind",
    "Manual",
    "Occurrence",
    "RunSpec",
    "parse_spec",
]

# What a person asked for by hand, or what follows a run, may begin so much later.
_MANUAL_GRACE = timedelta(minutes=30)


class Kind(StrEnum):
    """How a run came about; with the schedule and the key it is its identity."""

    OCCURRENCE = "occurrence"
    RUN = "run"
    SEND = "send"
    FOLLOW_UP = "follow_up"
    ALERT = "alert"

    def __format__(self, form: str) -> str:
        return f"'{self.value}'" if form == "sql" else super().__format__(form)


class _Spec(Policies):
    """What every run keeps.

    Attributes:
        timezone: IANA name of the zone of quiet hours and of dates in templates.
        follow_up: whom to remind, and whom to tell, when some have not read.
        vars: values for its templates.
        per_person_per_day: how many notices of its schedule a person gets on one Beijing day.
    """

    # Written by versions that may keep more than this one reads.
    model_config = ConfigDict(frozen=True, extra="ignore")

    timezone: str = "Asia/Shanghai"
    follow_up: FollowUp | None = None
    vars: Vars = Field(default_factory=dict)
    per_person_per_day: PerDay | None = None

    @property
    def day_limit(self) -> DayLimit:
        """What it says of the notices a person gets on one day."""
        return DayLimit(per_person_per_day=self.per_person_per_day, over_limit=self.over_limit)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of quiet hours and of dates in templates."""
        return parse_zone(self.timezone)

    @property
    def grace(self) -> timedelta:
        """How late it may begin."""
        return _MANUAL_GRACE

    @property
    def coarse(self) -> bool:
        """Whether departments are sent to as they are."""
        return self.tracking == "coarse"

    def to_dict(self) -> dict[str, Any]:
        """The form it is stored in: what differs from the defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Occurrence(_Spec):
    """One occurrence of a schedule.

    Attributes:
        message: None where the schedule's function makes it.
        rows: the dataset in which each person has a row; its newest version is read.
        expires_after: later than this it is never sent, whatever the grace.
    """

    kinds: ClassVar = frozenset({Kind.OCCURRENCE})

    to: Audience
    message: Message | None = None
    rows: str | None = None
    misfire: Misfire = Misfire()
    overlap: Literal["skip", "queue", "allow"] = "skip"
    expires_after: Duration | None = None

    @classmethod
    def of(cls, schedule: ScheduleSpec) -> Self:
        """The part of a schedule that its occurrences keep; it has been checked already."""
        return cls.model_construct(**{name: getattr(schedule, name) for name in cls.model_fields})

    @property
    def grace(self) -> timedelta:
        """How late it may begin."""
        grace = self.misfire.grace
        return min(grace, self.expires_after) if self.expires_after is not None else grace


class Manual(_Spec):
    """A schedule that was run by hand, or a send.

    Attributes:
        message: None where the schedule's function makes it.
        rows: the dataset in which each person has a row; its newest version is read.
    """

    kinds: ClassVar = frozenset({Kind.RUN, Kind.SEND})

    to: Audience
    message: Message | None = None
    rows: str | None = None

    @classmethod
    def of(cls, schedule: ScheduleSpec) -> Self:
        """The part of a schedule that is kept when it is run by hand."""
        return cls.model_construct(**{name: getattr(schedule, name) for name in cls.model_fields})


class FollowUpStep(_Spec):
    """A reminder of those who have not read another run, or a notice about them.

    Attributes:
        step: which of the two.
        poll_lead: how long before it the batches of its parent are polled once more.
        remaining: whom each receiver is still to be told of, where a list was split.
    """

    kinds: ClassVar = frozenset({Kind.FOLLOW_UP})

    follow_up: FollowUp
    step: Step
    poll_lead: Duration = timedelta(0)
    remaining: dict[str, tuple[str, ...]] | None = None


class AlertNotice(_Spec):
    """A notice about an alert."""

    kinds: ClassVar = frozenset({Kind.ALERT})

    to: Audience
    message: Message

    @field_validator("message", mode="before")
    @classmethod
    def _is_no_template(cls, message: Any) -> Any:
        """An alert may quote anything, braces too."""
        return message if isinstance(message, Message) else Message(message, literal=True)


RunSpec = Occurrence | Manual | FollowUpStep | AlertNotice
_BY_KIND: dict[str, type[RunSpec]] = {
    kind: one for one in (Occurrence, Manual, FollowUpStep, AlertNotice) for kind in one.kinds
}


def parse_spec(kind: str, stored: Mapping[str, Any]) -> RunSpec:
    """Read what a run keeps.

    Raises:
        InputError: it cannot be read, or does not work any more.
    """
    try:
        return _BY_KIND[kind].model_validate(stored)
    except ValidationError as error:
        raise refusal(error) from None
