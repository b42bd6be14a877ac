"""Resources: every kind of thing that a file may name, how it is compared, written and shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dingbell.config import rows
from dingbell.config.schema import Config
from dingbell.config.sheet import Sheet
from dingbell.domain.audience import without_queries
from dingbell.domain.calendar.company import in_order
from dingbell.domain.schedule import ScheduleSpec
from dingbell.operations import (
    apps,
    audiences,
    calendars,
    orgs,
    rules,
    schedules,
    templates,
)
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.store import apps as app_rows
from dingbell.store import audiences as audience_rows
from dingbell.store import calendars as calendar_rows
from dingbell.store import rules as rule_rows
from dingbell.store import schedules as schedule_rows
from dingbell.store import templates as template_rows
from dingbell.store.connection import Connection

__all__ = [
    "AUDIENCES",
    "BELOW_ROWS",
    "DATASETS",
    "RESOURCES",
    "SCHEDULES",
    "TRIED_DATASETS",
    "Fields",
    "Resource",
    "stored_apps",
    "stored_schedules",
]

# What stands and what will stand, by name of the field.
Fields = dict[str, tuple[Any, Any]]
_SECRET = ("…", "…")


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


async def stored_apps(connection: Connection) -> dict[str, app_rows.App]:
    """The apps that are stored, by each of their names."""
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


async def stored_schedules(connection: Connection) -> dict[str, schedule_rows.Schedule]:
    """The schedules that are stored, by name."""
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
    read=stored_apps,
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
AUDIENCES = Resource(
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
SCHEDULES = Resource(
    "schedule",
    "schedules",
    wanted=lambda config: config.schedules,
    read=stored_schedules,
    compare=lambda _, old, new: _shown(_differences(old.spec, new.to_dict())),
    write=_store_schedule,
    delete=_remove_schedule,
    ours=lambda row: row.source == "yaml",
    shown=_show_schedule,
    foreign=lambda row: None if row.source == "yaml" else row.program or row.source,
)
DATASETS = Resource(
    "dataset",
    "",
    wanted=lambda config: config.rows,
    read=rows.known,
    compare=rows.differences,
    write=lambda ops, connection, name, new, _: rows.write(ops, connection, name, new),
)
# Before a directory is read for the first time, nobody can say whose a row is.
TRIED_DATASETS = replace(
    DATASETS,
    write=lambda ops, connection, name, new, _: rows.write(
        ops, connection, name, new, if_known=True
    ),
)
# What schedules stand on comes before them.
BELOW_ROWS = (_ORGS, _APPS, _CALENDARS, AUDIENCES, _TEMPLATES, _RULES)
_GROUND = (*BELOW_ROWS, DATASETS)
RESOURCES = (*_GROUND, SCHEDULES)
