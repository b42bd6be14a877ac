"""The directories and sources that a file needs, read before anything of it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from dingbell.config.resources import stored_apps
from dingbell.config.schema import Config
from dingbell.domain.audience import Audience
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import OutsideError
from dingbell.operations import (
    apps,
    directory,
)
from dingbell.operations.apps import AppSpec
from dingbell.operations.context import Operations
from dingbell.store import apps as app_rows
from dingbell.store.connection import acquire

if TYPE_CHECKING:
    from dingbell.dingtalk import Client

__all__ = ["read_directories"]


async def read_directories(ops: Operations, config: Config, specs: Iterable[ScheduleSpec]) -> None:
    """Read the directories that new and changed schedules need and that were never read.

    They are a copy of DingTalk's, not a part of what the file says.
    """
    for spec in specs:
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
        known = await stored_apps(connection)
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
