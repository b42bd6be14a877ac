"""Tables `runs` and `deliveries`, as far as people join runs that are planned, or leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dingbell.domain.lifecycle import Batch, Run
from dingbell.store.connection import Connection

__all__ = ["Stale", "note_versions", "people", "stale"]


@dataclass(frozen=True, slots=True)
class Stale:
    """A planned run whose directory has changed since.

    Attributes:
        begins_at: its first slot.
    """

    run_id: int
    begins_at: datetime


async def note_versions(connection: Connection, versions: Sequence[tuple[int, int | None]]) -> None:
    """Keep with runs the version of the directory they were planned by: (run id, version)."""
    await connection.execute(
        """
        update runs f set directory_version = v.version
        from unnest($1::bigint[], $2::bigint[]) as v (id, version) where f.id = v.id
        """,
        [run_id for run_id, _ in versions],
        [version for _, version in versions],
    )


async def stale(connection: Connection, run_ids: Sequence[int]) -> list[Stale]:
    """Those of some planned runs whose directory is another than the one they were planned by."""
    rows = await connection.fetch(
        f"""
        select f.id, min(b.slot_at) as begins_at
        from runs f join directory_versions v on v.org = f.org
        join batches b on b.run_id = f.id and b.state = {Batch.QUEUED:sql}
        where f.id = any($1::bigint[]) and f.state = {Run.PLANNED:sql}
          and f.directory_version is distinct from v.version
          and f.directory_version is not null
        group by f.id order by min(b.slot_at), f.id
        """,
        list(run_ids),
    )
    return [Stale(row["id"], row["begins_at"]) for row in rows]


async def people(connection: Connection, run_id: int) -> dict[str, int]:
    """Everybody of a run who is in a batch: userid → batch id."""
    rows = await connection.fetch(
        "select userid, batch_id from deliveries where run_id = $1", run_id
    )
    return {row["userid"]: row["batch_id"] for row in rows}
