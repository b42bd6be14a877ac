"""A year ahead: what schedules would do between two days, without doing it."""

from __future__ import annotations

from dingbell.domain.simulation.crowd import Crowd, Tally
from dingbell.domain.simulation.outcome import (
    Burdened,
    Day,
    Expected,
    Month,
    Outcome,
    Simulated,
)
from dingbell.domain.simulation.subject import Subject, World
from dingbell.domain.simulation.walk import MOST_OCCURRENCES, simulate
from dingbell.domain.simulation.words import Words

__all__ = [
    "MOST_OCCURRENCES",
    "Burdened",
    "Crowd",
    "Day",
    "Expected",
    "Month",
    "Outcome",
    "Simulated",
    "Subject",
    "Tally",
    "Words",
    "World",
    "simulate",
]
