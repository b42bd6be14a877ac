"""Operations on the directory: read it, look people up, say whom an audience means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dingbell.directory.sync import Progress, sync
from dingbell.domain.audience import Audience
from dingbell.errors import InputError, NotFoundError, Text
from dingbell.operations import apps
from dingbell.operations.desk import Desk
from dingbell.store import directory
from dingbell.store.apps import App
from dingbell.store.connection import Connection, acquire

__all__ = ["ensure", "find", "resolve", "synchronise", "within"]


def _quiet(_: int) -> None:
    """Tell nobody about progress."""


async def synchronise(
    desk: Desk, app: str | None, *, progress: Progress = _quiet
) -> directory.Sync:
    """Read the directory an app may see, now."""
    async with acquire(desk.pool) as connection:
        found = await apps.find(desk, connection, app)
        async with directory.reading(connection, found.org):
            return await _sync(desk, found, progress)


async def _sync(desk: Desk, app: App, progress: Progress) -> directory.Sync:
    client = await desk.clients.of(app.id)
    return await sync(
        desk.pool,
        client,
        desk.clock,
        app.org,
        calls_per_second=app.calls_per_second or desk.pace.calls_per_second,
        progress=progress,
    )


async def ensure(
    desk: Desk, app: App, *, younger_than: timedelta | None = None, progress: Progress = _quiet
) -> None:
    """Read the directory if it has never been read, or not for a given time."""
    async with acquire(desk.pool) as connection:
        if await _is_fresh(desk, connection, app, younger_than):
            return
        # Whoever reads it now need not be followed by everybody who waited for it.
        async with directory.reading(connection, app.org):
            if not await _is_fresh(desk, connection, app, younger_than):
                await _sync(desk, app, progress)


async def _is_fresh(
    desk: Desk, connection: Connection, app: App, younger_than: timedelta | None
) -> bool:
    last = await directory.last_sync(connection, app.org)
    return last is not None and (
        younger_than is None or desk.clock.now() - last.synced_at < younger_than
    )


async def resolve(
    desk: Desk,
    app: App,
    audience: Audience,
    *,
    progress: Progress = _quiet,
) -> list[str]:
    """Whom an audience means, reading the directory first where that is needed.

    Raises:
        InputError: it names departments, roles or mobiles that do not exist, or nobody at all.
        NotFoundError: it names a saved audience that does not exist.
    """
    if audience.needs_directory():
        await ensure(desk, app, progress=progress)
    async with acquire(desk.pool) as connection:
        return await within(connection, app, audience)


async def within(connection: Connection, app: App, audience: Audience) -> list[str]:
    """Whom an audience means, by the directory as it was last read; see `resolve`."""
    if unknown := await directory.unknown_parts(connection, app.org, audience):
        raise InputError(_unknown(unknown))
    try:
        userids = await directory.resolve(connection, app.org, audience)
    except LookupError as error:
        raise NotFoundError(
            Text("there is no saved audience {name!r}", "没有名为 {name!r} 的受众").format(
                name=error.args[0]
            )
        ) from None
    if not userids:
        raise InputError(Text("the audience is empty", "受众为空"))
    return userids


def _unknown(unknown: dict[str, list[str]]) -> Text:
    listed = "; ".join(f"{kind}: {', '.join(names[:10])}" for kind, names in unknown.items())
    return Text(
        "the directory does not have {listed}. If they are new, run `dingbell directory sync`",
        "通讯录中没有 {listed}。如为新增, 请运行 `dingbell directory sync`",
    ).format(listed=listed)


async def find(desk: Desk, app: str | None, query: str, *, limit: int = 20) -> list[dict[str, Any]]:
    """People whose name, userid or mobile contains a text."""
    found = await apps.chosen(desk, app)
    await ensure(desk, found)
    async with acquire(desk.pool) as connection:
        return await directory.find(connection, found.org, query, limit)
