"""What is simulated: schedules, and the world they are sent in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from dingbell.domain.budget import Usage
from dingbell.domain.day_limit import UNLIMITED, Limits
from dingbell.domain.gates import Rules
from dingbell.domain.run import Occurrence
from dingbell.domain.simulation.crowd import Crowd
from dingbell.domain.simulation.words import Words
from dingbell.domain.slots import Pace
from dingbell.domain.triggers import Trigger
from dingbell.errors import Text

__all__ = ["Subject", "World"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One schedule.

    Attributes:
        app: what is equal for two schedules of one app.
        spec: what its occurrences keep.
        people_on: whom its audience names on a day of its zone, as bits of the crowd.
        words: what it says.
        limits: how many notices a person gets on one day; empty where it is urgent or coarse.
        approved: whether its revision needs no approval or has it.
        fault: why nothing of it can be sent; None where it can.
        whole: how many calls it takes where departments are sent to as they are; None else.
        unpublished: the calendar and the year that an occurrence has to wait for.
    """

    name: str
    app: str
    org: str
    spec: Occurrence
    trigger: Trigger
    people_on: Callable[[date], int] = field(repr=False)
    words: Words = field(repr=False)
    limits: Limits = UNLIMITED
    approved: bool = True
    fault: Text | None = None
    whole: int | None = None
    unpublished: Callable[[datetime], tuple[str, int] | None] = field(
        default=lambda _: None, repr=False
    )


@dataclass(frozen=True, slots=True)
class World:
    """What holds beside the schedules.

    Attributes:
        crowd: everybody.
        rules: quiet hours.
        denied: who is on the deny-list.
        unreachable: who has left, is not active, or is not in the directory that was read.
        paces: how fast each app may send.
        org_paces: how many people each org may send to in a minute.
        usage: what each org has spent of the month in which the simulation begins, and its limit.
        spent_in: that month, by its first day; None where nothing spent belongs to the simulation.
        daily_cap: how many notices of one app DingTalk delivers to a person on one day.
    """

    crowd: Crowd = field(repr=False)
    rules: Rules = field(default_factory=Rules)
    denied: int = field(default=0, repr=False)
    unreachable: int = field(default=0, repr=False)
    paces: Mapping[str, Pace] = field(default_factory=dict)
    org_paces: Mapping[str, int] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    spent_in: date | None = None
    daily_cap: int = 500
