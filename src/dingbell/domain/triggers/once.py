"""A rule that comes once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dingbell.domain.triggers.trigger import Trigger
from dingbell.errors import Text

__all__ = ["Once"]


@dataclass(frozen=True, slots=True)
class Once(Trigger):
    """One single instant."""

    at: datetime

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The instant, until it has come."""
        at = self.at.astimezone(UTC)
        if at > instant:
            yield at

    def first_due(self, now: datetime, grace: timedelta) -> datetime | None:
        """The instant, also when it has passed by no more than the grace."""
        return self.at if now - self.at <= grace else None

    def words(self) -> Text:
        """Once, at 2026-11-23 16:00:00+08:00."""
        at = self.at.isoformat(" ")
        return Text(f"once, at {at}", f"仅一次, {at}")

    def to_dict(self) -> dict[str, Any]:
        """`{"once": "2026-11-23T16:00:00+08:00"}`."""
        return {"once": self.at.isoformat()}
