"""Operations on saved audiences, and on whom audiences mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from typing import Any

from dingbell.domain.audience import Audience, without_queries
from dingbell.domain.forecast import Reason, prediction
from dingbell.errors import ConflictError, InputError, NotFoundError, Text
from dingbell.operations import apps, directory
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import View, Words
from dingbell.planning.audiences import check_deny, expand
from dingbell.planning.denial import DenyList
from dingbell.planning.revisit import revisit
from dingbell.store import audience_members, audiences, rules, schedules
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import forecasts

__all__ = [
    "AudiencePerson",
    "AudiencePreview",
    "AudienceView",
    "SavedAudienceView",
    "check",
    "delete",
    "listed",
    "preview",
    "put",
    "remove",
    "show",
    "store",
]

_SAMPLE = 10
# So many of those who cannot be reached are named; all are counted.
_MOST_NAMED = 200


class AudienceView(View):
    """A saved audience and what it says; the query of an address may be secret and is not told."""

    name: str
    spec: dict[str, Any]


class SavedAudienceView(AudienceView):
    """A saved audience, and what stands on it: `schedule:…`, `audience:…`, `deny`."""

    used_by: tuple[str, ...]


class AudiencePerson(View):
    """Somebody an audience means, and why he cannot be reached; None for who can."""

    userid: str
    name: str | None
    reason: Words | None


class AudiencePreview(View):
    """Whom an audience means on a day.

    Attributes:
        sample: some of those who can be reached.
        unreachable: who cannot, at most 200.
        reasons: how many cannot be reached why.
    """

    day: date
    people: int
    reachable: int
    sample: tuple[AudiencePerson, ...]
    unreachable: tuple[AudiencePerson, ...]
    reasons: dict[str, int]


async def listed(ops: Operations) -> tuple[AudienceView, ...]:
    """Every saved audience, by name."""
    ops.may(Operation.AUDIENCES_SEE)
    async with acquire(ops.pool) as connection:
        found = await audiences.all_audiences(connection)
    return tuple(
        AudienceView(name=name, spec=without_queries(spec)) for name, spec in found.items()
    )


async def show(ops: Operations, name: str) -> SavedAudienceView:
    """One saved audience.

    Raises:
        NotFoundError: there is none of that name.
    """
    ops.may(Operation.AUDIENCES_SEE)
    async with acquire(ops.pool) as connection:
        spec = await _spec(connection, name)
        used_by = await _used_by(connection, name)
    return SavedAudienceView(name=name, spec=without_queries(spec), used_by=used_by)


async def preview(
    ops: Operations,
    audience: Audience,
    *,
    app: str | None = None,
    on: date | None = None,
    sample: int = _SAMPLE,
) -> AudiencePreview:
    """Whom an audience means on a day, and who of them cannot be reached, and why.

    Args:
        ops: where, and who asks.
        audience: who is meant.
        app: whose directory, and by whom it would be sent, where there are several.
        on: the due day; today if left out.
        sample: how many of those who can be reached are named.

    Raises:
        InputError: it names what the directory does not have, or has several of.
        NotFoundError: it names a saved audience that does not exist.
        OutsideError: the directory was never read and cannot be, or a source does not answer.
    """
    ops.may(Operation.AUDIENCES_SEE)
    found = await apps.chosen(ops, app)
    await directory.ensure(ops, found)
    await directory.ask_sources(ops, audience)
    day = on or await directory.today(ops)
    async with acquire(ops.pool) as connection:
        userids = await directory.resolve(
            ops, connection, found.org, audience, day=day, may_be_empty=True
        )
        reasons = await _reasons(ops, connection, found, userids)
        reachable = [userid for userid in userids if userid not in reasons]
        some, others = reachable[: max(sample, 0)], sorted(reasons)[:_MOST_NAMED]
        names = await audience_members.names(connection, found.org, [*some, *others])
    return AudiencePreview(
        day=day,
        people=len(userids),
        reachable=len(reachable),
        sample=_people(some, names, reasons),
        unreachable=_people(others, names, reasons),
        reasons=dict(sorted(Counter(reasons.values()).items())),
    )


def _people(
    userids: Iterable[str], names: dict[str, str], reasons: dict[str, str]
) -> tuple[AudiencePerson, ...]:
    return tuple(
        AudiencePerson(
            userid=userid, name=names.get(userid), reason=prediction(reasons.get(userid)).reason
        )
        for userid in userids
    )


async def _reasons(
    ops: Operations, connection: Connection, app: App, userids: list[str]
) -> dict[str, str]:
    """Why people cannot be reached, by userid; whatever the words are."""
    known = await forecasts.of_people(
        connection,
        [(userid, b"") for userid in userids],
        app_id=app.id,
        org=app.org,
        at=ops.clock.now(),
        daily_cap=ops.allowance.daily_per_person,
    )
    denied = (await DenyList().of(connection, [app.org])).get(app.org, frozenset())
    return known | dict.fromkeys(denied.intersection(userids), Reason.DENIED.value)


async def put(ops: Operations, name: str, audience: Audience) -> None:
    """Save an audience; a repeat replaces it.

    Raises:
        InputError: it would contain itself, or the deny-list could not use it.
        NotFoundError: it is built from one that does not exist.
    """
    ops.may(Operation.AUDIENCES_PUT)
    async with transaction(ops.pool) as connection:
        await store(ops, connection, name, audience)
        await check(connection, [name])


async def store(ops: Operations, connection: Connection, name: str, audience: Audience) -> None:
    """Save an audience inside the caller's transaction, who checks it when all are there."""
    ops.may(Operation.AUDIENCES_PUT)
    await audiences.put(connection, name, audience.to_dict())
    await revisit(connection, ops.clock.now())


async def check(connection: Connection, names: Iterable[str]) -> None:
    """See that saved audiences work, after some have been written.

    Raises:
        InputError: one contains itself, or the deny-list cannot use it.
        NotFoundError: one is built from one that does not exist.
    """
    for name in names:
        try:
            await expand(connection, Audience(audience=(name,)))
        except InputError as error:
            error.where = error.where or f"audiences.{name}"
            raise
    await check_deny(connection)


async def delete(ops: Operations, name: str) -> None:
    """Forget a saved audience.

    Raises:
        NotFoundError: there is none of that name.
        ConflictError: something stands on it.
    """
    ops.may(Operation.AUDIENCES_DELETE)
    async with transaction(ops.pool) as connection:
        await _spec(connection, name)
        if used_by := await _used_by(connection, name):
            raise ConflictError(
                Text(
                    "the audience {name!r} is used by {used_by}",
                    "受众 {name!r} 正在被 {used_by} 使用",
                ).format(name=name, used_by=", ".join(used_by))
            )
        await remove(ops, connection, name)


async def remove(ops: Operations, connection: Connection, name: str) -> None:
    """Forget a saved audience inside the caller's transaction, whatever stands on it."""
    ops.may(Operation.AUDIENCES_DELETE)
    await _spec(connection, name)
    await audiences.delete(connection, name)


async def _spec(connection: Connection, name: str) -> dict[str, Any]:
    found = (await audiences.all_audiences(connection)).get(name)
    if found is None:
        raise NotFoundError(
            Text("there is no saved audience {name!r}", "没有名为 {name!r} 的受众").format(
                name=name
            )
        )
    return found


async def _used_by(connection: Connection, name: str) -> tuple[str, ...]:
    """What names a saved audience itself."""
    saved = await audiences.all_audiences(connection)
    found = [
        f"audience:{other}"
        for other, spec in saved.items()
        if name in Audience.model_validate(spec).saved()
    ]
    for schedule in await schedules.all_schedules(connection):
        # One that cannot be read any more uses nothing; its own alert tells of it.
        with suppress(ValueError):
            found += [f"schedule:{schedule.name}"] * (name in schedule.parsed().to.saved())
    deny = await rules.deny(connection)
    if deny is not None and name in deny.saved():
        found.append("deny")
    return tuple(found)
