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
from dingbell.config.sheet import Sheet
from dingbell.domain.audience import Audience, without_queries
from dingbell.domain.calendar.company import in_order
from dingbell.domain.forecast import Forecast
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, OutsideError, Text
from dingbell.operations import (
    apps,
    audiences,
    calendars,
    directory,
    forecasts,
    orgs,
    rules,
    schedules,
    templates,
)
from dingbell.operations.actor import ENGINE, Operation
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.planning import audiences as audience_parts
from dingbell.planning.words import resolved
from dingbell.store import apps as app_rows
from dingbell.store import audiences as audience_rows
from dingbell.store import calendars as calendar_rows
from dingbell.store import fitness, media
from dingbell.store import rules as rule_rows
from dingbell.store import schedules as schedule_rows
from dingbell.store import templates as template_rows
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.directory import last_sync
from dingbell.store.schedules import reserve

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = ["RESOURCES", "Change", "Resource", "apply", "plan"]

# What stands and what will stand, by name of the field.
Fields = dict[str, tuple[Any, Any]]
_SECRET = ("…", "…")


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
        shown: what a file says of one that is in the database; None where it need say nothing.
        foreign: where one comes from that is not from a file, and cannot be.
    """

    kind: str
    section: str
    wanted: Callable[[Config], Mapping[str, Any]]
    read: Callable[[Connection], Awaitable[Mapping[str, Any]]]
    compare: Callable[[Operations, Any, Any], Fields]
    write: Callable[[Operations, Connection, str, Any, int], Awaitable[object]]
    delete: Callable[[Operations, Connection, str], Awaitable[None]] | None = None
    ours: Callable[[Any], bool] = lambda _: True
    shown: Callable[[Operations, Sheet, str, Any], Any] = lambda _ops, _sheet, _name, row: row
    foreign: Callable[[Any], str | None] = lambda _: None

    def where(self, name: str) -> str:
        """The place of one in the file."""
        return f"{self.section}.{name}" if self.section else name


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Fields:
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }


def _shown(fields: Fields) -> Fields:
    """The same without the queries of addresses, which may hold secrets."""
    old = without_queries({key: before for key, (before, _) in fields.items()})
    new = without_queries({key: after for key, (_, after) in fields.items()})
    return {key: (old[key], new[key]) for key in fields}


def _given(old: Mapping[str, Any], new: Mapping[str, Any]) -> Fields:
    """The differences in what is given; what is left out stays."""
    given = {key: value for key, value in new.items() if value is not None}
    return {key: (old[key], value) for key, value in given.items() if old[key] != value}


async def _apps(connection: Connection) -> dict[str, app_rows.App]:
    return {name: app for app in await app_rows.all_apps(connection) for name in app.names}


def _compare_apps(ops: Operations, old: app_rows.App, new: AppSpec) -> Fields:
    keys = (
        *("agent_id", "app_key", "org", "people_per_minute", "calls_per_second"),
        *("per_person_per_day", "over_limit"),
    )
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


async def _templates(connection: Connection) -> dict[str, dict[str, Any]]:
    return {one.name: one.content for one in await template_rows.all_templates(connection)}


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


def _show_org(_: Operations, __: Sheet, ___: str, row: Mapping[str, Any]) -> Any:
    return {key: value for key, value in row.items() if value is not None} or None


def _show_app(ops: Operations, sheet: Sheet, name: str, app: app_rows.App) -> Any:
    of_environment = name == ops.default_app
    secret = sheet.secret(
        app.id,
        name="DINGBELL_APP_SECRET" if of_environment else f"{name}_APP_SECRET",
        otherwise=f"APP_{app.agent_id}_SECRET",
    )
    said = {
        "agent_id": app.agent_id,
        "app_key": app.app_key,
        "app_secret": secret,
        "org": app.org if app.org != AppSpec.model_fields["org"].default else None,
        "oapi_url": app.oapi_url if app.oapi_url != ops.oapi_url else None,
        "api_url": app.api_url if (app.oapi_url, app.api_url) != _addresses(ops) else None,
        "people_per_minute": app.people_per_minute,
        "calls_per_second": app.calls_per_second,
    }
    return {key: value for key, value in said.items() if value is not None}


def _addresses(ops: Operations) -> tuple[str, str]:
    """What an app has that does not say its own."""
    return ops.oapi_url, ops.api_url


def _show_rule(_: Operations, sheet: Sheet, name: str, row: dict[str, Any]) -> Any:
    if name == rule_rows.TIMEZONE:
        return row["name"]
    if row.get("webhook"):
        webhook = sheet.secret(name, name="DINGBELL_ALERTS_WEBHOOK", otherwise="")
        return {**row, "webhook": webhook}
    return row


def _show_schedule(_: Operations, sheet: Sheet, __: str, row: schedule_rows.Schedule) -> Any:
    said = {"timezone": row.timezone, **row.spec}
    if said["timezone"] == sheet.zone:
        del said["timezone"]
    order = ("app", "timezone", "when", "to", "message", *ScheduleSpec.model_fields)
    return {key: said[key] for key in dict.fromkeys(order) if key in said}


_ORGS = Resource(
    "org",
    "orgs",
    wanted=lambda config: config.orgs,
    read=app_rows.all_orgs,
    compare=lambda _, old, new: _given(old, new.model_dump()),
    write=lambda ops, connection, name, new, _: orgs.store(ops, connection, name, new),
    shown=_show_org,
)
_APPS = Resource(
    "app",
    "apps",
    wanted=lambda config: config.apps,
    read=_apps,
    compare=_compare_apps,
    write=lambda ops, connection, name, new, _: apps.store(ops, connection, name, new),
    ours=lambda _: False,
    shown=_show_app,
)
_CALENDARS = Resource(
    "calendar",
    "calendars",
    wanted=lambda config: in_order(config.calendars),
    read=calendar_rows.specs,
    compare=lambda _, old, new: _differences(old, new.to_dict()),
    write=lambda ops, connection, name, new, _: calendars.store(ops, connection, name, new),
    delete=calendars.remove,
)
_AUDIENCES = Resource(
    "audience",
    "audiences",
    wanted=lambda config: config.audiences,
    read=audience_rows.all_audiences,
    compare=lambda _, old, new: _shown(_differences(old, new.to_dict())),
    write=lambda ops, connection, name, new, _: audiences.store(ops, connection, name, new),
    delete=audiences.remove,
)
_TEMPLATES = Resource(
    "template",
    "templates",
    wanted=lambda config: config.templates,
    read=_templates,
    compare=lambda _, old, new: _differences(old, new.to_dict()),
    write=lambda ops, connection, name, new, _: templates.store(ops, connection, name, new),
    delete=templates.remove,
)
_RULES = Resource(
    "rule",
    "",
    wanted=lambda config: config.rules(),
    read=rule_rows.all_rules,
    compare=_compare_rules,
    write=lambda ops, connection, name, new, _: rules.store(ops, connection, name, new),
    delete=rules.remove,
    shown=_show_rule,
)
_SCHEDULES = Resource(
    "schedule",
    "schedules",
    wanted=lambda config: config.schedules,
    read=_schedules,
    compare=lambda _, old, new: _shown(_differences(old.spec, new.to_dict())),
    write=_store_schedule,
    delete=_remove_schedule,
    ours=lambda row: row.source == "yaml",
    shown=_show_schedule,
    foreign=lambda row: None if row.source == "yaml" else row.program or row.source,
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
_BELOW_ROWS = (_ORGS, _APPS, _CALENDARS, _AUDIENCES, _TEMPLATES, _RULES)
_GROUND = (*_BELOW_ROWS, _DATASETS)
RESOURCES = (*_GROUND, _SCHEDULES)


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
            await _write_ground(ops, connection, config, changes, _TRIED_DATASETS)
            await _write_all(ops, connection, config, changes, (_SCHEDULES,))
            await _resolve_templates(connection, config, changes)
            known = [
                change
                for change in _written(changes, _SCHEDULES)
                if await _is_known(ops, connection, config.schedules[change.name])
            ]
            outlooks = await _look_ahead(ops, connection, config, known)
            await _delete(ops, connection, changes)
            raise _RolledBack
    return outlooks


async def _resolve_templates(connection: Connection, config: Config, changes: list[Change]) -> None:
    """See that the templates are there which new or changed schedules name."""
    for change in _written(changes, _SCHEDULES):
        with _part(_SCHEDULES.where(change.name)):
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
    datasets: Resource = _DATASETS,
) -> None:
    """Write what schedules stand on, and see that it works together."""
    await _write_all(ops, connection, config, changes, (*_BELOW_ROWS, datasets))
    await audiences.check(connection, [one.name for one in _written(changes, _AUDIENCES)])


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
    await _read_directories(ops, config, changes)
    async with transaction(ops.pool) as connection:
        await reserve(connection, sorted(config.schedules))
        changes = await _changes(ops, connection, config, prune=prune)
        await media.keep(connection, config.files, ops.clock.now())
        await _write_ground(ops, connection, config, changes)
        outlooks = await _look_ahead(ops, connection, config, _written(changes, _SCHEDULES))
        people = {name: len(found.userids) for name, found in outlooks.items() if found}
        await _write_all(ops, connection, config, changes, (_SCHEDULES,), people)
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
            await ops.sources.ask(_sources_of(config, spec.to))
        elif personal:
            # Of people of whom nothing can be read, nothing is known; that is told one by one.
            with suppress(OutsideError):
                await _read_directory(ops, config, spec)


def _sources_of(config: Config, audience: Audience) -> set[str]:
    """The sources an audience asks, through those that the file saves."""
    found, seen, ahead = set(audience.addresses()), set[str](), audience.saved()
    while ahead:
        seen |= ahead
        inner = [config.audiences[name] for name in ahead if name in config.audiences]
        found |= {address for one in inner for address in one.addresses()}
        ahead = {name for one in inner for name in one.saved()} - seen
    return found


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
    told = {name: forecasts.told_at_length(found) for name, found in outlooks.items() if found}
    return [
        replace(change, warnings=(*change.warnings, *warnings))
        if change.kind == "schedule" and (warnings := told.get(change.name))
        else change
        for change in changes
    ]
