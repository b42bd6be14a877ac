"""Every filter there is: those of Jinja's that are kept, and those for notices in China."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dingbell.domain.templates import addresses, dates, filters, masks, money

__all__ = ["FILTERS"]

FILTERS: Mapping[str, Callable[..., Any]] = {
    **filters.FILTERS,
    **addresses.FILTERS,
    **dates.FILTERS,
    **masks.FILTERS,
    **money.FILTERS,
}
