"""The data files that schedules name: read beside the file, and what of them is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dingbell.config.document import Document, Problem
from dingbell.domain.datasets import content_digest
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError
from dingbell.operations import apps, datasets
from dingbell.operations.context import Operations
from dingbell.store import apps as app_rows
from dingbell.store import datasets as dataset_rows
from dingbell.store.connection import Connection
from dingbell.store.datasets import Dataset
from dingbell.store.directory import last_sync
from dingbell.tables import Table, read_file

__all__ = ["Known", "RowsFile", "differences", "known", "read", "write"]


@dataclass(frozen=True, slots=True)
class RowsFile:
    """The table of a file that schedules name.

    Attributes:
        content: identifies what it says.
        apps: of the schedules, as they are named; None is the only one there is.
    """

    table: Table
    content: str
    apps: tuple[str | None, ...]


def read(
    document: Document, schedules: Mapping[str, ScheduleSpec]
) -> tuple[dict[str, RowsFile], list[Problem]]:
    """Read the files that schedules name, from the folder of the document, each once.

    What is no file there is the name of a dataset.

    Returns:
        The files by the name they are called, and what is wrong with them.
    """
    folder = Path(document.file).parent
    found: dict[str, RowsFile] = {}
    problems = []
    for written, named in _by_name(schedules).items():
        if not (folder / written).exists():
            continue
        try:
            table = read_file(folder / written, name=written)
        except InputError as error:
            path = ("schedules", named[0], "rows")
            problems.append(Problem(*document.place(path), ".".join(path), error.message))
            continue
        used_by = dict.fromkeys(schedules[name].app for name in named)
        found[written] = RowsFile(table, content_digest(table), tuple(used_by))
    return found, problems


def _by_name(schedules: Mapping[str, ScheduleSpec]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, spec in schedules.items():
        if spec.rows is not None:
            found.setdefault(spec.rows, []).append(name)
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has under the name of a file.

    Attributes:
        newest: the newest version, by org.
        orgs: the org of each app.
    """

    newest: Mapping[str, Dataset]
    orgs: Mapping[str, str]


async def known(connection: Connection) -> dict[str, Known]:
    """The newest version of every dataset, of each org, by name."""
    orgs = {name: app.org for app in await app_rows.all_apps(connection) for name in app.names}
    found: dict[str, dict[str, Dataset]] = {}
    for one in await dataset_rows.listed(connection):
        found.setdefault(one.name, {})[one.org] = one
    return {name: Known(newest, orgs) for name, newest in found.items()}


def differences(_: Operations, old: Known, new: RowsFile) -> dict[str, tuple[Any, Any]]:
    """How many rows there are and will be, where a file says something else than is known."""
    wanted = {old.orgs[app] for app in new.apps if app is not None and app in old.orgs}
    other = [one for one in old.newest.values() if one.content != new.content]
    if not other and wanted <= old.newest.keys():
        return {}
    before = max((one.people + one.unmatched for one in other), default=0)
    return {"rows": (before, len(new.table.rows))}


async def write(
    ops: Operations, connection: Connection, name: str, new: RowsFile, *, if_known: bool = False
) -> None:
    """Keep a file as the newest version, in the org of each app whose schedules name it.

    Args:
        ops: where, and who asks.
        connection: in a transaction.
        name: of the dataset.
        new: the file.
        if_known: leave out the orgs whose directory was never read.
    """
    orgs: dict[str, None] = {}
    for app in new.apps:
        orgs[(await apps.find(ops, connection, app)).org] = None
    for org in orgs:
        if if_known and await last_sync(connection, org) is None:
            continue
        await datasets.store(ops, connection, name, new.table, org=org)
