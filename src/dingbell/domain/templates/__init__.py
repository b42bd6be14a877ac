"""Templates: Jinja's notation, a small part of it, that can neither escape nor run for long."""

from dingbell.domain.templates.cells import Cell, cells_of
from dingbell.domain.templates.faults import MissingError, TemplateError
from dingbell.domain.templates.grammar import MOST_CHARACTERS, is_template
from dingbell.domain.templates.scope import Scope
from dingbell.domain.templates.template import Template, fields, read

__all__ = [
    "MOST_CHARACTERS",
    "Cell",
    "MissingError",
    "Scope",
    "Template",
    "TemplateError",
    "cells_of",
    "fields",
    "is_template",
    "read",
]
