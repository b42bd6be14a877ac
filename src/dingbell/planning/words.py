"""Words: the message of a run or a forecast, with what its saved template says."""

from __future__ import annotations

from typing import TypeVar

from dingbell.domain.message import Message
from dingbell.errors import InputError, Text
from dingbell.store import templates
from dingbell.store.connection import Connection

__all__ = ["Used", "resolved"]

_Words = TypeVar("_Words", bound=Message)
# The name and the version of a template.
Used = tuple[str, int]

_NOT_THERE = Text(
    "there is no template {name!r}: see `dingbell templates list`",
    "没有模板 {name!r}: 见 `dingbell templates list`",
)
_IN_TEMPLATE = Text(
    "template {name} (version {version}): {said}", "模板 {name} (版本 {version}): {said}"
)


async def resolved(connection: Connection, message: _Words) -> tuple[_Words, Used | None]:
    """A message with its own words, and the template they are from.

    Raises:
        InputError: there is no such template, or it uses what this message has not.
    """
    name = message.template
    if name is None:
        return message, None
    found = await templates.find(connection, name)
    if found is None:
        raise InputError(_NOT_THERE.format(name=name))
    try:
        return message.saying(found.content), (name, found.version)
    except InputError as error:
        raise InputError(
            _IN_TEMPLATE.format(name=name, version=found.version, said=error.message)
        ) from error
