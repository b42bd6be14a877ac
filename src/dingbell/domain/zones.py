"""The service's zone: of what is sent by hand, and of every instant that is shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from dingbell.domain.triggers import parse_zone

__all__ = ["DEFAULT", "ServiceZone"]

DEFAULT = "Asia/Shanghai"


def _known(name: str) -> str:
    parse_zone(name)
    return name


class ServiceZone(BaseModel):
    """The zone that `timezone:` at the top of the file names.

    Attributes:
        name: its IANA name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_known)] = DEFAULT
