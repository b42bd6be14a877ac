"""Operations on orgs: what differs for a DingTalk organisation."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dingbell.errors import Text
from dingbell.meaning import Meaning, meanings
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View
from dingbell.settings import Pace
from dingbell.store import apps
from dingbell.store.connection import Connection, acquire, transaction

__all__ = ["OrgSpec", "OrgView", "listed", "put", "store"]


@meanings(
    people_per_minute=Meaning(
        Text("its pace, where it differs from the settings", "发送节奏, 与全局设置不同时填写"),
        "3000",
        Text("people a minute", "人/分钟"),
    ),
    monthly_calls=Meaning(
        Text("the calls of its edition", "所购版本的调用额度"),
        "5000",
        Text("calls a month", "次/月"),
    ),
    hold_bulk_at=Meaning(
        Text(
            "from which part of them on runs of priority `bulk` are held",
            "用到多大比例之后挂起 `bulk` 发送",
        ),
        "0.9",
        Text("part of the month's calls, 0 to 1", "占每月额度的比例, 0 到 1"),
    ),
)
class OrgSpec(BaseModel):
    """What differs for an org.

    Attributes:
        people_per_minute: its pace.
        monthly_calls: the calls of its edition: 5000, 200000, …
        hold_bulk_at: from which part of them on runs of priority bulk are held, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    people_per_minute: Pace | None = None
    monthly_calls: Pace | None = None
    hold_bulk_at: Annotated[float, Field(ge=0, le=1)] | None = None


class OrgView(View):
    """An org, and where it differs from the settings."""

    name: str
    people_per_minute: int | None
    monthly_calls: int | None
    hold_bulk_at: float | None


async def listed(ops: Operations) -> tuple[OrgView, ...]:
    """Every org, by name."""
    ops.may(Operation.ORGS_SEE)
    async with acquire(ops.pool) as connection:
        found = await apps.all_orgs(connection)
    return tuple(
        OrgView.model_validate({"name": name, **org}) for name, org in sorted(found.items())
    )


async def put(ops: Operations, name: str, spec: OrgSpec) -> None:
    """Say what differs for an org; what is left out stays."""
    ops.may(Operation.ORGS_PUT)
    async with transaction(ops.pool) as connection:
        await store(ops, connection, name, spec)


async def store(ops: Operations, connection: Connection, name: str, spec: OrgSpec) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.ORGS_PUT)
    await apps.put_org(connection, name, **spec.model_dump())
