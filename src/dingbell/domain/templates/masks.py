"""Masks in templates: what everybody may read of a name, an id, a mobile number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from dingbell.domain.templates.filters import worded

__all__ = ["FILTERS"]

_NOT_DIGITS = re.compile(r"[^0-9]")
# A mobile number of China's with its country.
_ABROAD = re.compile(r"(?:\+|00)?86(1[0-9]{10})")
# From this length on: how much of both ends is shown.
_SHOWN = ((11, (3, 4)), (6, (1, 2)), (3, (0, 1)), (0, (0, 0)))


def _masked(text: str) -> str:
    """Stars but for the ends; what is too short to hide behind its ends shows less of them."""
    first, last = next(ends for least, ends in _SHOWN if len(text) >= least)
    return text[:first] + "*" * (len(text) - first - last) + text[len(text) - last :]


def _mask_name(value: object) -> str:
    """王*, 张*丰."""
    name = worded("mask_name", value).strip()
    if len(name) < 2:
        return "*" * len(name)
    shown = name[-1] if len(name) > 2 else ""
    return name[0] + "*" * (len(name) - 1 - len(shown)) + shown


def _mask_id(value: object) -> str:
    """330***********1234."""
    return _masked(worded("mask_id", value).strip())


def _mask_mobile(value: object) -> str:
    """138****8000; country, blanks and dashes are left out."""
    digits = re.sub(r"[\s\-()]", "", worded("mask_mobile", value))
    if found := _ABROAD.fullmatch(digits):
        digits = found[1]
    return _masked(_NOT_DIGITS.sub("", digits))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "mask_id": _mask_id,
    "mask_mobile": _mask_mobile,
    "mask_name": _mask_name,
}
