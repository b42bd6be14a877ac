"""Cells: values from a table, exact as they were written, and numbers wherever one is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

__all__ = ["Cell", "cells_of", "counted"]

# 8000.10, -3, +.5, 1,234.50; an id with a letter, a date or 1e5 is text.
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]*)?|\.[0-9]+)", re.ASCII
)
_LONGEST_NUMBER = 40


class Cell(str):
    """The text of a cell.

    It is written as it stands. Sums, comparisons with numbers and filters that take numbers read it
    as the exact number it is, if it is one.
    """

    __slots__ = ()

    def number(self) -> Decimal | None:
        """The number that is written here; None where it is none."""
        if len(self) > _LONGEST_NUMBER or not _NUMBER.fullmatch(self):
            return None
        return Decimal(self.replace(",", ""))


def cells_of(columns: Iterable[str], texts: Iterable[str]) -> dict[str, Cell | None]:
    """A row as templates see it; an empty cell is nothing."""
    return {name: Cell(text) if text else None for name, text in zip(columns, texts, strict=True)}


def counted(value: object) -> object:
    """The number of a cell that is one; anything else unchanged."""
    if type(value) is Cell:
        found = value.number()
        return value if found is None else found
    return value
