"""Everything a file can say, as it stands in the database, as a file: `plan` then changes nothing.

Secrets are not in it: variables of the environment stand in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dingbell.config.resources import RESOURCES, Resource
from dingbell.config.schema import Config
from dingbell.config.sheet import Sheet
from dingbell.config.writing import comment, written
from dingbell.domain.zones import DEFAULT
from dingbell.errors import Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.store import rules
from dingbell.store.connection import acquire

__all__ = ["Exported", "export"]

# The level from which short mappings stand on one line; a schedule has a line for each key.
_BELOW = {"schedules": 3}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file.

    Attributes:
        text: what stands in it.
        variables: what has to be set, in the environment or in `.env`, before it can be read.
    """

    text: str
    variables: tuple[str, ...]


async def export(ops: Operations, language: str) -> Exported:
    """Write down all that a file can say; comments are in one language, `en` or `zh`."""
    ops.may(Operation.CONFIG_EXPORT)
    found: dict[Resource, Mapping[str, Any]] = {}
    async with (
        acquire(ops.pool) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        zone = await rules.zone_name(connection)
        for resource in RESOURCES:
            found[resource] = await resource.read(connection)
    sheet = Sheet(zone or DEFAULT)
    sections: dict[str, dict[str, Any]] = {}
    foreign: dict[str, Any] = {}
    for resource, rows in found.items():
        for name, row in rows.items():
            said = resource.shown(ops, sheet, name, row)
            if said is not None and not resource.foreign(row):
                _put(sections, resource.section, name, said)
            elif said is not None:
                foreign[name] = {"from": resource.foreign(row), **said}
    return Exported(_text(sheet, sections, foreign, language), tuple(sheet.variables))


def _put(sections: dict[str, Any], section: str, name: str, said: Any) -> None:
    if section:
        sections.setdefault(section, {})[name] = said
    else:
        sections[name] = said


def _text(
    sheet: Sheet, sections: Mapping[str, Any], foreign: Mapping[str, Any], language: str
) -> str:
    def say(text: Text) -> str:
        return comment(text.zh if language == "zh" else str(text))

    parts = [say(_HEAD)]
    if sheet.variables:
        parts[0] += say(_VARIABLES.format(names=", ".join(sheet.variables)))
    named = {resource.section for resource in RESOURCES}
    for section in Config.model_fields:
        if section in sections:
            below = _BELOW.get(section, 2 if section in named else 1)
            parts.append(written({section: sections[section]}, below=below))
    if foreign:
        parts.append(say(_FOREIGN) + comment(written({"schedules": foreign}, below=3)))
    return "\n".join(parts)


_HEAD = Text(
    "Everything that a dingbell.yaml can say, as it stood in the database.\n"
    "`dingbell plan` then says that nothing is to be changed.",
    "数据库中可以写进 dingbell.yaml 的全部内容。之后 `dingbell plan` 应显示没有变化。",
)
_VARIABLES = Text(
    "Secrets are not in here. Set these in the environment or in .env first: {names}",
    "文件中没有密钥。请先在环境变量或 .env 中设置: {names}",
)
_FOREIGN = Text(
    "These do not come from a file and stay where they are made:",
    "以下日程不是来自文件, 在其来源处维护:",
)
