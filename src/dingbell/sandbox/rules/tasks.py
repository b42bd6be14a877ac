"""Tasks, the calls that asked for them, and the phones they arrived on."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from dingbell.sandbox.company.world import Person
from dingbell.sandbox.rules.limits import Limits


@dataclass(slots=True)
class Outcome:
    """What became of the people a call was for; each is in exactly one place."""

    delivered: list[Person] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    invalid_depts: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many people the call was for."""
        return len(self.delivered) + len(self.dropped) + len(self.invalid) + len(self.failed)


@dataclass(slots=True, eq=False)
class Task:
    """One accepted send. Its life is computed from instants; nothing ticks."""

    task_id: int
    agent_id: int
    accepted_at: float
    completion_seconds: float
    reading_seconds: float
    msg: dict[str, Any]
    outcome: Outcome
    recalled_at: float | None = None
    status_bar: dict[str, str] | None = None

    def percent(self, now: float) -> int:
        """How far the task has come, 0 to 100."""
        if self.completion_seconds <= 0:
            return 100
        elapsed = max(0.0, now - self.accepted_at)
        return min(100, int(100 * elapsed / self.completion_seconds))

    def read_at(self, person: Person, now: float) -> float | None:
        """When this person opened the notice, if that has happened by `now`."""
        if person.reading_share is None:
            return None
        opened = self.accepted_at + person.reading_share * self.reading_seconds
        last = now if self.recalled_at is None else min(now, self.recalled_at)
        return opened if opened <= last else None


@dataclass(slots=True, eq=False)
class SendCall:
    """One send call that reached processing, accepted or not."""

    received_at: float
    msg: Any
    agent_id: int | None = None
    userids: list[str] = field(default_factory=list)
    dept_ids: list[int] = field(default_factory=list)
    to_all: bool = False
    errcode: int = 0
    task: Task | None = None

    def as_json(self) -> dict[str, Any]:
        """The call as the control API tells it."""
        outcome = self.task.outcome if self.task else Outcome()
        return {
            "task_id": self.task.task_id if self.task else None,
            "agent_id": self.agent_id,
            "received_at": self.received_at,
            "userids": self.userids,
            "dept_ids": self.dept_ids,
            "to_all": self.to_all,
            "msg": self.msg,
            "accepted": self.task is not None,
            "errcode": self.errcode,
            "delivered": [person.userid for person in outcome.delivered],
            "dropped": outcome.dropped,
            "invalid": outcome.invalid,
            "failed": outcome.failed,
            "recalled": self.task is not None and self.task.recalled_at is not None,
        }


class Post:
    """The post room: every call, every task, every phone."""

    def __init__(self, first_task_id: int) -> None:
        self._next_id = first_task_id
        self.clear()

    def clear(self) -> None:
        """Forget calls, tasks and phones; task ids go on growing."""
        self.calls: list[SendCall] = []
        self.tasks: dict[int, Task] = {}
        self.phones: dict[str, list[Task]] = defaultdict(list)
        self.delivered = 0
        self.dropped: Counter[int] = Counter()

    def accept(self, call: SendCall, agent_id: int, outcome: Outcome, limits: Limits) -> Task:
        """Make the task and put the notice on the phones."""
        task = Task(
            self._next_id,
            agent_id,
            call.received_at,
            limits.completion_seconds,
            limits.reading_seconds,
            call.msg,
            outcome,
        )
        self._next_id += 1
        call.task = self.tasks[task.task_id] = task
        for person in outcome.delivered:
            self.phones[person.userid].append(task)
        self.delivered += len(outcome.delivered)
        if outcome.dropped:
            self.dropped.update(outcome.dropped.values())
        return task

    def inbox(self, person: Person, now: float, *, recalled: bool = False) -> list[dict[str, Any]]:
        """What the person's phone shows, oldest first; recalled notices only when asked for."""
        return [
            {
                "task_id": task.task_id,
                "agent_id": task.agent_id,
                "msg": _shown(task),
                "delivered_at": task.accepted_at,
                "read_at": task.read_at(person, now),
                "recalled": task.recalled_at is not None,
            }
            for task in self.phones.get(person.userid, ())
            if recalled or task.recalled_at is None
        ]


def _shown(task: Task) -> dict[str, Any]:
    """The message with its status bar as last updated."""
    if task.status_bar is None:
        return task.msg
    body = {**task.msg["oa"], "status_bar": {**task.msg["oa"]["status_bar"], **task.status_bar}}
    return {**task.msg, "oa": body}
