"""States and the moves between them: the one table that code, constraints and diagrams obey."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

__all__ = [
    "BATCH_MOVES",
    "DELIVERY_MOVES",
    "RUN_MOVES",
    "Batch",
    "Delivery",
    "Run",
    "State",
    "mermaid",
    "origins",
]


class State(StrEnum):
    """A state of a row; `f"{state:sql}"` is its literal, `'queued'`.

    A literal and not a parameter: PostgreSQL uses a partial index only where the text of a query
    implies the index's condition.
    """

    def __format__(self, form: str) -> str:
        return f"'{self.value}'" if form == "sql" else super().__format__(form)


_S = TypeVar("_S", bound=State)


class Run(State):
    """Where one occurrence of a schedule, or one manual send, stands."""

    DUE = "due"
    PLANNED = "planned"
    SENDING = "sending"
    SETTLED = "settled"
    HELD = "held"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELED = "canceled"
    RECALLED = "recalled"

    @property
    def final(self) -> bool:
        """Whether nothing more will be sent by itself; receipts may still arrive."""
        return self not in (Run.DUE, Run.HELD, Run.PLANNED, Run.SENDING)


class Batch(State):
    """Where up to 100 people with one body stand."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELED = "canceled"
    RECALLED = "recalled"

    @property
    def final(self) -> bool:
        """Whether the batch has its first complete result, or will never have one."""
        return self not in (Batch.QUEUED, Batch.SENDING, Batch.ACCEPTED)


class Delivery(State):
    """Where one person of one run stands."""

    PLANNED = "planned"
    SENT = "sent"
    UNREAD = "unread"
    READ = "read"
    DROPPED = "dropped"
    INVALID = "invalid"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELED = "canceled"
    RECALLED = "recalled"
    UNTRACKED = "untracked"

    @property
    def final(self) -> bool:
        """Whether the person is accounted for: sent to or not, and what came of it."""
        return self not in (Delivery.PLANNED, Delivery.SENT)

    @property
    def arrived(self) -> bool:
        """Whether the notice is known to have reached the person."""
        return self in (Delivery.UNREAD, Delivery.READ)


RUN_MOVES: dict[Run, frozenset[Run]] = {
    Run.DUE: frozenset(
        {
            Run.PLANNED,
            Run.HELD,
            Run.REFUSED,
            Run.SKIPPED,
            Run.FAILED,
            Run.CANCELED,
        }
    ),
    # Until a person approves, or the quiet hours end.
    Run.HELD: frozenset({Run.DUE, Run.SKIPPED, Run.CANCELED}),
    # Back to `due` when a rule changes before anything is called.
    Run.PLANNED: frozenset(
        {
            Run.SENDING,
            Run.DUE,
            Run.SKIPPED,
            Run.FAILED,
            Run.CANCELED,
            Run.SETTLED,
        }
    ),
    Run.SENDING: frozenset({Run.SETTLED, Run.CANCELED, Run.RECALLED}),
    # Back to `sending` for a resend.
    Run.SETTLED: frozenset({Run.SENDING, Run.RECALLED}),
    Run.CANCELED: frozenset({Run.RECALLED}),
    Run.SKIPPED: frozenset(),
    Run.REFUSED: frozenset(),
    Run.FAILED: frozenset(),
    Run.RECALLED: frozenset(),
}

BATCH_MOVES: dict[Batch, frozenset[Batch]] = {
    Batch.QUEUED: frozenset(
        {Batch.SENDING, Batch.ACCEPTED, Batch.CANCELED, Batch.FAILED, Batch.UNKNOWN}
    ),
    Batch.SENDING: frozenset(
        {Batch.QUEUED, Batch.ACCEPTED, Batch.FAILED, Batch.UNKNOWN, Batch.CANCELED}
    ),
    Batch.ACCEPTED: frozenset({Batch.SETTLED, Batch.UNKNOWN, Batch.RECALLED}),
    Batch.SETTLED: frozenset({Batch.RECALLED}),
    Batch.UNKNOWN: frozenset({Batch.ACCEPTED}),
    Batch.CANCELED: frozenset({Batch.ACCEPTED}),
    Batch.FAILED: frozenset(),
    Batch.RECALLED: frozenset(),
}

_RECEIPTS = frozenset(
    {
        Delivery.UNREAD,
        Delivery.READ,
        Delivery.DROPPED,
        Delivery.INVALID,
        Delivery.FAILED,
        Delivery.UNKNOWN,
    }
)

DELIVERY_MOVES: dict[Delivery, frozenset[Delivery]] = {
    Delivery.PLANNED: frozenset(
        {
            Delivery.SENT,
            Delivery.FAILED,
            Delivery.UNKNOWN,
            Delivery.CANCELED,
            Delivery.UNTRACKED,
        }
    ),
    Delivery.SENT: _RECEIPTS | {Delivery.RECALLED},
    Delivery.UNREAD: frozenset({Delivery.READ, Delivery.RECALLED}),
    Delivery.READ: frozenset({Delivery.RECALLED}),
    Delivery.UNKNOWN: (_RECEIPTS - {Delivery.UNKNOWN})
    | {Delivery.SENT, Delivery.RECALLED, Delivery.UNTRACKED, Delivery.PLANNED},
    Delivery.CANCELED: frozenset({Delivery.SENT, Delivery.UNTRACKED}),
    Delivery.DROPPED: frozenset({Delivery.PLANNED}),
    Delivery.FAILED: frozenset({Delivery.PLANNED}),
    Delivery.INVALID: frozenset(),
    Delivery.RECALLED: frozenset(),
    Delivery.UNTRACKED: frozenset({Delivery.RECALLED}),
}


def origins(moves: Mapping[_S, frozenset[_S]], target: _S) -> list[_S]:
    """The states from which a row may move to `target`."""
    return [origin for origin, targets in moves.items() if target in targets]


def mermaid(moves: Mapping[_S, frozenset[_S]]) -> str:
    """Draw a table of moves as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(moves))}"]
    for origin, targets in moves.items():
        lines += [f"    {origin} --> {target}" for target in sorted(targets)]
        if not targets:
            lines.append(f"    {origin} --> [*]")
    return "\n".join(lines)
