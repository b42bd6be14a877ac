"""The process that opens a workbook: it may die of one, nothing else does.

Run as a file, in an interpreter of its own: the workbook on standard input, on standard output a
line of JSON for each row. A cell that lies far outside makes the library ask for hundreds of
gigabytes and end the process; its memory and its time are limited before it reads anything.
"""

import io
import json
import sys
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any

# What Excel keeps of a number.
_DIGITS = 15


def limit(memory: int, seconds: int) -> None:
    """Take no more than so many bytes and seconds of CPU."""
    try:
        import resource
    except ImportError:  # on Windows only the time is limited, from outside
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def told(value: Any) -> "str | list[str]":
    """A cell as exact text; in a list what is no cell of ours, and why."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else ["kind", type(value).__name__]


def _number(value: "int | float") -> "str | list[str]":
    """The digits that Excel shows; one that is longer than Excel keeps has lost some."""
    found = f"{value:.{_DIGITS}g}"
    if "e" not in found and "n" not in found:
        return found
    if not isfinite(value) or abs(value) >= 10**_DIGITS:
        return ["digits", found]
    return f"{Decimal(found):f}"


def rows(content: bytes) -> "tuple[int, int, Iterable[list[Any]]]":
    """The first sheet: the first row and column that hold something, and what they hold."""
    from python_calamine import CalamineWorkbook

    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    row, column = sheet.start or (0, 0)
    return row, column, islice(sheet.iter_rows(), row, None)


def main() -> None:
    """Read the workbook, write the rows."""
    limit(int(sys.argv[1]), int(sys.argv[2]))
    try:
        first, column, found = rows(sys.stdin.buffer.read())
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, the workbook cannot be read
        sys.stdout.write(json.dumps({"broken": str(error)[:200]}) + "\n")
        return
    sys.stdout.write(json.dumps({"line": first + 1, "column": column}) + "\n")
    for cells in found:
        written = [cell if type(cell) is str else told(cell) for cell in cells]
        sys.stdout.write(json.dumps(written) + "\n")
    sys.stdout.write("true\n")  # what is cut off ends otherwise


if __name__ == "__main__":
    main()
