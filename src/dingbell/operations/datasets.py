"""Operations on datasets: tables of people that are imported, and kept version by version."""

from __future__ import annotations

from contextlib import suppress

from dingbell.domain.datasets import KeyKind, checked_name
from dingbell.errors import ConflictError, NotFoundError, OutsideError, Text
from dingbell.operations import apps, directory
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Done, Instant, View, Words
from dingbell.planning import imports
from dingbell.planning.imports import Imported
from dingbell.store import datasets
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.datasets import Dataset
from dingbell.tables import Table

__all__ = [
    "DatasetReport",
    "DatasetView",
    "ImportView",
    "NobodysRow",
    "delete",
    "listed",
    "put",
    "show",
    "store",
]

# So many rows that are nobody's are told one by one.
_MOST_TOLD = 1_000


class DatasetView(View):
    """One version of a dataset.

    Attributes:
        key: what says whose a row is: `userid`, `mobile`, `job_number` or `name`.
        key_column: in which column it stands.
        people: how many people have a row.
        unmatched: how many rows are nobody's.
    """

    name: str
    org: str
    version: int
    key: str
    key_column: str
    columns: tuple[str, ...]
    people: int
    unmatched: int
    created_at: Instant
    created_by: str | None


class NobodysRow(View):
    """A row that is nobody's, and why."""

    line: int
    key: str
    reason: Words


class ImportView(DatasetView):
    """What an import has done.

    Attributes:
        changed: whether there is a new version; a repeat changes nothing.
        repeated: lines that say what an earlier one says of the same person.
        nobodys: the rows that are nobody's, the first thousand.
        note: what to know about how the file was read.
    """

    changed: bool
    repeated: tuple[int, ...]
    nobodys: tuple[NobodysRow, ...]
    note: Words | None


class DatasetReport(DatasetView):
    """The newest version of a dataset, what uses it, and the versions before."""

    used_by: tuple[str, ...]
    nobodys: tuple[NobodysRow, ...]
    versions: tuple[DatasetView, ...]


def _view(found: Dataset) -> DatasetView:
    return DatasetView(**{name: getattr(found, name) for name in DatasetView.model_fields})


def _imported(table: Table, done: Imported) -> ImportView:
    faulty = done.rows.faulty[:_MOST_TOLD]
    return ImportView(
        **dict(_view(done.dataset)),
        changed=done.changed,
        repeated=done.rows.repeated,
        nobodys=tuple(
            NobodysRow(line=one.line, key=one.key, reason=one.fault.words(one.key))
            for one in faulty
            if one.fault is not None
        ),
        note=table.note,
    )


async def put(
    ops: Operations, name: str, table: Table, *, app: str | None = None, key: KeyKind | None = None
) -> ImportView:
    """Keep a table as the newest version of a dataset, reading the directory where it never was.

    Args:
        ops: where, and who asks.
        name: of the dataset.
        table: what was read of a file.
        app: whose org the people belong to.
        key: what says whose a row is; found by the headers if left out.

    Raises:
        InputError: the name is none, no column says whose a row is, or two rows of one person
            differ.
    """
    ops.may(Operation.DATASETS_PUT)
    found = await apps.chosen(ops, app)
    with suppress(OutsideError):  # of userids nothing need be looked up; else it is told
        await directory.ensure(ops, found)
    async with transaction(ops.pool) as connection:
        done = await store(ops, connection, name, table, org=found.org, key=key)
    return _imported(table, done)


async def store(
    ops: Operations,
    connection: Connection,
    name: str,
    table: Table,
    *,
    org: str,
    key: KeyKind | None = None,
) -> Imported:
    """The same inside the caller's transaction."""
    ops.may(Operation.DATASETS_PUT)
    now, by = ops.clock.now(), ops.actor.name
    return await imports.enter(connection, org, checked_name(name), table, now, kind=key, by=by)


async def listed(ops: Operations) -> tuple[DatasetView, ...]:
    """The newest version of every dataset, by name."""
    ops.may(Operation.DATASETS_SEE)
    async with acquire(ops.pool) as connection:
        return tuple(_view(one) for one in await datasets.listed(connection))


async def show(ops: Operations, name: str, *, app: str | None = None) -> DatasetReport:
    """A dataset: its newest version, its rows that are nobody's, and the versions before.

    Raises:
        NotFoundError: there is none of that name.
    """
    ops.may(Operation.DATASETS_SEE)
    found = await apps.chosen(ops, app)
    async with acquire(ops.pool) as connection:
        versions = await datasets.versions(connection, found.org, name)
        if not versions:
            raise NotFoundError(_none(name))
        used_by = await datasets.users_of(connection, name)
        people = await datasets.people_of(connection, versions[0].id)
        _, orphans = await datasets.orphans(connection, versions[0].id, people, _MOST_TOLD)
    return DatasetReport(
        **dict(_view(versions[0])),
        used_by=tuple(used_by),
        nobodys=tuple(
            NobodysRow(line=one.line, key=one.key, reason=one.fault.words(one.key))
            for one in orphans
            if one.fault is not None
        ),
        versions=tuple(map(_view, versions)),
    )


async def delete(ops: Operations, name: str, *, app: str | None = None) -> Done:
    """Forget a dataset with all its versions.

    Raises:
        NotFoundError: there is none of that name.
        ConflictError: a schedule, an audience or a rule names it.
    """
    ops.may(Operation.DATASETS_DELETE)
    found = await apps.chosen(ops, app)
    async with transaction(ops.pool) as connection:
        if used_by := await datasets.users_of(connection, name):
            raise ConflictError(
                Text(
                    "{name!r} is used by {users}: change that first",
                    "{name!r} 正被 {users} 使用: 请先修改",
                ).format(name=name, users=", ".join(used_by))
            )
        if not await datasets.delete(connection, found.org, name):
            raise NotFoundError(_none(name))
    return Done(name=name, done="deleted")


def _none(name: str) -> Text:
    return Text(
        "there is no dataset {name!r}: see `dingbell datasets list`",
        "没有数据集 {name!r}: 见 `dingbell datasets list`",
    ).format(name=name)
