"""Operations on people: the people of a run written to a file, and all that one person was sent."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import IO, Any, TextIO

from dingbell.display import visible
from dingbell.domain.forecast import prediction
from dingbell.errors import Text
from dingbell.operations import paging, runs
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.operations.run_views import DeliveryView, delivery_view
from dingbell.operations.runs import EVERYBODY, People
from dingbell.operations.views import Instant, View
from dingbell.store.connection import acquire, transaction
from dingbell.store.ledger import deliveries

__all__ = [
    "COLUMNS",
    "FORMS",
    "PersonHistoryPage",
    "PersonHistoryView",
    "export",
    "export_workbook",
    "of_person",
]

FORMS = ("csv", "jsonl", "xlsx")
# The columns of a file, and what stands above them.
COLUMNS: Mapping[str, Text] = {
    "userid": Text("userid", "userid"),
    "name": Text("name", "姓名"),
    "state": Text("state", "状态"),
    "code": Text("code", "代码"),
    "expected": Text("expected", "预计"),
    "task_id": Text("task_id", "任务号"),
    "attempt": Text("attempt", "第几次"),
    "sent_at": Text("sent_at", "发出时间"),
    "read_at": Text("read_at", "已读时间"),
    "words": Text("words", "说明"),
}


# What a spreadsheet program takes for a formula, unless it is a number; see OWASP, CSV injection.
_FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
# What the writer of workbooks would make of a text.
_GUESSES = ("strings_to_formulas", "strings_to_urls", "strings_to_numbers")


def _shown(value: object) -> str:
    return "" if value is None else visible(str(value), one_line=True)


def _cell(value: object) -> str:
    """A text that is one in every spreadsheet program, too."""
    shown = _shown(value)
    is_formula = _FORMULA.match(shown) and not _NUMBER.fullmatch(shown)
    return f"'{shown}" if is_formula else shown


class PersonHistoryView(View):
    """One notice that a person was sent, or was to be sent.

    Attributes:
        run: the run.
    """

    run: int
    schedule: str | None
    kind: str
    due_at: Instant
    state: str
    code: str | None
    expected: str
    task_id: int | None
    attempt: int
    sent_at: Instant | None
    read_at: Instant | None
    message: Any


class PersonHistoryPage(View):
    """A page of what a person was sent; `next` is the cursor of the page after it."""

    items: tuple[PersonHistoryView, ...]
    next: str | None


async def export(
    ops: Operations,
    run_id: int,
    form: str,
    out: TextIO,
    people: People = EVERYBODY,
    *,
    headers: Sequence[str] = tuple(COLUMNS),
) -> int:
    """Write the people of a run as `csv` or `jsonl`, row by row; return how many rows.

    Args:
        ops: where, and who asks.
        run_id: the run.
        form: the form.
        out: where to.
        people: whom.
        headers: what stands above the columns of a CSV file, in the order of `COLUMNS`.

    Raises:
        NotFoundError: there is no such run.
        InputError: there is no such state.
    """
    ops.may(Operation.RUNS_SEE)
    wanted = people.filter()
    await _find(ops, run_id)
    count = 0
    writer = csv.writer(out)
    if form == "csv":
        writer.writerow(headers)
    async with aclosing(_rows(ops, run_id, wanted)) as rows:
        async for row in rows:
            told = row.to_json()
            if form == "csv":
                writer.writerow([_cell(told[name]) for name in COLUMNS])
            else:
                out.write(visible(json.dumps(told, ensure_ascii=False)) + "\n")
            count += 1
    return count


async def export_workbook(
    ops: Operations,
    run_id: int,
    out: IO[bytes],
    people: People = EVERYBODY,
    *,
    headers: Sequence[str] = tuple(COLUMNS),
) -> int:
    """Write the people of a run as a workbook for Excel; return how many rows. See `export`.

    Raises:
        NotFoundError: there is no such run.
        InputError: there is no such state.
    """
    ops.may(Operation.RUNS_SEE)
    # Loaded here: nothing else needs it.
    from xlsxwriter import Workbook

    wanted = people.filter()
    await _find(ops, run_id)

    book = Workbook(out, {"constant_memory": True} | dict.fromkeys(_GUESSES, False))
    sheet = book.add_worksheet(f"run {run_id}")
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, headers, book.add_format({"bold": True}))
    count = 0
    async with aclosing(_rows(ops, run_id, wanted)) as rows:
        async for row in rows:
            count += 1
            told = row.to_json()
            # Ids are text: Excel would round them.
            sheet.write_row(count, 0, [_shown(told[name]) for name in COLUMNS])
    sheet.autofilter(0, 0, count, len(COLUMNS) - 1)
    book.close()
    return count


async def _find(ops: Operations, run_id: int) -> None:
    async with acquire(ops.pool) as connection:
        await runs.find(connection, run_id)


async def _rows(
    ops: Operations, run_id: int, wanted: deliveries.Filter
) -> AsyncGenerator[DeliveryView]:
    async with transaction(ops.pool) as connection:
        async for row in deliveries.stream(connection, run_id, wanted):
            yield delivery_view(row)


async def of_person(
    ops: Operations, userid: str, *, limit: int = 50, after: str | None = None
) -> PersonHistoryPage:
    """What one person was sent, and what became of it; the newest first.

    Raises:
        InputError: the cursor is none.
    """
    ops.may(Operation.PEOPLE_SEE)
    before = paging.after_id(after)
    async with acquire(ops.pool) as connection:
        rows = await deliveries.of_person(connection, userid, limit=limit + 1, before=before)
    more, rows = len(rows) > limit, rows[:limit]
    return PersonHistoryPage(
        items=tuple(_history(dict(row)) for row in rows),
        next=str(rows[-1]["run"]) if more else None,
    )


def _history(row: Mapping[str, Any]) -> PersonHistoryView:
    names = [
        "run",
        "schedule",
        "kind",
        "due_at",
        "state",
        "code",
        "task_id",
        "attempt",
        "sent_at",
        "read_at",
    ]
    return PersonHistoryView(
        **{name: row[name] for name in names},
        expected=prediction(row["predicted"]).expected,
        message=json.loads(row["body"]) if row["body"] else None,
    )
