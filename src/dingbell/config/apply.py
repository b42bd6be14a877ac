"""Plan and apply: what a file would change, and making it so in one transaction.

Every kind of thing that a file may name is one `Resource`; plan is the difference over them, apply
writes it. All or nothing: what needs the directory is read before, nothing else is done outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dingbell.config import rows
from dingbell.config.schema import Config
from dingbell.domain.forecast import Forecast
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, OutsideError, Text
from dingbell.operations import apps, audiences, directory, forecasts, orgs, rules, schedules
from dingbell.operations.actor import ENGINE, Operation
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.planning import rows as own_rows
from dingbell.store import apps as app_rows
from dingbell.store import audiences as audience_rows
from dingbell.store import rules as rule_rows
from dingbell.store import schedules as schedule_rows
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.directory import last_sync
from dingbell.store.schedules import reserve

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = ["Change", "apply", "plan"]

# What stands and what will stand, by name of the field.
Fields = dict[str, tuple[Any, Any]]
_SECRET = ("…", "…")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a file and the database.

    Attributes:
        action: `create`, `change`, `delete` or `keep` (only in the database, without --prune).
        kind: `org`, `app`, `audience`, `dataset`, `schedule` or `rule`.
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


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of thing that a file may name.

    Attributes:
        section: where it stands in the file.
        wanted: what the file says, by name.
        read: what the database says, by name.
        compare: what differs between the two.
        write: creates or changes one; told how many people it reaches, where that is known.
        delete: removes one; None where that is never done.
        ours: whether one that is only in the database could be from a file.
    """

    kind: str
    section: str
    wanted: Callable[[Config], Mapping[str, Any]]
    read: Callable[[Connection], Awaitable[Mapping[str, Any]]]
    compare: Callable[[Operations, Any, Any], Fields]
    write: Callable[[Operations, Connection, str, Any, int], Awaitable[object]]
    delete: Callable[[Operations, Connection, str], Awaitable[None]] | None = None
    ours: Callable[[Any], bool] = lambda _: True

    def where(self, name: str) -> str:
        """The place of one in the file."""
        return f"{self.section}.{name}" if self.section else name


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Fields:
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }


def _given(old: Mapping[str, Any], new: Mapping[str, Any]) -> Fields:
    """The differences in what is given; what is left out stays."""
    given = {key: value for key, value in new.items() if value is not None}
    return {key: (old[key], value) for key, value in given.items() if old[key] != value}


async def _apps(connection: Connection) -> dict[str, app_rows.App]:
    return {name: app for app in await app_rows.all_apps(connection) for name in app.names}


def _compare_apps(ops: Operations, old: app_rows.App, new: AppSpec) -> Fields:
    keys = ("agent_id", "app_key", "org", "people_per_minute", "calls_per_second")
    found = _given({k: getattr(old, k) for k in keys}, {k: getattr(new, k) for k in keys})
    for key in ("oapi_url", "api_url"):
        wanted = getattr(new, key)
        if wanted is not None and getattr(old, key) != wanted.rstrip("/"):
            found[key] = (getattr(old, key), wanted)
    if not ops.vault.holds(old.app_secret, new.app_secret.get_secret_value()):
        found["app_secret"] = _SECRET
    return found


def _compare_rules(_: Operations, old: dict[str, Any], new: dict[str, Any]) -> Fields:
    found = _differences(old, new)
    # The address of a webhook may hold a secret.
    return found | dict.fromkeys(found.keys() & {"webhook"}, _SECRET)


async def _schedules(connection: Connection) -> dict[str, schedule_rows.Schedule]:
    return {row.name: row for row in await schedule_rows.all_schedules(connection)}


async def _store_schedule(
    ops: Operations, connection: Connection, name: str, spec: ScheduleSpec, people: int
) -> object:
    return await schedules.store(ops, connection, name, spec, source="yaml", people=people)


async def _remove_schedule(ops: Operations, connection: Connection, name: str) -> None:
    row = await schedule_rows.named(connection, name, lock=True)
    if row is not None:
        await schedules.remove(ops, connection, row)


_ORGS = Resource(
    "org",
    "orgs",
    wanted=lambda config: config.orgs,
    read=app_rows.all_orgs,
    compare=lambda _, old, new: _given(old, new.model_dump()),
    write=lambda ops, connection, name, new, _: orgs.store(ops, connection, name, new),
)
_APPS = Resource(
    "app",
    "apps",
    wanted=lambda config: config.apps,
    read=_apps,
    compare=_compare_apps,
    write=lambda ops, connection, name, new, _: apps.store(ops, connection, name, new),
    ours=lambda _: False,
)
_AUDIENCES = Resource(
    "audience",
    "audiences",
    wanted=lambda config: config.audiences,
    read=audience_rows.all_audiences,
    compare=lambda _, old, new: _differences(old, new.to_dict()),
    write=lambda ops, connection, name, new, _: audiences.store(ops, connection, name, new),
    delete=audiences.remove,
)
_RULES = Resource(
    "rule",
    "",
    wanted=lambda config: config.rules(),
    read=rule_rows.all_rules,
    compare=_compare_rules,
    write=lambda ops, connection, name, new, _: rules.store(ops, connection, name, new),
    delete=rules.remove,
)
_SCHEDULES = Resource(
    "schedule",
    "schedules",
    wanted=lambda config: config.schedules,
    read=_schedules,
    compare=lambda _, old, new: _differences(old.spec, new.to_dict()),
    write=_store_schedule,
    delete=_remove_schedule,
    ours=lambda row: row.source == "yaml",
)
_DATASETS = Resource(
    "dataset",
    "",
    wanted=lambda config: config.rows,
    read=rows.known,
    compare=rows.differences,
    write=lambda ops, connection, name, new, _: rows.write(ops, connection, name, new),
)
# Before a directory is read for the first time, nobody can say whose a row is.
_TRIED_DATASETS = replace(
    _DATASETS,
    write=lambda ops, connection, name, new, _: rows.write(
        ops, connection, name, new, if_known=True
    ),
)
# What schedules stand on comes before them.
_BELOW_ROWS = (_ORGS, _APPS, _AUDIENCES, _RULES)
_GROUND = (*_BELOW_ROWS, _DATASETS)
_ALL = (*_GROUND, _SCHEDULES)


async def plan(ops: Operations, config: Config, *, prune: bool = False) -> list[Change]:
    """Say what `apply` would change; nothing is changed.

    Raises:
        InputError: `apply` would refuse it.
    """
    ops.may(Operation.CONFIG_PLAN)
    async with acquire(ops.pool) as connection:
        changes = await _changes(ops, connection, config, prune=prune)
    told = await _rehearse(ops, config, changes)
    return [_told_also(change, told.get(change.name, ())) for change in changes]


class _RolledBack(Exception):  # noqa: N818  no mistake: it ends a rehearsal
    """Nothing of this was meant to stay."""


async def _rehearse(
    ops: Operations, config: Config, changes: list[Change]
) -> dict[str, tuple[Text, ...]]:
    """Do what `apply` does, as far as DingTalk need not be asked, and take all of it back.

    Returns:
        What authors should know of their schedules.

    Raises:
        InputError: something is refused.
    """
    told: dict[str, tuple[Text, ...]] = {}
    # Nothing stays, so that whoever may look may see what would be refused.
    ops = ops.as_(ENGINE)
    with suppress(_RolledBack):
        async with transaction(ops.pool) as connection:
            await _write_all(ops, connection, config, changes, (*_BELOW_ROWS, _TRIED_DATASETS))
            await _write_all(ops, connection, config, changes, (_SCHEDULES,))
            for change in _written(changes, _SCHEDULES):
                spec = config.schedules[change.name]
                with _part(_SCHEDULES.where(change.name)):
                    told[change.name] = await _try_out(ops, connection, config, spec)
            raise _RolledBack
    return told


async def _try_out(
    ops: Operations, connection: Connection, config: Config, spec: ScheduleSpec
) -> tuple[Text, ...]:
    """Look a schedule's audience up where the directory is known; say what its rows lack."""
    app = await apps.find(ops, connection, spec.app)
    unread = await last_sync(connection, app.org) is None
    if unread and spec.rows in config.rows:
        return ()
    data = await own_rows.newest(connection, app.org, spec.rows)
    if not spec.to.needs_directory():
        return await own_rows.told(connection, data, spec.message, spec.to.users)
    if unread:
        return ()
    userids = await directory.resolve(connection, app.org, spec.to)
    return await own_rows.told(connection, data, spec.message, userids)


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
        changes = await _changes(ops, connection, config, prune=prune)
    await _read_directories(ops, config, changes)
    async with transaction(ops.pool) as connection:
        await reserve(connection, sorted(config.schedules))
        changes = await _changes(ops, connection, config, prune=prune)
        await _write_all(ops, connection, config, changes, _GROUND)
        outlooks = await _look_ahead(ops, connection, config, _written(changes, _SCHEDULES))
        people = {name: len(found.userids) for name, found in outlooks.items() if found}
        await _write_all(ops, connection, config, changes, (_SCHEDULES,), people)
        await _delete(ops, connection, changes)
    return _warned(changes, outlooks)


async def _changes(
    ops: Operations, connection: Connection, config: Config, *, prune: bool
) -> list[Change]:
    """The difference between the file and the database."""
    changes = []
    for resource in _ALL:
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
    told = {name: forecasts.warnings(name, spec, now) for name, spec in config.schedules.items()}
    known = await _apps(connection)
    keys = {name: app.id for name, app in known.items()}
    said: dict[str, tuple[object, ScheduleSpec]] = {}
    for row in (await _schedules(connection)).values():
        if row.state == "active" and not row.problem and row.name not in config.schedules:
            # What cannot be read any more says nothing; its own alert tells of it.
            with suppress(ValueError):
                said[row.name] = (row.app_id, row.parsed())
    only = next(iter(keys)) if len(keys) == 1 else ops.default_app
    for name, spec in config.schedules.items():
        app = spec.app or only or ""
        said[name] = (keys.get(app, app), spec)
    for name, texts in forecasts.same_words(said, now).items():
        if name in told:
            told[name] += texts
    return told


def _written(changes: list[Change], resource: Resource) -> list[Change]:
    return [change for change in changes if change.kind == resource.kind and change.writes]


async def _delete(ops: Operations, connection: Connection, changes: list[Change]) -> None:
    """Delete what the file has not; schedules first, they stand on the others."""
    for resource in reversed(_ALL):
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
        with _part(_SCHEDULES.where(name)):
            app = await apps.find(ops, connection, spec.app)
            question = forecasts.next_question(app, name, spec, ops.clock.now())
            found[name] = await forecasts.outlook(ops, connection, question) if question else None
    return found


async def _read_directories(ops: Operations, config: Config, changes: list[Change]) -> None:
    """Read the directories that new and changed schedules need and that were never read.

    They are a copy of DingTalk's, not a part of what the file says.
    """
    for change in _written(changes, _SCHEDULES):
        spec = config.schedules[change.name]
        personal = spec.message is not None and spec.message.is_personal
        if spec.to.needs_directory():
            await _read_directory(ops, config, spec)
        elif personal:
            # Of people of whom nothing can be read, nothing is known; that is told one by one.
            with suppress(OutsideError):
                await _read_directory(ops, config, spec)


async def _read_directory(ops: Operations, config: Config, spec: ScheduleSpec) -> None:
    async with acquire(ops.pool) as connection:
        known = await _apps(connection)
    given = _app_given(ops, config, spec, known)
    if given is not None:
        client: Client = apps.trial(ops, given)
        pace = given.calls_per_second
        await directory.read_unread(ops, client, given.org, calls_per_second=pace)
    elif stored := known.get(spec.app or "") or (next(iter(known.values())) if known else None):
        await directory.ensure(ops, stored)


def _app_given(
    ops: Operations, config: Config, spec: ScheduleSpec, known: Mapping[str, app_rows.App]
) -> AppSpec | None:
    """The app of a schedule, where the file or the environment gives it; else it is stored."""
    if spec.app is not None and spec.app in config.apps:
        return config.apps[spec.app]
    if spec.app in (None, ops.default_app) and ops.environment_app is not None:
        return ops.environment_app
    if spec.app is None and len(config.apps) == 1 and not known:
        return next(iter(config.apps.values()))
    return None


def _warned(changes: list[Change], outlooks: dict[str, Forecast | None]) -> list[Change]:
    """The changes, with what is expected of schedules that will not reach everybody."""
    return [_told_also(change, _expected(outlooks.get(change.name))) for change in changes]


def _expected(found: Forecast | None) -> tuple[Text, ...]:
    """What a forecast says of those who are not reached, and of the rows."""
    if found is None:
        return ()
    told = forecasts.told_of(found)
    return (told, *found.notes) if told is not None else found.notes


def _told_also(change: Change, told: tuple[Text, ...]) -> Change:
    if not told or change.kind != "schedule":
        return change
    return replace(change, warnings=(*change.warnings, *told))
