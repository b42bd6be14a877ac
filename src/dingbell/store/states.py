"""Sets of states as SQL, for the questions that several modules ask."""

from __future__ import annotations

from collections.abc import Iterable

from dingbell.domain.lifecycle import Batch, Delivery, Run, State

__all__ = [
    "BATCH_OPEN",
    "BATCH_POLLED",
    "BATCH_UNSENT",
    "DELIVERY_ARRIVED",
    "DELIVERY_HAD",
    "DELIVERY_REACHED",
    "RUN_OPEN",
    "RUN_SENT",
    "RUN_UNDER_WAY",
    "any_of",
]


def any_of(states: Iterable[State]) -> str:
    """Some states as a list for `in`: `('queued', 'sending')`."""
    return f"({', '.join(f'{state:sql}' for state in states)})"


RUN_OPEN = any_of(state for state in Run if not state.final)
RUN_UNDER_WAY = any_of((Run.PLANNED, Run.SENDING))
# What has been sent, at least in part, and may be sent to again.
RUN_SENT = any_of((Run.SENDING, Run.SETTLED))
BATCH_OPEN = any_of(state for state in Batch if not state.final)
BATCH_UNSENT = any_of((Batch.QUEUED, Batch.SENDING))
BATCH_POLLED = any_of((Batch.ACCEPTED, Batch.SETTLED))
# Who has a notice, or has had it on the phone.
DELIVERY_HAD = any_of((Delivery.SENT, Delivery.UNREAD, Delivery.READ, Delivery.RECALLED))
# Who is known to have it, or was sent to and has not been told of yet.
DELIVERY_REACHED = any_of((Delivery.SENT, Delivery.UNREAD, Delivery.READ))
DELIVERY_ARRIVED = any_of(state for state in Delivery if state.arrived)
