"""Imports: a table becomes the newest version of a dataset; its rows are given to people."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from dingbell.domain.datasets import Assigned, KeyKind, assigned, key_of, key_values
from dingbell.errors import InputError, Text
from dingbell.planning.revisit import revisit
from dingbell.store import datasets, directory
from dingbell.store.connection import Connection
from dingbell.store.datasets import Dataset
from dingbell.tables import Table

__all__ = ["Imported", "enter"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What has become of a table.

    Attributes:
        dataset: the newest version.
        changed: whether it is new: a repeat changes nothing.
        rows: what was read, and whose it is.
    """

    dataset: Dataset
    changed: bool
    rows: Assigned


async def enter(
    connection: Connection,
    org: str,
    name: str,
    table: Table,
    now: datetime,
    *,
    kind: KeyKind | None = None,
    by: str | None = None,
) -> Imported:
    """Keep a table as the newest version of a dataset, in the caller's transaction.

    What is prepared and not called yet is planned again, with the new rows.

    Args:
        connection: in a transaction.
        org: whose people it is about.
        name: of the dataset.
        table: what was read.
        now: the present instant.
        kind: what says whose a row is; found by the headers if left out.
        by: who imports it.

    Raises:
        TableError: no column says whose a row is, or two rows of one person differ.
        InputError: the directory, which has to be asked, has never been read.
    """
    rows = await _assigned(connection, org, table, kind)
    kept, changed = await datasets.enter(connection, org, name, rows, now, by)
    if changed and kept.version > 1:
        await revisit(connection, now)
    return Imported(kept, changed, rows)


async def _assigned(
    connection: Connection, org: str, table: Table, kind: KeyKind | None
) -> Assigned:
    """Look the people up; whatever goes through all rows runs in a thread."""
    key = key_of(table, kind)
    values = await asyncio.to_thread(key_values, table, key)
    if await directory.last_sync(connection, org) is not None:
        owners = await datasets.owners(connection, org, key.kind, values)
    elif key.kind is KeyKind.USERID:
        owners = {value: ((value,), False) for value in values}
    else:
        raise InputError(_UNREAD.format(file=table.name, column=key.column, org=org))
    return await asyncio.to_thread(assigned, table, key, owners)


_UNREAD = Text(
    "{file}: the column {column} is looked up in the directory of org {org}, which has not been "
    "read yet: run `dingbell directory sync`",
    "{file}: {column} 列需要查通讯录, 而组织 {org} 的通讯录尚未同步: 请运行 "
    "`dingbell directory sync`",
)
