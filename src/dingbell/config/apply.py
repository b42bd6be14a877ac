"""Plan and apply: what a file would change, and making it so in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from dingbell.config.schema import Config
from dingbell.domain.preflight import Outlook
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError, Text
from dingbell.operations import apps, people, preflight, schedules
from dingbell.operations.desk import Desk
from dingbell.store import apps as app_rows
from dingbell.store import audiences as audience_rows
from dingbell.store import directory, rules
from dingbell.store import schedules as schedule_rows
from dingbell.store.connection import Connection, acquire, transaction

__all__ = ["Change", "apply", "plan"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a file and the database.

    Attributes:
        action: `create`, `change`, `delete` or `keep` (only in the database, without --prune).
        kind: `org`, `app`, `audience`, `schedule` or `rule`.
        fields: for a change, what stands now and what will stand; secrets are not among them.
        warnings: what its author should know.
    """

    action: str
    kind: str
    name: str
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    warnings: tuple[Text, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The change as JSON."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "fields": {key: {"from": a, "to": b} for key, (a, b) in self.fields.items()},
            "warnings": [str(warning) for warning in self.warnings],
        }


async def plan(desk: Desk, config: Config, *, prune: bool = False) -> list[Change]:
    """Say what `apply` would change; nothing is changed.

    Raises:
        InputError: `apply` would refuse it.
    """
    changes = await _changes(desk, config, prune=prune)
    await _rehearse(desk, config, changes)
    return changes


async def _changes(desk: Desk, config: Config, *, prune: bool) -> list[Change]:
    async with acquire(desk.pool) as connection:
        return [
            *await _org_changes(connection, config),
            *await _app_changes(desk, connection, config),
            *await _audience_changes(connection, config, prune=prune),
            *await _schedule_changes(desk, connection, config, prune=prune),
            *await _rule_changes(connection, config, prune=prune),
        ]


async def apply(
    desk: Desk, config: Config, *, prune: bool = False, by: str | None = None
) -> list[Change]:
    """Make the database say what the file says; a repeat changes nothing.

    Apps and audiences come first, because directories are read with them; then all schedules
    change in one transaction.

    Args:
        desk: where.
        config: the file.
        prune: delete schedules, audiences and rules that are not in the file.
        by: the account that applies it, where a second one has to approve what reaches many.

    Raises:
        InputError: an audience names what the directory does not have; no schedule was changed.
    """
    changes = await _changes(desk, config, prune=prune)
    async with transaction(desk.pool) as connection:
        await _store_ground(desk, connection, config)
    outlooks = await _look_ahead(desk, config, changes)
    async with transaction(desk.pool) as connection:
        for name, spec in config.schedules.items():
            found = outlooks.get(name)
            size = len(found.userids) if found else 0
            with _part("schedules", name):
                await schedules.store(
                    desk, connection, name, spec, source="yaml", by=by, people=size
                )
        await _delete(desk, connection, [one for one in changes if one.action == "delete"])
    return _warned(changes, outlooks)


async def _store_ground(desk: Desk, connection: Connection, config: Config) -> None:
    """Store what schedules stand on: orgs, apps, audiences, and the rules for everything."""
    for name, org in config.orgs.items():
        await app_rows.put_org(connection, name, **org.model_dump())
    for name, app in config.apps.items():
        await apps.store(desk, connection, name, app)
    for name, audience in config.audiences.items():
        await audience_rows.put(connection, name, audience.to_dict())
    for name, content in config.rules().items():
        await rules.put(connection, name, content)


class _RolledBack(Exception):  # noqa: N818  no mistake: it ends a rehearsal
    """Nothing of this was meant to stay."""


async def _rehearse(desk: Desk, config: Config, changes: list[Change]) -> None:
    """Do what `apply` does, as far as DingTalk need not be asked, and take all of it back.

    Raises:
        InputError: something is refused.
    """
    with suppress(_RolledBack):
        async with transaction(desk.pool) as connection:
            await _store_ground(desk, connection, config)
            for name in _touched(changes):
                with _part("schedules", name):
                    await _try_out(desk, connection, name, config.schedules[name])
            raise _RolledBack


async def _try_out(desk: Desk, connection: Connection, name: str, spec: ScheduleSpec) -> None:
    """Store a schedule, and look its audience up where the directory is known."""
    await schedules.store(desk, connection, name, spec, source="yaml")
    app = await apps.find(desk, connection, spec.app)
    if spec.to.needs_directory() and await directory.last_sync(connection, app.org) is not None:
        await people.within(connection, app, spec.to)


@contextmanager
def _part(section: str, name: str) -> Iterator[None]:
    """Say of which part of the file an error is."""
    try:
        yield
    except InputError as error:
        where = f"{section}.{name}.{error.where}" if error.where else f"{section}.{name}"
        raise type(error)(error.message, where=where) from error


def _touched(changes: list[Change]) -> list[str]:
    """The schedules that are new or changed."""
    return sorted(
        change.name
        for change in changes
        if change.kind == "schedule" and change.action in ("create", "change")
    )


async def _delete(desk: Desk, connection: Connection, gone: list[Change]) -> None:
    """Delete what the file has not; schedules first, they stand on the others."""
    for change in gone:
        if change.kind == "schedule":
            row = await schedule_rows.named(connection, change.name, lock=True)
            if row is not None:
                await schedules.remove(desk, connection, row)
    for change in gone:
        if change.kind == "audience":
            await audience_rows.delete(connection, change.name)
        elif change.kind == "rule":
            await rules.delete(connection, change.name)


async def _look_ahead(
    desk: Desk, config: Config, changes: list[Change]
) -> dict[str, Outlook | None]:
    """Forecast the next occurrence of every new or changed schedule, so that all are found.

    Directories are read on the way where they are needed. None stands for a schedule that is due
    already.

    Raises:
        InputError: an audience names what the directory does not have, or a message cannot be
            rendered for anybody.
    """
    found: dict[str, Outlook | None] = {}
    for name in _touched(changes):
        with _part("schedules", name):
            spec = config.schedules[name]
            found[name] = await preflight.of_schedule(desk, name, spec, thorough=False)
    return found


def _warned(changes: list[Change], outlooks: dict[str, Outlook | None]) -> list[Change]:
    """The changes, with what is expected of schedules that will not reach everybody."""
    told = {name: preflight.told_of(found) for name, found in outlooks.items() if found}
    return [
        replace(change, warnings=(*change.warnings, warning))
        if change.kind == "schedule" and (warning := told.get(change.name))
        else change
        for change in changes
    ]


async def _org_changes(connection: Connection, config: Config) -> list[Change]:
    known = await app_rows.all_orgs(connection)
    changes = []
    for name, spec in config.orgs.items():
        wanted = {key: value for key, value in spec.model_dump().items() if value is not None}
        if name not in known:
            changes.append(Change("create", "org", name))
        elif fields := {
            key: (known[name][key], value)
            for key, value in wanted.items()
            if known[name][key] != value
        }:
            changes.append(Change("change", "org", name, fields))
    return changes


async def _rule_changes(connection: Connection, config: Config, *, prune: bool) -> list[Change]:
    known = await rules.all_rules(connection)
    changes = []
    for name, content in config.rules().items():
        if name not in known:
            changes.append(Change("create", "rule", name))
        elif fields := _differences(known[name], content):
            # The address of a webhook may hold a secret.
            hidden = dict.fromkeys(fields.keys() & {"webhook"}, ("…", "…"))
            changes.append(Change("change", "rule", name, fields | hidden))
    extra = sorted(known.keys() - config.rules().keys())
    return changes + [Change("delete" if prune else "keep", "rule", name) for name in extra]


async def _app_changes(desk: Desk, connection: Connection, config: Config) -> list[Change]:
    changes = []
    for name, spec in config.apps.items():
        known = await app_rows.named(connection, name)
        if known is None:
            changes.append(Change("create", "app", name))
            continue
        fields = {
            key: (getattr(known, key), wanted)
            for key, wanted in (
                ("agent_id", spec.agent_id),
                ("app_key", spec.app_key),
                ("org", spec.org),
                ("people_per_minute", spec.people_per_minute),
                ("calls_per_second", spec.calls_per_second),
            )
            if wanted is not None and getattr(known, key) != wanted
        }
        if not desk.vault.holds(known.app_secret, spec.app_secret.get_secret_value()):
            fields["app_secret"] = ("…", "…")
        if fields:
            changes.append(Change("change", "app", name, fields))
    return changes


async def _audience_changes(connection: Connection, config: Config, *, prune: bool) -> list[Change]:
    known = await audience_rows.all_audiences(connection)
    changes = []
    for name, audience in config.audiences.items():
        if name not in known:
            changes.append(Change("create", "audience", name))
        elif fields := _differences(known[name], audience.to_dict()):
            changes.append(Change("change", "audience", name, fields))
    extra = sorted(known.keys() - config.audiences.keys())
    action = "delete" if prune else "keep"
    return changes + [Change(action, "audience", name) for name in extra]


async def _schedule_changes(
    desk: Desk, connection: Connection, config: Config, *, prune: bool
) -> list[Change]:
    now = desk.clock.now()
    known = {row.name: row for row in await schedule_rows.all_schedules(connection)}
    changes = []
    for name, spec in config.schedules.items():
        told = tuple(preflight.warnings(name, spec, now))
        if name not in known:
            changes.append(Change("create", "schedule", name, warnings=told))
        elif fields := _differences(known[name].spec, spec.to_dict()):
            changes.append(Change("change", "schedule", name, fields, told))
    extra = [
        name for name, row in known.items() if name not in config.schedules and row.source == "yaml"
    ]
    action = "delete" if prune else "keep"
    return changes + [Change(action, "schedule", name) for name in sorted(extra)]


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        key: (old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }
