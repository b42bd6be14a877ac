"""A proposal: schedules and what they stand on, as a file gives them, that are not stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dingbell.domain.audience import Audience
from dingbell.domain.calendar.company import CalendarSpec
from dingbell.domain.message import Message
from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations.apps import AppSpec
from dingbell.operations.orgs import OrgSpec

__all__ = ["Proposal"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file says.

    Attributes:
        rules: what holds for everything, by name, in the form it is stored in.
    """

    schedules: Mapping[str, ScheduleSpec]
    apps: Mapping[str, AppSpec] = field(default_factory=dict, repr=False)
    orgs: Mapping[str, OrgSpec] = field(default_factory=dict)
    audiences: Mapping[str, Audience] = field(default_factory=dict)
    rules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    calendars: Mapping[str, CalendarSpec] = field(default_factory=dict)
    templates: Mapping[str, Message] = field(default_factory=dict)
