"""Sums of money in templates: ¥1,234.50, and 壹仟贰佰叁拾肆元伍角整."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from dingbell.domain.templates.faults import TemplateError
from dingbell.domain.templates.filters import as_number, whole, worded
from dingbell.errors import Text

__all__ = ["FILTERS"]

_FEN = Decimal("0.01")
_MOST_PLACES = 8
# The last unit people read at a glance is 亿; four more digits stand before it.
_LARGEST = 10**16
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_UNITS = ("", "拾", "佰", "仟")
_WAN, _YI = 10**4, 10**8

_TOO_LARGE = Text("rmb takes sums below 10^16", "rmb 只支持 10^16 以内的金额")


def _money(value: object, symbol: object = "¥", places: object = 2) -> str:
    """With thousands apart: ¥1,234.50. Halves are rounded up."""
    amount = Decimal(as_number("money", value))
    digits = whole("money", places, _MOST_PLACES)
    rounded = amount.quantize(Decimal(1).scaleb(-max(digits, 0)), ROUND_HALF_UP)
    sign = "-" if rounded < 0 else ""
    return f"{sign}{worded('money', symbol)}{abs(rounded):,f}"


def _rmb(value: object) -> str:
    """In the characters that cheques and receipts are written with, to the fen.

    Where a zero may be written or left out it is left out (《正确填写票据和结算凭证的基本规定》).
    """
    amount = Decimal(as_number("rmb", value)).quantize(_FEN, ROUND_HALF_UP)
    if abs(amount) >= _LARGEST:
        raise TemplateError(_TOO_LARGE)
    yuan, fen = divmod(int(abs(amount).scaleb(2)), 100)
    return ("负" if amount < 0 else "") + _written(yuan, *divmod(fen, 10))


def _written(yuan: int, jiao: int, fen: int) -> str:
    whole_part = f"{_number(yuan)}元" if yuan or not (jiao or fen) else ""
    if not fen:
        return f"{whole_part}{_DIGITS[jiao]}角整" if jiao else f"{whole_part}整"
    tenth = f"{_DIGITS[jiao]}角" if jiao else "零" if yuan else ""
    return f"{whole_part}{tenth}{_DIGITS[fen]}分"


def _number(number: int) -> str:
    """A whole number; a gap inside it is one zero."""
    for unit, name in ((_YI, "亿"), (_WAN, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            gap = "零" if 0 < low < unit // 10 else ""
            return f"{_number(high)}{name}{gap}{_number(low) if low else ''}"
    return _below_ten_thousand(number)


def _below_ten_thousand(number: int) -> str:
    if not number:
        return _DIGITS[0]
    written, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            written += ("零" if gap and written else "") + _DIGITS[digit] + _UNITS[place]
        gap = not digit
    return written


FILTERS: Mapping[str, Callable[..., Any]] = {"money": _money, "rmb": _rmb}
