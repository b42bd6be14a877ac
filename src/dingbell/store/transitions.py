"""The one place that changes a state: compare and swap, an outbox row, the log, the metric.

The origins come from the table of moves in `domain.lifecycle`, as literals, so that partial indexes
serve. The outbox row is written by the same statement as the move: whoever reads the outbox
(webhooks, live pages, audit) misses nothing and hears of nothing that was rolled back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import asyncpg

from dingbell.domain.causes import Cause
from dingbell.domain.lifecycle import (
    BATCH_MOVES,
    DELIVERY_MOVES,
    RUN_MOVES,
    Batch,
    Delivery,
    Run,
    State,
    origins,
)
from dingbell.store.connection import Connection, after_commit
from dingbell.store.states import any_of
from dingbell.telemetry import Event, count_runs, log

__all__ = [
    "BATCHES",
    "DELIVERIES",
    "PEOPLE",
    "RUNS",
    "Given",
    "Machine",
    "announce",
    "entered",
    "move",
    "moving",
    "noted_new",
]

_S = TypeVar("_S", bound=State)


@dataclass(frozen=True, slots=True)
class Machine(Generic[_S]):
    """A table whose rows have states.

    Attributes:
        noun: what a row is, in the outbox.
        key: the column that `g.id` is compared with.
        run: SQL of the id of the run a row `t` belongs to.
        batch: SQL of the id of the batch it belongs to.
        people: SQL of how many people it stands for.
        silent: targets that write no outbox row, because another move says the same.
        one_by_one: whether `key` names single rows, so that their old states can be told apart.
    """

    table: str
    noun: str
    moves: Mapping[_S, frozenset[_S]]
    key: str
    run: str
    batch: str
    people: str
    silent: frozenset[_S]
    one_by_one: bool


RUNS = Machine(
    table="runs",
    noun="run",
    moves=RUN_MOVES,
    key="id",
    run="t.id",
    batch="null::bigint",
    people="null::int",
    silent=frozenset(),
    one_by_one=True,
)
BATCHES = Machine(
    table="batches",
    noun="batch",
    moves=BATCH_MOVES,
    key="id",
    run="t.run_id",
    batch="t.id",
    people="t.size",
    # A claim concerns its node only: what came of it is told.
    silent=frozenset({Batch.SENDING}),
    one_by_one=True,
)
DELIVERIES = Machine(
    table="deliveries",
    noun="delivery",
    moves=DELIVERY_MOVES,
    key="batch_id",
    run="t.run_id",
    batch="t.batch_id",
    people="t.people",
    # Everybody of a batch that was accepted.
    silent=frozenset({Delivery.SENT, Delivery.UNTRACKED}),
    one_by_one=False,
)
# The same rows, named by run and userid instead of by batch.
PEOPLE = replace(DELIVERIES, key="run_id")

# When a run entered a state; the final ones share `settled_at`.
_STAMPS = {
    Run.DUE: "touched_at",
    Run.HELD: "touched_at",
    Run.PLANNED: "planned_at",
    Run.SENDING: "started_at",
}
# What is logged about runs, and how loudly.
_RUN_EVENTS = {
    Run.DUE: (Event.RUN_RELEASED, logging.INFO),
    Run.HELD: (Event.RUN_HELD, logging.INFO),
    Run.PLANNED: (Event.RUN_PLANNED, logging.DEBUG),
    Run.SENDING: (Event.RUN_STARTED, logging.DEBUG),
    Run.SETTLED: (Event.RUN_SETTLED, logging.INFO),
    Run.SKIPPED: (Event.RUN_SKIPPED, logging.INFO),
    Run.REFUSED: (Event.RUN_REFUSED, logging.WARNING),
    Run.FAILED: (Event.RUN_FAILED, logging.ERROR),
    Run.CANCELED: (Event.RUN_CANCELED, logging.INFO),
    Run.RECALLED: (Event.RUN_RECALLED, logging.INFO),
}
_BATCH_EVENTS = {
    Batch.FAILED: (Event.BATCH_FAILED, logging.ERROR),
    Batch.UNKNOWN: (Event.BATCH_UNKNOWN, logging.ERROR),
}
_EVENTS: Mapping[str, Mapping[str, tuple[Event, int]]] = {
    "run": {state.value: said for state, said in _RUN_EVENTS.items()},
    "batch": {state.value: said for state, said in _BATCH_EVENTS.items()},
    "delivery": {},
}


def moving(
    machine: Machine[_S],
    target: _S,
    *,
    source: Sequence[_S],
    given: str,
    changes: str = "",
    only: str = "",
    returning: str = "",
    noted: str = "null::text, null::jsonb, null::text",
    name: str = "moved",
) -> str:
    """Two CTEs: `name` moves rows and returns them, `name_noted` writes what moved to the outbox.

    Args:
        machine: the table.
        target: the state to move to.
        source: the states to move from.
        given: a relation `g` with the column `id`, and whatever `changes` and `only` refer to.
        changes: further columns to set; the row is `t`.
        only: further conditions.
        returning: further columns to return beside `id`, `run`, `batch`, `people` and `old`.
        noted: SQL of the cause's kind, its parameters, and who it was.
        name: of the first CTE.
    """
    stamp = _stamp(machine, target)
    moved = f"""
        {name} as (
            update {machine.table} t
            set state = {target:sql}{"".join(f", {one}" for one in (stamp, changes) if one)}
            from {given}
            where t.{machine.key} = g.id and t.state in {any_of(source)}
            {f"and {only}" if only else ""}
            returning t.{machine.key} as id, {machine.run} as run, {machine.batch} as batch,
                      {machine.people} as people, {_old(machine, source)} as old
                      {f", {returning}" if returning else ""}
        )"""
    if target in machine.silent:
        return moved
    return f"""{moved}, {name}_noted as (
            insert into outbox (noun, run_id, batch_ids, people, old, new, cause, cause_params,
                                actor)
            select '{machine.noun}', run,
                   array_agg(distinct batch) filter (where batch is not null), sum(people)::int,
                   old, {target:sql}, {noted}
            from {name} group by run, old
        )"""


def _old(machine: Machine[_S], source: Sequence[_S]) -> str:
    """The state before: known where there is one origin; else read from the locked row."""
    if len(source) == 1:
        return f"{source[0]:sql}::text"
    if not machine.one_by_one:
        return "null::text"
    return f"(select o.state from {machine.table} o where o.id = t.id)"


def _stamp(machine: Machine[_S], target: _S) -> str:
    """When a run entered its state, which needs no more tries; final states share a column."""
    if machine.noun != "run":
        return ""
    column = _STAMPS.get(Run(target.value), "settled_at")
    return f"{column} = g.now, tries = 0"


@dataclass(frozen=True, slots=True)
class Given:
    """The rows to move, and what each of them brings along.

    Attributes:
        ids: what the machine's key is compared with.
        columns: further values for each id: name → (SQL type, values in the order of the ids).
        values: further values for all of them: name → (SQL type, value).
    """

    ids: Sequence[int]
    columns: Mapping[str, tuple[str, Sequence[Any]]]
    values: Mapping[str, tuple[str, Any]]

    @classmethod
    def of(
        cls,
        ids: Iterable[int],
        columns: Mapping[str, tuple[str, Sequence[Any]]] | None = None,
        **values: tuple[str, Any],
    ) -> Given:
        """Make one; `values` are the same for all."""
        return cls(list(ids), columns or {}, values)

    def without(self, moved: set[int]) -> Given:
        """Those that are not among some ids."""
        places = [place for place, one in enumerate(self.ids) if one not in moved]
        columns = {
            name: (kind, [found[place] for place in places])
            for name, (kind, found) in self.columns.items()
        }
        return Given([self.ids[place] for place in places], columns, self.values)

    def noting(self, cause: Cause | None, actor: str | None) -> Given:
        """The same, with what the outbox keeps beside the move."""
        return replace(
            self,
            values={
                **self.values,
                "cause_kind": ("text", cause.kind.value if cause else None),
                "cause_params": ("jsonb", dict(cause.params) if cause else None),
                "actor": ("text", actor),
            },
        )

    def relation(self) -> tuple[str, list[Any]]:
        """The relation `g` and its arguments, numbered from 1."""
        arguments: list[Any] = [list(self.ids)]
        arrays, names = ["$1::bigint[]"], ["id"]
        for name, (kind, found) in self.columns.items():
            arguments.append(list(found))
            arrays.append(f"${len(arguments)}::{kind}[]")
            names.append(name)
        constants = []
        for name, (kind, value) in self.values.items():
            arguments.append(value)
            constants.append(f"${len(arguments)}::{kind} as {name}")
        rows = f"unnest({', '.join(arrays)}) as u ({', '.join(names)})"
        selected = ", ".join(["u.*", *constants])
        return f"(select {selected} from {rows}) as g", arguments


async def move(
    connection: Connection,
    machine: Machine[_S],
    target: _S,
    given: Given,
    *,
    usual: _S | None = None,
    source: Iterable[_S] | None = None,
    changes: str = "",
    only: str = "",
    returning: str = "",
    cause: Cause | None = None,
    actor: str | None = None,
) -> list[asyncpg.Record]:
    """Move rows to a state from wherever the table of moves allows; return those that moved.

    Args:
        connection: in the caller's transaction.
        machine: the table.
        target: the state to move to.
        given: which rows; a row that stands elsewhere is left as it is.
        usual: the state they nearly always come from: tried first, and alone where that suffices.
        source: only these origins.
        changes: further columns to set; the row is `t`, what it brings along is `g`.
        only: further conditions.
        returning: further columns to return beside `id` and `run`.
        cause: why.
        actor: who; None is the engine.
    """
    allowed = origins(machine.moves, target)
    wanted = allowed if source is None else [state for state in source if state in allowed]
    given = given.noting(cause, actor)
    found: list[asyncpg.Record] = []
    if usual is not None:
        found += await _move(connection, machine, target, given, [usual], changes, only, returning)
        given = given.without({row["id"] for row in found})
    if given.ids and wanted != [usual]:
        if machine.one_by_one:
            await connection.execute(
                f"select from {machine.table} where id = any($1::bigint[]) order by id for update",
                list(given.ids),
            )
        found += await _move(connection, machine, target, given, wanted, changes, only, returning)
    announce(machine, target, found, cause)
    return found


async def _move(
    connection: Connection,
    machine: Machine[_S],
    target: _S,
    given: Given,
    source: Sequence[_S],
    changes: str,
    only: str,
    returning: str,
) -> list[asyncpg.Record]:
    relation, arguments = given.relation()
    query = moving(
        machine,
        target,
        source=source,
        given=relation,
        changes=changes,
        only=only,
        returning=f"g.cause_kind, g.cause_params, g.actor{f', {returning}' if returning else ''}",
        noted="min(cause_kind), (array_agg(cause_params))[1], min(actor)",
    )
    return await connection.fetch(f"with {query} select * from moved", *arguments)


def announce(
    machine: Machine[_S], target: _S, moved: Sequence[asyncpg.Record], cause: Cause | None = None
) -> None:
    """Have what moved logged, and final states counted, once the transaction has committed."""
    told = _EVENTS[machine.noun].get(target.value)
    if not moved or told is None:
        return
    event, level = told

    def say() -> None:
        for row in moved:
            log(event, level=level, **{machine.noun: row["id"]}, **_why(cause))
        if machine.noun == "run" and Run(target).final:
            count_runs(target.value, len(moved))

    after_commit(say)


def _why(cause: Cause | None) -> dict[str, str]:
    if cause is None:
        return {}
    trace = {"trace": cause.params["trace"]} if cause.params.get("trace") else {}
    return {"cause": cause.kind.value, "reason": str(cause.text())[:300], **trace}


def noted_new(name: str) -> str:
    """A CTE that writes the new runs of another one to the outbox."""
    return f"""{name}_noted as (
            insert into outbox (noun, run_id, old, new, cause, cause_params, actor)
            select 'run', id, null, state, cause, cause_params, requested_by from {name}
        )"""


def entered(created: Sequence[tuple[int, Run, Cause | None]]) -> None:
    """Have new runs logged, and those that ended at once counted, when the transaction commits."""

    def say() -> None:
        for run_id, state, cause in created:
            event, level = _RUN_EVENTS[state]
            if state is Run.DUE:
                event, level = Event.RUN_CREATED, logging.DEBUG
            log(event, level=level, run=run_id, **_why(cause))
            if state.final:
                count_runs(state.value, 1)

    after_commit(say)
