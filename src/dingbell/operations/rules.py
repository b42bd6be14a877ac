"""Operations on rules: what holds for everything: deny-list, quiet hours, where alerts go."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from dingbell.domain.alerting import Alerting
from dingbell.domain.audience import Audience
from dingbell.domain.day_limit import DayLimit
from dingbell.domain.quiet import QuietHours
from dingbell.domain.zones import ServiceZone
from dingbell.errors import NotFoundError, Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View
from dingbell.planning.audiences import check_deny
from dingbell.planning.revisit import revisit
from dingbell.store import audiences, rules
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.validation import refusal

__all__ = ["RuleView", "delete", "listed", "put", "remove", "store"]

_KINDS: dict[str, type[Audience | DayLimit | QuietHours | Alerting | ServiceZone]] = {
    rules.ALERTS: Alerting,
    rules.DAY_LIMIT: DayLimit,
    rules.DENY: Audience,
    rules.QUIET_HOURS: QuietHours,
    rules.TIMEZONE: ServiceZone,
}
# What is prepared is planned again when one of these changes.
_CONCERNS_PREPARED = {rules.DAY_LIMIT, rules.DENY, rules.QUIET_HOURS}
_HIDDEN = "…"


class RuleView(View):
    """A rule and what it says; the address of a webhook may hold a secret and is not told."""

    name: str
    content: dict[str, Any]


async def listed(ops: Operations) -> tuple[RuleView, ...]:
    """Every rule, by name."""
    ops.may(Operation.RULES_SEE)
    async with acquire(ops.pool) as connection:
        found = await rules.all_rules(connection)
    return tuple(RuleView(name=name, content=_shown(content)) for name, content in found.items())


def _shown(content: dict[str, Any]) -> dict[str, Any]:
    return {key: _HIDDEN if key == "webhook" else value for key, value in content.items()}


async def put(ops: Operations, name: str, content: dict[str, Any]) -> None:
    """Set a rule; a repeat replaces it.

    Raises:
        NotFoundError: there is no rule of that name.
        InputError: it does not work as written.
    """
    ops.may(Operation.RULES_PUT)
    async with transaction(ops.pool) as connection:
        await store(ops, connection, name, content)


async def store(
    ops: Operations, connection: Connection, name: str, content: dict[str, Any]
) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.RULES_PUT)
    if name not in _KINDS:
        raise NotFoundError(_none(name))
    try:
        rule = _KINDS[name].model_validate(content)
    except ValidationError as error:
        raise refusal(error) from None
    kept = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    await rules.put(connection, name, kept)
    if name == rules.DENY:
        await audiences.lock(connection)
        await check_deny(connection)
    if name in _CONCERNS_PREPARED:
        await revisit(connection, ops.clock.now())


async def delete(ops: Operations, name: str) -> None:
    """Drop a rule.

    Raises:
        NotFoundError: there is none of that name.
    """
    ops.may(Operation.RULES_DELETE)
    async with transaction(ops.pool) as connection:
        await remove(ops, connection, name)


async def remove(ops: Operations, connection: Connection, name: str) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.RULES_DELETE)
    if name not in await rules.all_rules(connection):
        raise NotFoundError(_none(name))
    await rules.delete(connection, name)
    if name in _CONCERNS_PREPARED:
        await revisit(connection, ops.clock.now())


def _none(name: str) -> Text:
    return Text("there is no rule {name!r}", "没有规则 {name!r}").format(name=name)
