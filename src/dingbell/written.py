"""Numbers that remember how they were written, for where a text is meant after all.

A mobile number, a userid or the amount in a message may look like a number to YAML or JSON. As a
number it is one; as text (`str`) it is what its author wrote: `15.60`, `+8613800138000`, `007`.
"""

from __future__ import annotations

import re
from typing import Self

__all__ = ["Decimal", "Whole", "as_number", "as_text", "number"]

_WHOLE = re.compile(
    r"[-+]?(?:0b[01][01_]*|0o[0-7][0-7_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*)", re.ASCII
)
_DECIMAL = re.compile(
    r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII
)
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES = {"0b": 2, "0o": 8, "0x": 16}
# What is longer is text: no setting is so large, and reading it takes ever longer.
_LONGEST = 40


class Whole(int):
    """A whole number, and how it was written."""

    _source: str

    def __new__(cls, source: str) -> Self:
        """Read a whole number; `0b`, `0o`, `0x` and `_` between digits are understood."""
        sign, digits = (source[0], source[1:]) if source[0] in "+-" else ("", source)
        digits = digits.replace("_", "")
        found = super().__new__(cls, sign + digits, _BASES.get(digits[:2], 10))
        found._source = source
        return found

    def __str__(self) -> str:
        return self._source


class Decimal(float):
    """A number with a point or an exponent, and how it was written."""

    _source: str

    def __new__(cls, source: str) -> Self:
        """Read a number; `.inf` and `.nan` are understood."""
        plain = source.replace("_", "")
        found = super().__new__(cls, plain.replace(".", "") if _SPECIAL.fullmatch(plain) else plain)
        found._source = source
        return found

    def __str__(self) -> str:
        return self._source


def number(source: str) -> Whole | Decimal | None:
    """Read a number as YAML writes it; None for what is none, or is too long to be one."""
    if len(source) > _LONGEST:
        return None
    if _WHOLE.fullmatch(source):
        return Whole(source)
    if _DECIMAL.fullmatch(source) or _SPECIAL.fullmatch(source):
        return Decimal(source)
    return None


def as_text(value: object) -> object:
    """What was written, for a number that remembers it; anything else unchanged."""
    return str(value) if isinstance(value, Whole | Decimal) else value


def as_number(value: object) -> object:
    """The bare number, for one that remembers how it was written; anything else unchanged."""
    if isinstance(value, Whole):
        return int(value)
    return float(value) if isinstance(value, Decimal) else value
