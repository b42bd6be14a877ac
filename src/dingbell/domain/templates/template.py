"""A template that has been read, and can be rendered as often as one likes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from dingbell.domain.templates.compiler import Step, compiled
from dingbell.domain.templates.grammar import fields_of, parsed
from dingbell.domain.templates.scope import Scope

__all__ = ["Template", "fields", "read"]


@dataclass(frozen=True, slots=True)
class Template:
    """What writes a text.

    Attributes:
        lines: the variables it uses, each with the line on which it is first used.
    """

    lines: Mapping[str, int]
    _write: Step

    @property
    def names(self) -> frozenset[str]:
        """The variables it uses."""
        return frozenset(self.lines)

    def render(self, scope: Scope) -> str:
        """Write the text.

        Raises:
            TemplateError: something is missing, cannot be worked out, or is too much.
        """
        self._write(scope)
        return scope.taken()


@lru_cache(maxsize=512)
def fields(source: str, name: str) -> frozenset[str]:
    """The fields of a variable that a template names, whether or not a rendering comes to them.

    Raises:
        TemplateError: it cannot be read.
    """
    return frozenset(fields_of(parsed(source), name))


@lru_cache(maxsize=512)
def read(source: str) -> Template:
    """Read and check a template; nothing in it is run, and each text is read once.

    Raises:
        TemplateError: it cannot be read, or uses what is not available.
    """
    step, lines = compiled(parsed(source))
    return Template(lines, step)
