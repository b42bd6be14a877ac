"""Wake-ups: the jobs that tell a stage of the engine that rows wait for it, and their names.

A wake-up may come twice or never: the rows are the truth, and the sweeper finds what was not woken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dingbell.domain.priority import Rank
from dingbell.store.jobs import Job

__all__ = [
    "JOIN",
    "JOIN_LEAD",
    "PLAN",
    "POLL",
    "RECALL",
    "RELEASE",
    "SEND",
    "SETTLE",
    "join",
    "plan",
    "plan_of",
    "poll",
    "recall",
    "release",
    "send",
    "settle",
]

PLAN = "plan"
SEND = "send"
POLL = "poll"
SETTLE = "settle"
RELEASE = "release"
RECALL = "recall"
JOIN = "join"

# A send job runs this long before its slot; the handler then waits on its own timer.
_SEND_LEAD = timedelta(seconds=1)
# The directory is looked at once more so long before the first slot.
JOIN_LEAD = timedelta(seconds=1)
# What a person asked for goes before what comes by itself.
_ASKED_FOR = 1


def plan_of(function: str | None) -> str:
    """The name under which runs wait for the planner; those of a function, where it is known."""
    return f"{PLAN}:{function}" if function else PLAN


def plan(
    run_ids: Sequence[int],
    function: str | None,
    *,
    alone: bool = False,
    asked_for: bool = False,
    again: bool = False,
) -> Job:
    """Wake the planner for some runs of one function, or of none.

    Args:
        run_ids: which.
        function: the author's function that makes their messages.
        alone: a run that is planned by itself, because its planning has ended badly before.
        asked_for: a person waits for it.
        again: they have been planned before; the job that did it may not have ended yet.
    """
    key = f"{PLAN}:{run_ids[0]}:{'alone' if alone else len(run_ids)}"
    return Job(
        plan_of(function),
        list(run_ids),
        dedupe=None if again else key,
        priority=_ASKED_FOR if asked_for else 0,
    )


def send(wave: int, slot_at: datetime | None = None, rank: Rank = Rank.NORMAL) -> Job:
    """Wake the sender for a wave, a little before its first slot, or at once.

    What has a lower rank goes first.
    """
    return Job(
        SEND,
        wave,
        at=slot_at - _SEND_LEAD if slot_at else None,
        dedupe=f"{SEND}:{wave}",
        priority=Rank.BULK - rank,
    )


def join(run_ids: Sequence[int], slot_at: datetime) -> Job:
    """Look once more, a second before the first slot, who has joined runs or left them."""
    return Job(JOIN, list(run_ids), at=slot_at - JOIN_LEAD, priority=Rank.BULK)


def release(run_ids: Sequence[int], at: datetime) -> Job:
    """Let held runs go at an instant."""
    return Job(RELEASE, list(run_ids), at=at)


def poll(batch_ids: Sequence[int], at: datetime) -> Job:
    """Wake the tracker for batches that are to be polled at an instant."""
    return Job(POLL, list(batch_ids), at=at)


def settle(run_ids: Sequence[int]) -> Job:
    """Wake the settler for runs of which a batch has become final."""
    return Job(SETTLE, list(run_ids))


def recall(run_id: int) -> Job:
    """Have a run recalled: a person waits for it."""
    return Job(RECALL, run_id, dedupe=f"{RECALL}:{run_id}", priority=_ASKED_FOR)
