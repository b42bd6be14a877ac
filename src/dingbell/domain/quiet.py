"""Quiet hours: when nobody is to be rung, and what becomes of a notice that would."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dingbell.errors import InputError, Text
from dingbell.meaning import Meaning, meanings
from dingbell.validation import matching

__all__ = ["QuietHours"]

_OfDay = Annotated[
    str,
    matching(
        r"([01][0-9]|2[0-3]):[0-5][0-9]",
        Text("must be a time of day such as 22:00 or 07:30", "必须是时间, 例如 22:00 或 07:30"),
    ),
]
_DAY = timedelta(days=1)


@meanings(
    start=Meaning(Text("the first quiet minute", "从何时开始安静"), '"22:00"'),
    end=Meaning(
        Text(
            "the first minute that is not quiet any more; the next day's where it is the earlier",
            "到何时结束; 早于开始时间则指次日",
        ),
        '"07:30"',
    ),
    then=Meaning(
        Text("`hold` a notice until they end, or `skip` it", "`hold` 等到结束再发, 或 `skip` 不发"),
        "skip",
    ),
)
class QuietHours(BaseModel):
    """From one time of day to another, over midnight where the second is the earlier one.

    Attributes:
        start: the first quiet minute, written `from`.
        end: the first minute that is not quiet any more, written `to`.
        then: `hold` a notice until they end, or `skip` it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    start: _OfDay = Field(alias="from")
    end: _OfDay = Field(alias="to")
    then: Literal["hold", "skip"] = "hold"

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.start == self.end:
            raise InputError(
                Text("from and to are the same: nothing is quiet", "from 与 to 相同: 没有安静时段")
            )
        return self

    @property
    def reason(self) -> str:
        """Why something is held or skipped."""
        return f"quiet hours {self.start}–{self.end}"

    def end_after(self, instant: datetime, zone: tzinfo) -> datetime | None:
        """When the quiet hours end that an instant lies in, in UTC; None when it lies in none."""
        local = instant.astimezone(zone)
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        now = local.time()
        over_midnight = start > end
        quiet = (now >= start or now < end) if over_midnight else start <= now < end
        if not quiet:
            return None
        day = local.date() + (_DAY if over_midnight and now >= start else timedelta(0))
        return datetime.combine(day, end, zone).astimezone(UTC)
