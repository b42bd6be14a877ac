"""Tables `media` and `media_uploads`: files that messages name, and what DingTalk calls them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from dingbell.domain.media import MediaFile, Upload
from dingbell.store.connection import Connection
from dingbell.store.states import RUN_OPEN

__all__ = ["claim", "content", "forget", "forget_ids", "keep", "known", "missing", "note"]


async def keep(connection: Connection, files: Iterable[MediaFile], now: datetime) -> None:
    """Keep files; what is there already is only marked as wanted again."""
    for file in files:
        digest = file.digest
        there = await connection.fetchval(
            "update media set kept_at = $2 where digest = $1 returning true", digest, now
        )
        if not there:
            await connection.execute(
                """
                insert into media (digest, content, kept_at) values ($1, $2, $3)
                on conflict (digest) do update set kept_at = excluded.kept_at
                """,
                digest,
                file.content,
                now,
            )


async def content(connection: Connection, digest: str) -> bytes | None:
    """The content of a file."""
    found: bytes | None = await connection.fetchval(
        "select content from media where digest = $1", digest
    )
    return found


async def missing(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of the files that are not kept."""
    rows = await connection.fetch(
        """
        select d.digest from unnest($1::text[]) as d (digest)
        where not exists (select from media m where m.digest = d.digest)
        """,
        list(digests),
    )
    return {row["digest"] for row in rows}


async def known(
    connection: Connection, app_id: int, wanted: Sequence[Upload], *, since: datetime
) -> dict[Upload, str]:
    """What DingTalk calls files that were uploaded for an app since an instant."""
    rows = await connection.fetch(
        """
        select w.place, u.media_id
        from unnest($2::text[], $3::text[]) with ordinality as w (kind, reference, place)
        join media_uploads u using (kind, reference)
        where u.app_id = $1 and u.media_id is not null and u.uploaded_at >= $4
        """,
        app_id,
        [one.kind for one in wanted],
        [one.reference for one in wanted],
        since,
    )
    return {wanted[row["place"] - 1]: row["media_id"] for row in rows}


async def claim(
    connection: Connection, app_id: int, upload: Upload, now: datetime, until: datetime
) -> bool:
    """Say that this node uploads a file; False where another one is at it."""
    found = await connection.fetchval(
        """
        insert into media_uploads as u (app_id, kind, reference, claimed_until)
        values ($1, $2, $3, $5)
        on conflict (app_id, kind, reference) do update set claimed_until = $5
        where u.claimed_until is null or u.claimed_until <= $4
        returning true
        """,
        app_id,
        upload.kind,
        upload.reference,
        now,
        until,
    )
    return found is not None


async def note(
    connection: Connection, app_id: int, upload: Upload, media_id: str | None, now: datetime
) -> None:
    """Note what DingTalk calls a file, None where it has not taken it; others may go on."""
    await connection.execute(
        """
        update media_uploads set claimed_until = null, media_id = coalesce($4, media_id),
            uploaded_at = case when $4::text is null then uploaded_at else $5 end
        where app_id = $1 and kind = $2 and reference = $3
        """,
        app_id,
        upload.kind,
        upload.reference,
        media_id,
        now,
    )


async def forget_ids(connection: Connection, app_id: int, body: bytes) -> None:
    """Forget what DingTalk calls the files of a message: it does not know them any more."""
    await connection.execute(
        """
        update media_uploads set media_id = null, uploaded_at = null
        where app_id = $1 and position(media_id in $2) > 0
        """,
        app_id,
        body.decode("utf-8", "replace"),
    )


async def forget(connection: Connection, before: datetime) -> int:
    """Forget files that nothing names any more, and that nobody has wanted since an instant."""
    rows = await connection.fetch(
        f"""
        delete from media m
        where kept_at < $1
          and not exists (select from schedules where position(m.digest in spec::text) > 0)
          and not exists (
              select from templates t join template_versions v using (name, version)
              where position(m.digest in v.content::text) > 0)
          and not exists (
              select from runs where state in {RUN_OPEN} and position(m.digest in spec::text) > 0)
        returning digest
        """,
        before,
    )
    digests = [row["digest"] for row in rows]
    await connection.execute(
        "delete from media_uploads where substr(reference, 7, 64) = any($1::text[])", digests
    )
    return len(digests)
