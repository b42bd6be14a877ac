"""Operations on saved templates: put, list, show, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dingbell.domain.media import MediaFile
from dingbell.domain.message import Roster
from dingbell.errors import ConflictError, NotFoundError, Text
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.views import Instant, View
from dingbell.planning.revisit import revisit
from dingbell.store import media, templates
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.templates import Template

__all__ = ["TemplateReport", "TemplateView", "delete", "listed", "put", "remove", "show", "store"]

_NOT_THERE = Text(
    "there is no template {name!r}: see `dingbell templates list`",
    "没有模板 {name!r}: 见 `dingbell templates list`",
)
_NO_VERSION = Text("template {name!r} has no version {version}", "模板 {name!r} 没有版本 {version}")
_IN_USE = Text(
    "template {name!r} is what schedules say: {schedules}",
    "日程 {schedules} 正在使用模板 {name!r}",
)
_MOST_NAMED = 5


class TemplateView(View):
    """A saved template, or a version of it."""

    name: str
    version: int
    content: dict[str, Any]
    created_at: Instant
    created_by: str | None

    @property
    def kind(self) -> str:
        """Which of DingTalk's types it is."""
        return str(self.content.get("msgtype") or next(iter(self.content)))


class TemplateReport(TemplateView):
    """A saved template, where it is used, and what its versions are.

    Attributes:
        schedules: which say what it says.
        versions: all there have been, the newest first.
    """

    schedules: tuple[str, ...]
    versions: tuple[int, ...]


def _fields(found: Template) -> dict[str, Any]:
    names = ("name", "version", "content", "created_at", "created_by")
    return {name: getattr(found, name) for name in names}


async def listed(ops: Operations) -> tuple[TemplateView, ...]:
    """Every saved template as it is now, by name."""
    ops.may(Operation.TEMPLATES_SEE)
    async with acquire(ops.pool) as connection:
        found = await templates.all_templates(connection)
    return tuple(TemplateView(**_fields(one)) for one in found)


async def show(ops: Operations, name: str, version: int | None = None) -> TemplateReport:
    """A template as it is now, or as it was.

    Raises:
        NotFoundError: there is none of that name, or no such version.
    """
    ops.may(Operation.TEMPLATES_SEE)
    async with acquire(ops.pool) as connection:
        found = await templates.find(connection, name, version)
        if found is None:
            words = _NOT_THERE if version is None else _NO_VERSION
            raise NotFoundError(words.format(name=name, version=version))
        return TemplateReport(
            **_fields(found),
            schedules=tuple(await templates.users(connection, name)),
            versions=tuple(one.version for one in await templates.versions(connection, name)),
        )


async def put(
    ops: Operations, name: str, content: Mapping[str, Any], files: Sequence[MediaFile] = ()
) -> int | None:
    """Save words under a name; return the new version, None where they are the same as before.

    Raises:
        InputError: they are no message, or a template in them does not work.
    """
    ops.may(Operation.TEMPLATES_PUT)
    message = Roster(content)
    async with transaction(ops.pool) as connection:
        await media.keep(connection, files, ops.clock.now())
        return await store(ops, connection, name, message)


async def store(ops: Operations, connection: Connection, name: str, message: Roster) -> int | None:
    """The same inside the caller's transaction; what is prepared is prepared again."""
    ops.may(Operation.TEMPLATES_PUT)
    now = ops.clock.now()
    version = await templates.put(connection, name, message.to_dict(), now, ops.actor.name)
    if version is not None and version > 1:
        await revisit(connection, now)
    return version


async def delete(ops: Operations, name: str) -> None:
    """Forget a template; its versions stay for the runs that used them.

    Raises:
        NotFoundError: there is none of that name.
        ConflictError: schedules say what it says.
    """
    ops.may(Operation.TEMPLATES_DELETE)
    async with transaction(ops.pool) as connection:
        await remove(ops, connection, name)


async def remove(ops: Operations, connection: Connection, name: str) -> None:
    """The same inside the caller's transaction."""
    ops.may(Operation.TEMPLATES_DELETE)
    used = await templates.users(connection, name)
    if used:
        names = ", ".join(used[:_MOST_NAMED]) + (" …" if len(used) > _MOST_NAMED else "")
        raise ConflictError(_IN_USE.format(name=name, schedules=names))
    if not await templates.delete(connection, name):
        raise NotFoundError(_NOT_THERE.format(name=name))
