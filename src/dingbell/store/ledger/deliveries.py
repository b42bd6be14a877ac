"""Table `deliveries`: one person in one run, always in a named state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from dingbell.domain.forecast import Reason
from dingbell.domain.lifecycle import Delivery
from dingbell.store.connection import Connection
from dingbell.store.states import DELIVERY_REACHED
from dingbell.store.transitions import DELIVERIES, PEOPLE, Given, move

__all__ = ["Filter", "Receipt", "copy", "move_batches", "receive", "totals"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one person of one batch."""

    run_id: int
    userid: str
    state: Delivery
    code: str | None = None


_TAKEN_OUT = f"('{Reason.DENIED.value}', '{Reason.MOVED_OUT.value}')"

# (run id, userid, batch id, people, state, why it is not expected to arrive).
New = tuple[int, str, int, int, str, str | None]


async def copy(connection: Connection, rows: Iterable[New]) -> None:
    """Write new deliveries, row by row as they come."""
    await connection.copy_records_to_table(
        "deliveries",
        columns=["run_id", "userid", "batch_id", "people", "state", "predicted"],
        records=rows,
    )


async def sent(connection: Connection, batches: Sequence[tuple[int, datetime]]) -> None:
    """Move everybody of accepted batches to `sent`; coarse targets to `untracked`.

    Who was taken out of a batch before it was called, by the deny-list or because he had left the
    audience, was not in the call.
    """
    ids = [batch_id for batch_id, _ in batches]
    at = {"sent_at": ("timestamptz", [sent_at for _, sent_at in batches])}
    for target, whole in ((Delivery.SENT, "null"), (Delivery.UNTRACKED, "not null")):
        await move(
            connection,
            DELIVERIES,
            target,
            Given.of(ids, at),
            only=f"coalesce(t.code, '') not in {_TAKEN_OUT} and exists "
            f"(select from batches b where b.id = g.id and b.target is {whole})",
            changes="sent_at = g.sent_at, code = null",
        )


async def move_batches(
    connection: Connection, batch_ids: Sequence[int], target: Delivery, code: str | None = None
) -> None:
    """Compare and swap everybody of some batches."""
    if not batch_ids:
        return
    await move(
        connection,
        DELIVERIES,
        target,
        Given.of(batch_ids, code=("text", code)),
        changes="code = coalesce(g.code, t.code)",
    )
    if target is Delivery.UNKNOWN:
        await _note_unknown(connection, batch_ids)


async def _note_unknown(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Note with their batches that there are people of whom nobody knows: so they are found."""
    await connection.execute(
        "update batches set unknown = true where id = any($1::bigint[]) and not unknown",
        list(batch_ids),
    )


async def take_out(
    connection: Connection, batch_ids: Sequence[int], userids: Sequence[str], reason: Reason
) -> set[int]:
    """Cancel some people of queued batches, for one reason; return the batches of whom.

    They are no misprediction where it is the audience that has changed.
    """
    rows = await move(
        connection,
        DELIVERIES,
        Delivery.CANCELED,
        Given.of(
            batch_ids,
            userids=("text[]", list(userids)),
            code=("text", reason.value),
        ),
        source=[Delivery.PLANNED],
        only="t.userid = any(g.userids)",
        changes="code = g.code" + (", predicted = g.code" if reason is Reason.MOVED_OUT else ""),
    )
    return {row["id"] for row in rows}


async def without_people(connection: Connection, batch_ids: Sequence[int]) -> list[int]:
    """Those of some batches that nobody is left to be sent to of."""
    rows = await connection.fetch(
        f"""
        select id from unnest($1::bigint[]) as b (id) where not exists (
            select from deliveries d
            where d.batch_id = b.id and d.state = {Delivery.PLANNED:sql})
        """,
        list(batch_ids),
    )
    return [row["id"] for row in rows]


async def resolve(
    connection: Connection,
    run_id: int,
    userids: Sequence[str],
    target: Delivery,
    *,
    code: str,
    actor: str | None = None,
) -> list[str]:
    """Move people of a run out of `unknown`; all of them when none are named."""
    rows = await move(
        connection,
        PEOPLE,
        target,
        Given.of([run_id], userids=("text[]", list(userids)), code=("text", code)),
        source=[Delivery.UNKNOWN],
        only="(cardinality(g.userids) = 0 or t.userid = any(g.userids))",
        changes="code = g.code",
        returning="t.userid",
        actor=actor,
    )
    return [row["userid"] for row in rows]


async def receive(connection: Connection, receipts: Sequence[Receipt], now: datetime) -> None:
    """Write what DingTalk says of people; only moves that the table of moves allows are made."""
    by_state: dict[Delivery, list[Receipt]] = {}
    for receipt in receipts:
        by_state.setdefault(receipt.state, []).append(receipt)
    for state, own in sorted(by_state.items()):
        moved = await _receive(connection, state, own, now)
        if state is Delivery.UNKNOWN and moved:
            await _note_unknown(connection, sorted(moved))


async def _receive(
    connection: Connection, state: Delivery, receipts: Sequence[Receipt], now: datetime
) -> set[int]:
    """Write receipts that say the same; return the batches of whom they are."""
    rows = await move(
        connection,
        PEOPLE,
        state,
        Given.of(
            (receipt.run_id for receipt in receipts),
            {
                "userid": ("text", [receipt.userid for receipt in receipts]),
                "code": ("text", [receipt.code for receipt in receipts]),
            },
            now=("timestamptz", now),
        ),
        only="t.userid = g.userid",
        changes="code = g.code, read_at = "
        + ("coalesce(t.read_at, g.now)" if state is Delivery.READ else "null"),
    )
    codes = [receipt for receipt in receipts if receipt.state is Delivery.SENT and receipt.code]
    if codes:
        await _note_lost_call(connection, codes)
    return {row["batch"] for row in rows}


async def _note_lost_call(connection: Connection, receipts: Sequence[Receipt]) -> None:
    """Note of people who are `sent` that a call in doubt reached them: there is no receipt."""
    await connection.execute(
        f"""
        update deliveries d set code = r.code
        from unnest($1::bigint[], $2::text[], $3::text[]) as r (run_id, userid, code)
        where d.run_id = r.run_id and d.userid = r.userid and d.state = {Delivery.SENT:sql}
        """,
        [receipt.run_id for receipt in receipts],
        [receipt.userid for receipt in receipts],
        [receipt.code for receipt in receipts],
    )


async def states(connection: Connection, batch_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """Where everybody of some batches stands: batch id → userid → state."""
    rows = await connection.fetch(
        "select batch_id, userid, state from deliveries where batch_id = any($1::bigint[])",
        list(batch_ids),
    )
    found: dict[int, dict[str, str]] = {batch_id: {} for batch_id in batch_ids}
    for row in rows:
        found[row["batch_id"]][row["userid"]] = row["state"]
    return found


async def same_words(
    connection: Connection, batch_id: int, userids: Sequence[str], *, day_start: datetime
) -> dict[str, set[str]]:
    """States of other deliveries of the same app, body and day to these people.

    Returns:
        userid → states of that person in other batches that were called today. Somebody whom only
        an in-doubt call can have reached (`sent` with a code) counts as reached.
    """
    rows = await connection.fetch(
        f"""
        select d.userid,
               case when d.state = {Delivery.SENT:sql} and d.code is not null
                    then {Delivery.UNREAD:sql} else d.state end
               as state
        from batches mine
        join batches b on b.app_id = mine.app_id and b.body_hash = mine.body_hash
             and b.id <> mine.id and b.sent_at >= $3
        join deliveries d on d.batch_id = b.id and d.userid = any($2::text[])
        where mine.id = $1
        """,
        batch_id,
        list(userids),
        day_start,
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["userid"], set()).add(row["state"])
    return found


async def unread(connection: Connection, run_id: int) -> list[dict[str, Any]]:
    """Who has a notice of a run and has not read it: userid, name, manager."""
    rows = await connection.fetch(
        f"""
        select d.userid, coalesce(p.name, d.userid) as name, p.attributes ->> 'manager' as manager
        from deliveries d join batches b on b.id = d.batch_id and b.run_id = d.run_id
        left join people p on p.org = b.org and p.userid = d.userid
        where d.run_id = $1 and d.state = {Delivery.UNREAD:sql} order by d.userid
        """,
        run_id,
    )
    return [dict(row) for row in rows]


async def totals(connection: Connection, run_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many people of each run are in which state."""
    rows = await connection.fetch(
        """
        select f.id as run_id, t.state, t.people
        from unnest($1::bigint[]) as f (id) cross join lateral (
            select state, sum(people)::int as people from deliveries
            where run_id = f.id group by state) as t
        order by f.id, t.state
        """,
        list(run_ids),
    )
    found: dict[int, dict[str, int]] = {run_id: {} for run_id in run_ids}
    for row in rows:
        found[row["run_id"]][row["state"]] = row["people"]
    return found


@dataclass(frozen=True, slots=True)
class Filter:
    """Which people of a run are meant.

    Attributes:
        state: those in this state.
        departments: those in one of these departments, or below.
    """

    state: Delivery | None = None
    departments: tuple[int, ...] = ()


# Departments as they were read last; whoever has left since is in none.
_LEDGER = """
    with recursive below (org, dept_id) as (
        select b.org, t.dept_id from unnest($3::bigint[]) as t (dept_id), (
            select distinct org from batches where run_id = $1) as b
        union
        select d.org, d.dept_id from departments d
        join below b on d.org = b.org and d.parent_id = b.dept_id
    )
    select d.userid, d.state, d.code, b.task_id, d.sent_at, d.read_at, d.people, p.name,
           d.predicted, b.attempt, b.words, b.ordinal
    from deliveries d join batches b on b.id = d.batch_id and b.run_id = d.run_id
    left join people p on p.org = b.org and p.userid = d.userid
    where d.run_id = $1 and ($2::text is null or d.state = $2)
      and (cardinality($3::bigint[]) = 0 or exists (
          select from memberships m join below on below.org = m.org and below.dept_id = m.dept_id
          where m.org = b.org and m.userid = d.userid))
"""
_IN_ORDER = "order by b.ordinal, d.userid"


async def of_person(
    connection: Connection,
    userid: str,
    *,
    limit: int,
    org: str | None = None,
    before: int | None = None,
) -> list[asyncpg.Record]:
    """What one person was sent, the newest first: of runs before another one."""
    return await connection.fetch(
        """
        select f.id as run, f.schedule, f.kind, f.due_at, d.state, d.code, d.predicted,
               b.task_id, d.sent_at, d.read_at, b.attempt, convert_from(b.body, 'UTF8') as body
        from deliveries d join batches b on b.id = d.batch_id join runs f on f.id = d.run_id
        where d.userid = $1 and ($3::text is null or b.org = $3)
          and ($4::bigint is null or d.run_id < $4)
        order by d.run_id desc limit $2
        """,
        userid,
        limit,
        org,
        before,
    )


async def endings(connection: Connection, run_id: int) -> list[asyncpg.Record]:
    """How many people who may not have ended as predicted ended how: (predicted, state, people)."""
    return await connection.fetch(
        f"""
        select predicted, state, count(*)::int as people from deliveries
        where run_id = $1 and (predicted is not null or state not in {DELIVERY_REACHED})
        group by predicted, state
        """,
        run_id,
    )


async def ended(
    connection: Connection,
    run_id: int,
    endings: Sequence[tuple[str | None, str]],
    *,
    limit: int,
) -> list[asyncpg.Record]:
    """(userid, state, code, predicted) of people with one of these endings, by userid."""
    return await connection.fetch(
        """
        select userid, state, code, predicted from deliveries d
        where run_id = $1 and exists (
            select from unnest($2::text[], $3::text[]) as e (predicted, state)
            where e.predicted is not distinct from d.predicted and e.state = d.state)
        order by userid limit $4
        """,
        run_id,
        [predicted for predicted, _ in endings],
        [state for _, state in endings],
        limit,
    )


def _arguments(run_id: int, wanted: Filter) -> tuple[Any, ...]:
    state = wanted.state.value if wanted.state else None
    return run_id, state, list(wanted.departments)


async def of_run(
    connection: Connection,
    run_id: int,
    wanted: Filter,
    *,
    limit: int,
    after: tuple[int, str] | None = None,
) -> list[asyncpg.Record]:
    """A page of the ledger of a run, by batch and userid."""
    ordinal, userid = after or (-1, "")
    return await connection.fetch(
        f"{_LEDGER} and (b.ordinal, d.userid) > ($4, $5) {_IN_ORDER} limit $6",
        *_arguments(run_id, wanted),
        ordinal,
        userid,
        limit,
    )


async def stream(
    connection: Connection, run_id: int, wanted: Filter
) -> AsyncIterator[dict[str, Any]]:
    """The ledger of a run, row by row, inside a transaction."""
    arguments = _arguments(run_id, wanted)
    async for row in connection.cursor(f"{_LEDGER} {_IN_ORDER}", *arguments, prefetch=1000):
        yield dict(row)
