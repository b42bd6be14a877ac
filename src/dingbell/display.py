"""Text from outside, made fit to be shown: nothing in it can steer a terminal."""

from __future__ import annotations

import re

__all__ = ["visible"]

# Control characters but line end and tab; half characters; what turns the direction of writing
# round or ends a line unseen. All fit four digits.
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("[\t\n]")


def visible(text: str, *, one_line: bool = False) -> str:
    r"""A text with `\u001b` in place of an escape character, and so on: as JSON writes them.

    Args:
        text: what is shown.
        one_line: whether line ends and tabs are written like that, too.
    """
    shown = _STEERING.sub(_written, text)
    return _LINE_ENDS.sub(_written, shown) if one_line else shown


def _written(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
