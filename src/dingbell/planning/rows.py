"""Rows: what a dataset says of each person, for their notices, and of whom it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dingbell.domain.audience import Audience
from dingbell.domain.datasets import is_of_send
from dingbell.domain.message import Message
from dingbell.errors import InputError, NotFoundError, Text
from dingbell.store import datasets
from dingbell.store.connection import Connection
from dingbell.store.datasets import Dataset, Orphan

__all__ = ["NoRowError", "Own", "is_own_audience", "newest", "own", "told"]

# So many people or lines are named; the rest are counted.
_NAMED = 10

_NO_DATASET = Text(
    "there are no rows {name!r}: neither a file beside dingbell.yaml nor a dataset is called so. "
    "Import one with `dingbell datasets import`",
    "没有数据 {name!r}: 既没有这个文件 (相对于 dingbell.yaml), 也没有同名数据集。"
    "可用 `dingbell datasets import` 导入",
)
_NO_ROW = Text("there is no row for this person in {name}", "{name}中没有此人的行")
_MISSING = Text("no row in {name} for {listed}", "{name}中没有这些人的行: {listed}")
_NOBODYS = Text("reach nobody in {name}: {listed}", "{name}中不会发给任何人: {listed}")
_NO_COLUMN = Text(
    "there is no column {unknown} in {name}: there are {columns}",
    "{name}中没有 {unknown} 列: 现有 {columns}",
)
_BROUGHT = Text("the data", "所带的数据")
_LINE = Text("line {line} ({why})", "第 {line} 行 ({why})")
_NOT_MEANT = Text("{key} is not in the audience", "{key} 不在受众中")
_MORE = Text("and {count} more", "另有 {count} 个")


class NoRowError(InputError):
    """There is no row for this person."""

    @classmethod
    def of(cls, dataset: Dataset) -> NoRowError:
        """In a dataset."""
        return cls(_NO_ROW.format(name=shown(dataset.name)))


@dataclass(frozen=True, slots=True)
class Own:
    """The rows of some people in one version of a dataset."""

    dataset: Dataset
    rows: Mapping[str, Mapping[str, Any]]

    def of(self, userid: str) -> Mapping[str, Any]:
        """The row of a person.

        Raises:
            NoRowError: there is none.
        """
        found = self.rows.get(userid)
        if found is None:
            raise NoRowError.of(self.dataset)
        return found


async def own(
    connection: Connection, dataset: Dataset | None, message: Message, userids: Sequence[str]
) -> Own | None:
    """The rows of some people; None where the message needs none."""
    if dataset is None or not message.uses_row:
        return None
    return Own(dataset, await datasets.rows_of(connection, dataset, userids))


async def newest(connection: Connection, org: str, name: str | None) -> Dataset | None:
    """The newest version of what a schedule or send calls its rows; None where it has none.

    Raises:
        NotFoundError: there is no such dataset.
    """
    if name is None:
        return None
    found = await datasets.newest(connection, org, name)
    if found is None:
        raise NotFoundError(_NO_DATASET.format(name=name), where="rows")
    return found


def is_own_audience(audience: Audience, dataset: Dataset | None) -> bool:
    """Whether an audience is everybody who has a row, and nobody else."""
    return dataset is not None and audience == Audience(lists=(dataset.name,))


async def told(
    connection: Connection,
    dataset: Dataset | None,
    message: Message | None,
    userids: Sequence[str],
) -> tuple[Text, ...]:
    """What an author should know beforehand: people without a row, and rows without a person."""
    if dataset is None:
        return ()
    name, found = shown(dataset.name), []
    if message is not None and message.uses_row:
        if unknown := sorted(message.columns - set(dataset.columns)):
            columns = ", ".join(dataset.columns)
            words = _NO_COLUMN.format(name=name, unknown=", ".join(unknown), columns=columns)
            found.append(words)
        count, people = await datasets.without_row(connection, dataset.id, userids, _NAMED)
        if count:
            listed = _listed([Text(one, one) for one in people], count)
            found.append(_MISSING.format(name=name, listed=listed))
    count, orphans = await datasets.orphans(connection, dataset.id, userids, _NAMED)
    if count:
        listed = _listed([_line(one) for one in orphans], count)
        found.append(_NOBODYS.format(name=name, listed=listed))
    return tuple(found)


def shown(name: str) -> Text:
    """The name of a dataset for people; what a send brings along has none."""
    return _BROUGHT if is_of_send(name) else Text(name, f"{name} ")


def _line(one: Orphan) -> Text:
    why = one.fault.words(one.key) if one.fault else _NOT_MEANT.format(key=one.key)
    return _LINE.format(line=one.line, why=why)


def _listed(texts: list[Text], count: int) -> Text:
    if count > len(texts):
        texts = [*texts, _MORE.format(count=count - len(texts))]
    return Text(", ".join(texts), ", ".join(text.zh for text in texts))
