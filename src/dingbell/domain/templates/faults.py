"""What is wrong with a template, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from dingbell.errors import InputError, Text

__all__ = ["MissingError", "TemplateError"]

_PLACED = Text(
    "the template does not work: {field} line {line}: {what}",
    "模板有误: {field} 第 {line} 行: {what}",
)


class TemplateError(InputError):
    """The template does not work.

    Attributes:
        what: what is wrong, without the place.
        line: the line of the template, from 1; None while it is not known.
        field: the way to it inside the message, such as `("markdown", "text")`.
    """

    def __init__(self, what: Text, *, line: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.field: tuple[str, ...] = ()

    def at(self, line: int) -> Self:
        """The same, at a line; the innermost that is told stays."""
        self.line = self.line or line
        return self

    def within(self, field: Sequence[str]) -> Self:
        """The same, in a field of a message; only now the text is whole."""
        self.field = tuple(field)
        self.message = _PLACED.format(
            field=".".join(self.field), line=self.line or 1, what=self.what
        )
        self.args = (str(self),)
        return self


class MissingError(TemplateError):
    """Something that a template names is not there."""
