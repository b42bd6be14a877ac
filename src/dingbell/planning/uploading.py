"""Uploading: DingTalk is given a file once per app, and given it again before it might forget it.

1. What this app has been given lately has an id already.
2. Else one node says that it uploads, and commits; the others wait for the id.
3. It uploads, with no transaction open, and writes the id down.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from dingbell.clients import Clients
from dingbell.clients.patience import patiently
from dingbell.clock import Clock
from dingbell.domain.media import Upload
from dingbell.errors import InputError, Text
from dingbell.store import media, spending
from dingbell.store.connection import Pool, acquire, transaction

if TYPE_CHECKING:
    from dingbell.dingtalk import Client, results

__all__ = ["KEPT", "uploaded"]

# DingTalk names no end [D0644]; what is older than this is uploaded again all the same.
KEPT = timedelta(days=30)
# So long a node may be busy with one file before another one tries.
_CLAIMED = timedelta(minutes=2)
_TRIES = 6
_LOOK_EVERY = 0.5

_NOT_KEPT = Text(
    "the file {name} is not kept any more: run `dingbell apply` again",
    "文件 {name} 已不在数据库中: 请重新运行 `dingbell apply`",
)
_REFUSED = Text(
    "DingTalk did not take the file {name} ({code}: {meaning})",
    "钉钉未接受文件 {name} ({code}: {meaning})",
)
_UNKNOWN = Text("see docs/reference/codes.md", "见 docs/reference/codes.md")


async def uploaded(
    pool: Pool, clients: Clients, clock: Clock, app: tuple[int, str], wanted: Sequence[Upload]
) -> dict[Upload, str]:
    """What DingTalk calls some files, for one app; what it has not is uploaded.

    Args:
        pool: where they are kept.
        clients: calls DingTalk.
        clock: whose time passes.
        app: its id and its org.
        wanted: which files.

    Raises:
        InputError: DingTalk does not take one, or it is not kept any more.
    """
    found: dict[Upload, str] = {}
    while True:
        async with acquire(pool) as connection:
            since = clock.now() - KEPT
            found |= await media.known(connection, app[0], wanted, since=since)
        ahead = [one for one in wanted if one not in found]
        if not ahead:
            return found
        if not await _claimed(pool, clock, app[0], ahead[0]):
            await clock.sleep(_LOOK_EVERY)
            continue
        found[ahead[0]] = await _given(pool, clients, clock, app, ahead[0])


async def _claimed(pool: Pool, clock: Clock, app_id: int, upload: Upload) -> bool:
    now = clock.now()
    async with acquire(pool) as connection:
        return await media.claim(connection, app_id, upload, now, now + _CLAIMED)


async def _given(
    pool: Pool, clients: Clients, clock: Clock, app: tuple[int, str], upload: Upload
) -> str:
    """Upload a file, and write down what DingTalk calls it."""
    app_id, org = app
    media_id: str | None = None
    try:
        async with acquire(pool) as connection:
            content = await media.content(connection, upload.digest)
        if content is None:
            raise InputError(_NOT_KEPT.format(name=upload.name))
        media_id = await _upload(await clients.of(app_id), clock, upload, content)
    finally:
        now = clock.now()
        async with transaction(pool) as connection:
            await media.note(connection, app_id, upload, media_id, now)
            if media_id is not None:
                await spending.add(connection, [(org, spending.UPLOAD, 0)], now)
    return media_id


def _meaning(code: str) -> Text:
    from dingbell.dingtalk import codes

    found = codes.find(code)
    return Text(found.en, found.zh) if found else _UNKNOWN


async def _upload(client: Client, clock: Clock, upload: Upload, content: bytes) -> str:
    answers: list[results.Media] = []

    async def give() -> None:
        answers.append(await client.upload(upload.kind, upload.name, content))

    code = await patiently(give, clock, tries=_TRIES)
    if code is None:
        return answers[-1].media_id
    raise InputError(_REFUSED.format(name=upload.name, code=code, meaning=_meaning(code)))
