"""Views: what operations return. One serialisation serves `--json`, the API and the console."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

from dingbell.display import zone
from dingbell.domain.causes import Cause
from dingbell.errors import Text

__all__ = ["Done", "Instant", "LocalInstant", "View", "Why", "Words", "of_cause"]


def _zoned(value: datetime) -> str:
    return value.astimezone(zone()).isoformat()


def _kept(value: Any) -> Any:
    return value


# An aware instant; JSON has it in the service's zone, with its offset.
Instant = Annotated[datetime, PlainSerializer(_zoned, str, when_used="json")]
# One that is told in the zone it carries: that of a schedule.
LocalInstant = Annotated[datetime, PlainSerializer(datetime.isoformat, str, when_used="json")]
# A sentence in both languages; JSON has the English one.
Words = Annotated[
    Text,
    PlainValidator(_kept),
    PlainSerializer(str, str),
    WithJsonSchema({"type": "string"}),
]


def of_cause(cause: Cause) -> dict[str, Any]:
    """A cause as JSON: its kind and its parameters."""
    return {"kind": cause.kind.value, **cause.params}


Why = Annotated[
    Cause,
    PlainValidator(_kept),
    PlainSerializer(of_cause, dict[str, Any]),
    WithJsonSchema({"type": "object", "properties": {"kind": {"type": "string"}}}),
]


class View(BaseModel):
    """What an operation returns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> dict[str, Any]:
        """The view as JSON."""
        return self.model_dump(mode="json")


class Done(View):
    """What was done to something that has no view of its own."""

    name: str
    done: str
