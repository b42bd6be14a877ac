"""Plan and apply: what a file would change, and making it so in one transaction.

Every kind of thing that a file may name is one `Resource`; plan is the difference over them, apply
writes it. All or nothing: what needs the directory is read before, nothing else is done outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from dingbell.config.directories import read_directories
from dingbell.config.resources import (
    AUDIENCES,
    BELOW_ROWS,
    DATASETS,
    RESOURCES,
    SCHEDULES,
    TRIED_DATASETS,
    Fields,
    Resource,
    stored_apps,
    stored_schedules,
)
from dingbell.config.schema import Config
from dingbell.domain.forecast import Forecast
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, Text
from dingbell.operations import (
    apps,
    audiences,
    forecasts,
    repeats,
    warnings,
)
from dingbell.operations.actor import ENGINE, Operation
from dingbell.operations.context import Operations
from dingbell.planning import audiences as audience_parts
from dingbell.planning.words import resolved
from dingbell.store import calendars as calendar_rows
from dingbell.store import fitness, media
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.directory import last_sync
from dingbell.store.schedules import reserve

__all__ = ["Change", "apply", "plan"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a file and the database.

    Attributes:
        action: `create`, `change`, `delete` or `keep` (only in the database, without --prune).
        kind: `org`, `app`, `calendar`, `audience`, `template`, `dataset`, `schedule` or `rule`.
        fields: for a change, what stands now and what will stand; secrets are not among them.
        warnings: what its author should know.
    """

    action: str
    kind: str
    name: str
    fields: Fields = field(default_factory=dict)
    warnings: tuple[Text, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether something is created or changed."""
        return self.action in ("create", "change")

    def to_dict(self) -> dict[str, Any]:
        """The change as JSON."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "fields": {key: {"from": a, "to": b} for key, (a, b) in self.fields.items()},
            "warnings": [str(warning) for warning in self.warnings],
        }


async def plan(ops: Operations, config: Config, *, prune: bool = False) -> list[Change]:
    """Say what `apply` would change; nothing is changed.

    It is tried out where this database lets itself be written to; else it is only compared, and
    the first change says so.

    Raises:
        InputError: `apply` would refuse it.
    """
    ops.may(Operation.CONFIG_PLAN)
    async with acquire(ops.pool) as connection:
        config = await _bound(connection, config)
        changes = await _changes(ops, connection, config, prune=prune)
        lacks = await fitness.lacks(connection)
    if lacks:
        first = next((change for change in changes if change.action != "keep"), None)
        untried = _UNTRIED.format(why=lacks[0])
        return [
            replace(change, warnings=(*change.warnings, untried)) if change is first else change
            for change in changes
        ]
    return _warned(changes, await _rehearse(ops, config, changes))


_UNTRIED = Text(
    "only compared, not tried out, so that `apply` may refuse what is wrong here: {why}",
    "只做了对比, 没有试运行, apply 仍可能拒绝其中有误的内容: {why}",
)


class _RolledBack(Exception):  # noqa: N818  no mistake: it ends a rehearsal
    """Nothing of this was meant to stay."""


async def _rehearse(
    ops: Operations, config: Config, changes: list[Change]
) -> dict[str, Forecast | None]:
    """Do what `apply` does, as far as DingTalk need not be asked, and take all of it back.

    Returns:
        What is expected of the schedules of which the directory tells enough.

    Raises:
        InputError: something is refused.
    """
    outlooks: dict[str, Forecast | None] = {}
    # Nothing stays, so that whoever may look may see what would be refused.
    ops = ops.as_(ENGINE)
    with suppress(_RolledBack):
        async with transaction(ops.pool) as connection:
            await _write_ground(ops, connection, config, changes, TRIED_DATASETS)
            await _write_all(ops, connection, config, changes, (SCHEDULES,))
            await _resolve_templates(connection, config, changes)
            known = [
                change
                for change in _written(changes, SCHEDULES)
                if await _is_known(ops, connection, config.schedules[change.name])
            ]
            outlooks = await _look_ahead(ops, connection, config, known)
            await _delete(ops, connection, changes)
            raise _RolledBack
    return outlooks


async def _resolve_templates(connection: Connection, config: Config, changes: list[Change]) -> None:
    """See that the templates are there which new or changed schedules name."""
    for change in _written(changes, SCHEDULES):
        with _part(SCHEDULES.where(change.name)):
            for message in config.schedules[change.name].messages():
                await resolved(connection, message)


async def _is_known(ops: Operations, connection: Connection, spec: ScheduleSpec) -> bool:
    """Whether the people of a schedule can be told without asking DingTalk."""
    personal = spec.message is not None and spec.message.is_personal
    if not (personal or spec.rows or spec.to.needs_directory()):
        return True
    app = await apps.find(ops, connection, spec.app)
    return await last_sync(connection, app.org) is not None


async def _write_ground(
    ops: Operations,
    connection: Connection,
    config: Config,
    changes: list[Change],
    datasets: Resource = DATASETS,
) -> None:
    """Write what schedules stand on, and see that it works together."""
    await _write_all(ops, connection, config, changes, (*BELOW_ROWS, datasets))
    await audiences.check(connection, [one.name for one in _written(changes, AUDIENCES)])


async def _write_all(
    ops: Operations,
    connection: Connection,
    config: Config,
    changes: list[Change],
    resources: tuple[Resource, ...],
    people: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Write what is new or changed; an error says where in the file it stands."""
    for resource in resources:
        for change in _written(changes, resource):
            with _part(resource.where(change.name)):
                wanted = resource.wanted(config)[change.name]
                reached = people.get(change.name, 0)
                await resource.write(ops, connection, change.name, wanted, reached)


@contextmanager
def _part(part: str) -> Iterator[None]:
    """Say of which part of the file an error is."""
    try:
        yield
    except audience_parts.UnresolvedError as error:
        error.where = ".".join(map(str, (part, "to", *error.place)))
        raise
    except InputError as error:
        error.where = f"{part}.{error.where}" if error.where else part
        raise


async def apply(ops: Operations, config: Config, *, prune: bool = False) -> list[Change]:
    """Make the database say what the file says, all of it or nothing; a repeat changes nothing.

    Args:
        ops: where, and who asks: a second account has to approve what reaches many.
        config: the file.
        prune: delete schedules, audiences and rules that are not in the file.

    Raises:
        InputError: an audience names what the directory does not have, a message cannot be
            rendered for anybody, or a schedule would never fire; nothing was changed.
        PermissionDenied: the actor may not change something of it; nothing was changed.
    """
    ops.may(Operation.CONFIG_APPLY)
    async with acquire(ops.pool) as connection:
        config = await _bound(connection, config)
        changes = await _changes(ops, connection, config, prune=prune)
    specs = [config.schedules[one.name] for one in _written(changes, SCHEDULES)]
    await read_directories(ops, config, specs)
    async with transaction(ops.pool) as connection:
        await reserve(connection, sorted(config.schedules))
        changes = await _changes(ops, connection, config, prune=prune)
        await media.keep(connection, config.files, ops.clock.now())
        await _write_ground(ops, connection, config, changes)
        outlooks = await _look_ahead(ops, connection, config, _written(changes, SCHEDULES))
        people = {name: len(found.userids) for name, found in outlooks.items() if found}
        await _write_all(ops, connection, config, changes, (SCHEDULES,), people)
        await _delete(ops, connection, changes)
    return _warned(changes, outlooks)


async def _bound(connection: Connection, config: Config) -> Config:
    """The file, whose schedules have its calendars, and under them those of the database."""
    known = (await calendar_rows.known(connection)).over(config.calendars)
    specs = {name: spec.on(known) for name, spec in config.schedules.items()}
    return config.model_copy(update={"schedules": specs})


async def _changes(
    ops: Operations, connection: Connection, config: Config, *, prune: bool
) -> list[Change]:
    """The difference between the file and the database."""
    changes = []
    for resource in RESOURCES:
        changes += await _difference(ops, connection, config, resource, prune=prune)
    told = await _warnings(ops, connection, config)
    return [
        replace(change, warnings=tuple(told.get(change.name, ())))
        if change.kind == "schedule" and change.writes
        else change
        for change in changes
    ]


async def _difference(
    ops: Operations, connection: Connection, config: Config, resource: Resource, *, prune: bool
) -> list[Change]:
    known, wanted = await resource.read(connection), resource.wanted(config)
    changes = []
    for name, new in wanted.items():
        if name not in known:
            changes.append(Change("create", resource.kind, name))
        elif fields := resource.compare(ops, known[name], new):
            changes.append(Change("change", resource.kind, name, fields))
    if resource.delete is not None:
        action = "delete" if prune else "keep"
        extra = sorted(n for n, one in known.items() if n not in wanted and resource.ours(one))
        changes += [Change(action, resource.kind, name) for name in extra]
    return changes


async def _warnings(
    ops: Operations, connection: Connection, config: Config
) -> dict[str, list[Text]]:
    """What authors should know of their schedules: words that are said twice on one day."""
    now = ops.clock.now()
    told = {name: warnings.of_schedule(name, spec, now) for name, spec in config.schedules.items()}
    known = await stored_apps(connection)
    keys = {name: app.id for name, app in known.items()}
    said: dict[str, tuple[object, ScheduleSpec]] = {}
    for row in (await stored_schedules(connection)).values():
        if row.state == "active" and not row.problem and row.name not in config.schedules:
            # What cannot be read any more says nothing; its own alert tells of it.
            with suppress(ValueError):
                said[row.name] = (row.app_id, row.parsed())
    only = next(iter(keys)) if len(keys) == 1 else ops.default_app
    for name, spec in config.schedules.items():
        app = spec.app or only or ""
        said[name] = (keys.get(app, app), spec)
    for name, texts in repeats.same_words(said, now).items():
        if name in told:
            told[name] += texts
    return told


def _written(changes: list[Change], resource: Resource) -> list[Change]:
    return [change for change in changes if change.kind == resource.kind and change.writes]


async def _delete(ops: Operations, connection: Connection, changes: list[Change]) -> None:
    """Delete what the file has not; schedules first, they stand on the others."""
    for resource in reversed(RESOURCES):
        for change in changes:
            if change.kind == resource.kind and change.action == "delete" and resource.delete:
                await resource.delete(ops, connection, change.name)


async def _look_ahead(
    ops: Operations, connection: Connection, config: Config, touched: list[Change]
) -> dict[str, Forecast | None]:
    """Forecast the next occurrence of every new or changed schedule, so that all are found.

    None stands for a schedule that is due already.

    Raises:
        InputError: an audience names what the directory does not have, or a message cannot be
            rendered for anybody.
    """
    found: dict[str, Forecast | None] = {}
    for name in sorted(change.name for change in touched):
        spec = config.schedules[name]
        with _part(SCHEDULES.where(name)):
            app = await apps.find(ops, connection, spec.app)
            question = forecasts.next_question(app, name, spec, ops.clock.now())
            found[name] = await forecasts.outlook(ops, connection, question) if question else None
    return found


def _warned(changes: list[Change], outlooks: dict[str, Forecast | None]) -> list[Change]:
    """The changes, with what is expected of schedules that will not reach everybody."""
    told = {name: warnings.told_at_length(found) for name, found in outlooks.items() if found}
    return [
        replace(change, warnings=(*change.warnings, *said))
        if change.kind == "schedule" and (said := told.get(change.name))
        else change
        for change in changes
    ]
