"""What to do with occurrences that come late: run, skip, or run only the latest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dingbell.domain.duration import Duration

__all__ = ["LATE", "Misfire", "Verdict", "judge", "too_late"]

# An occurrence found later than this has been missed; less is the normal path.
LATE = timedelta(seconds=5)


class Misfire(BaseModel):
    """The policy of a schedule for occurrences that were missed.

    Attributes:
        grace: how late an occurrence may still be sent.
        catch_up: of several missed within the grace, send the `latest`, `all`, or `none`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    grace: Duration = timedelta(minutes=30)
    catch_up: Literal["latest", "all", "none"] = "latest"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One occurrence and, if it is to be skipped, why."""

    due: datetime
    skip: str | None = None


def too_late(due: datetime, now: datetime, grace: timedelta) -> bool:
    """Whether the grace of an occurrence has passed."""
    return now - due > max(grace, LATE)


def judge(occurrences: Sequence[datetime], now: datetime, policy: Misfire) -> list[Verdict]:
    """Decide for the occurrences of one schedule that have come, in order of time."""
    missed = [due for due in occurrences if now - due > LATE]
    return [_verdict(due, now, policy, missed) for due in occurrences]


def _verdict(due: datetime, now: datetime, policy: Misfire, missed: list[datetime]) -> Verdict:
    if not missed or due > missed[-1]:
        return Verdict(due)
    if too_late(due, now, policy.grace):
        return Verdict(due, "misfire: later than the grace")
    if policy.catch_up == "none":
        return Verdict(due, "misfire: catch_up none")
    if policy.catch_up == "latest" and due != missed[-1]:
        return Verdict(due, "misfire: a later occurrence is sent")
    return Verdict(due)
