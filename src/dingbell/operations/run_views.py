"""Views of runs: a run, its batches, its people, and what was expected otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import computed_field

from dingbell.domain.forecast import prediction
from dingbell.domain.lifecycle import Run
from dingbell.errors import Text
from dingbell.operations import paging
from dingbell.operations.views import Instant, View, Why, Words
from dingbell.store.ledger.summaries import Summary

__all__ = [
    "BatchView",
    "DeliveryView",
    "MispredictionView",
    "RunPage",
    "RunReport",
    "RunView",
]


class RunView(View):
    """A run.

    Attributes:
        parent: the run that it follows up on, or whose people it holds for the next day.
        totals: how many people are in which state.
        forecast: what was expected when it was planned.
        template: the saved template whose words it used, and in which version.
        rows: the dataset in which each person has a row.
        rows_version: the version of it that was read when the run was planned.
    """

    id: int
    schedule: str | None
    kind: str
    app: str | None
    due_at: Instant
    state: str
    cause: Why | None
    occurrences: int
    parent: int | None
    held_until: Instant | None
    requested_by: str | None
    totals: dict[str, int]
    forecast: dict[str, Any] | None
    template: str | None
    template_version: int | None
    created_at: Instant
    planned_at: Instant | None
    started_at: Instant | None
    settled_at: Instant | None
    rows: str | None = None
    rows_version: int | None = None

    @computed_field  # type: ignore[prop-decorator]  # as pydantic wants it
    @property
    def reason(self) -> str | None:
        """The cause as an English sentence."""
        return str(self.cause.text()) if self.cause else None

    @property
    def why(self) -> Text | None:
        """The cause as a sentence in both languages."""
        return self.cause.text() if self.cause else None

    @property
    def label(self) -> str:
        """What people know it by."""
        return self.schedule or self.kind

    @property
    def final(self) -> bool:
        """Whether it has come to its end."""
        return Run(self.state).final

    @property
    def waits_for_a_person(self) -> bool:
        """Whether nothing but a person lets it go on."""
        return self.state == Run.HELD and self.held_until is None

    @property
    def was_recalled(self) -> bool:
        """Whether something of it was taken off the phones."""
        return self.state == Run.RECALLED


class RunPage(View):
    """A page of runs; `next` is the cursor of the page after it."""

    items: tuple[RunView, ...]
    next: str | None


class BatchView(View):
    """A batch: people who share one call."""

    ordinal: int
    state: str
    task_id: int | None
    slot_at: Instant
    sent_at: Instant | None
    size: int
    attempts: int
    code: str | None
    recall_code: str | None
    words: Words | None


class DeliveryView(View):
    """A person of a run."""

    userid: str
    name: str | None
    state: str
    code: str | None
    task_id: int | None
    sent_at: Instant | None
    read_at: Instant | None
    attempt: int
    expected: str
    words: Words | None


class MispredictionView(View):
    """A person who ended otherwise than was expected."""

    userid: str
    expected: str
    state: str
    code: str | None


class RunReport(RunView):
    """A run with a page of its batches and a page of its people.

    Attributes:
        next: the cursor of the next page of people.
        next_batch: that of the next page of batches.
        mispredictions: the first of those who ended otherwise than expected.
        surprised: how many there are.
    """

    batches: tuple[BatchView, ...]
    next_batch: int | None
    deliveries: tuple[DeliveryView, ...]
    next: str | None
    mispredictions: tuple[MispredictionView, ...]
    surprised: int


def run_fields(summary: Summary, totals: dict[str, int]) -> dict[str, Any]:
    """The fields of a run."""
    names = (
        "id schedule kind app due_at state cause occurrences held_until requested_by forecast "
        "template template_version rows rows_version created_at planned_at started_at settled_at"
    )
    return {
        **{name: getattr(summary, name) for name in names.split()},
        "parent": summary.parent_id,
        # People are forgotten one day, totals are not.
        "totals": totals if summary.totals is None else summary.totals,
    }


def run_view(summary: Summary, totals: dict[str, int]) -> RunView:
    """The view of a run."""
    return RunView(**run_fields(summary, totals))


def batch_view(row: Mapping[str, Any]) -> BatchView:
    """The view of a batch."""
    names = ["ordinal", "state", "task_id", "slot_at", "sent_at", "size", "code", "recall_code"]
    return BatchView(
        **{name: row[name] for name in names},
        attempts=row["attempt"],
        words=_words(row["words"]),
    )


def delivery_view(row: Mapping[str, Any]) -> DeliveryView:
    """The view of a person of a run."""
    names = ["userid", "name", "state", "code", "task_id", "sent_at", "read_at", "attempt"]
    return DeliveryView(
        **{name: row[name] for name in names},
        expected=prediction(row["predicted"]).expected,
        words=_words(row["words"]),
    )


def misprediction_view(row: Mapping[str, Any]) -> MispredictionView:
    """The view of a person of whom the forecast was wrong."""
    return MispredictionView(
        userid=row["userid"],
        expected=prediction(row["predicted"]).expected,
        state=row["state"],
        code=row["code"],
    )


def cursor_behind(row: Mapping[str, Any]) -> str:
    """The cursor behind a person of a run."""
    return paging.cursor(row["ordinal"], row["userid"])


def _words(kept: Mapping[str, str] | None) -> Text | None:
    """What exactly was wrong, in both languages."""
    return Text(kept["en"], kept["zh"]) if kept else None
