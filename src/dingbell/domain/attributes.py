"""Attributes of people: what a template sees beside userid and name, each of its own type.

JSON knows neither dates nor exact decimals. They are kept under a mark of their own, so that what
is read is what was written; everything that keeps or reads attributes does it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

__all__ = ["stored", "typed"]

_DATE, _INSTANT, _DECIMAL = "$date", "$instant", "$decimal"


def stored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in the form they are kept in, which is JSON."""
    return {name: _marked(value) for name, value in attributes.items()}


def typed(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as they were before they were kept."""
    return {
        name: _unmarked(value) if isinstance(value, dict | list | float) else value
        for name, value in kept.items()
    }


def _marked(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_INSTANT: value.isoformat()}
    if isinstance(value, date):
        return {_DATE: value.isoformat()}
    if isinstance(value, Decimal | float):
        return {_DECIMAL: str(value)}
    if isinstance(value, Mapping):
        return {str(name): _marked(one) for name, one in value.items()}
    return [_marked(one) for one in value] if isinstance(value, list | tuple) else value


_READERS: Mapping[str, Callable[[str], date | Decimal]] = {
    _DATE: date.fromisoformat,
    _INSTANT: datetime.fromisoformat,
    _DECIMAL: Decimal,
}


def _read(mark: str, text: str) -> date | Decimal | str:
    try:
        return _READERS[mark](text)
    except (ValueError, InvalidOperation):
        return text  # nothing of ours wrote it; one odd row stops nobody


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            ((mark, text),) = value.items()
            if mark in _READERS and isinstance(text, str):
                return _read(mark, text)
        return {name: _unmarked(one) for name, one in value.items()}
    if isinstance(value, float):
        return Decimal(repr(value))
    return [_unmarked(one) for one in value] if isinstance(value, list) else value
