"""Operations on the ledger: export a firing's people, and all that one person was sent."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator
from typing import IO, Any, TextIO

from dingbell.domain.preflight import expectation
from dingbell.operations import reports
from dingbell.operations.desk import Desk
from dingbell.operations.reports import delivery, instant
from dingbell.store import deliveries
from dingbell.store.connection import acquire, transaction

__all__ = ["FORMS", "export", "export_workbook", "of_person"]

FORMS = ("csv", "jsonl", "xlsx")
_FIELDS = (
    "userid",
    "name",
    "state",
    "code",
    "expected",
    "task_id",
    "attempt",
    "sent_at",
    "read_at",
    "words",
)


async def export(desk: Desk, firing_id: int, form: str, out: TextIO) -> int:
    """Write the ledger of a firing as `csv` or `jsonl`, row by row; return how many rows.

    Raises:
        NotFoundError: there is no such firing.
    """
    await _find(desk, firing_id)
    count = 0
    writer = csv.DictWriter(out, _FIELDS)
    if form == "csv":
        writer.writeheader()
    async for row in _rows(desk, firing_id):
        if form == "csv":
            writer.writerow(row)
        else:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count


async def export_workbook(desk: Desk, firing_id: int, out: IO[bytes]) -> int:
    """Write the ledger of a firing as a workbook for Excel; return how many rows.

    Raises:
        NotFoundError: there is no such firing.
    """
    # Loaded here: nothing else needs it.
    from xlsxwriter import Workbook

    await _find(desk, firing_id)

    book = Workbook(out, {"constant_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet(f"firing {firing_id}")
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, _FIELDS, book.add_format({"bold": True}))
    count = 0
    async for row in _rows(desk, firing_id):
        count += 1
        # Ids are text: Excel would round them.
        sheet.write_row(count, 0, ["" if row[f] is None else str(row[f]) for f in _FIELDS])
    sheet.autofilter(0, 0, count, len(_FIELDS) - 1)
    book.close()
    return count


async def _find(desk: Desk, firing_id: int) -> None:
    async with acquire(desk.pool) as connection:
        await reports.find(connection, firing_id)


async def _rows(desk: Desk, firing_id: int) -> AsyncIterator[dict[str, Any]]:
    async with transaction(desk.pool) as connection:
        async for row in deliveries.stream(connection, firing_id):
            yield delivery(row)


async def of_person(desk: Desk, userid: str, *, limit: int = 50) -> list[dict[str, Any]]:
    """All that one person was sent, and what became of it; the newest first."""
    async with acquire(desk.pool) as connection:
        rows = await deliveries.of_person(connection, userid, limit=limit)
    return [
        {
            "firing": row["firing"],
            "schedule": row["schedule"],
            "kind": row["kind"],
            "due_at": instant(row["due_at"]),
            "state": row["state"],
            "code": row["code"],
            "expected": expectation(row["foreseen"]).expected,
            "task_id": row["task_id"],
            "attempt": row["attempt"],
            "sent_at": instant(row["sent_at"]),
            "read_at": instant(row["read_at"]),
            "message": json.loads(row["body"]) if row["body"] else None,
        }
        for row in rows
    ]
