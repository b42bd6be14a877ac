"""What is shown to people: text from outside that steers no terminal, and the zone of instants."""

from __future__ import annotations

import re
from contextvars import ContextVar
from zoneinfo import ZoneInfo

__all__ = ["show_in", "visible", "zone"]

# The service's zone, once its database has been asked.
_ZONE: ContextVar[ZoneInfo] = ContextVar("zone", default=ZoneInfo("Asia/Shanghai"))  # noqa: B039  frozen

# Control characters but line end and tab; half characters; what turns the direction of writing
# round or ends a line unseen. All fit four digits.
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_ENDS = re.compile("[\t\n]")


def zone() -> ZoneInfo:
    """The zone in which instants are shown: everywhere the same one, and always written out."""
    return _ZONE.get()


def show_in(shown: ZoneInfo) -> None:
    """Show instants of this task, and of those it starts from now on, in a zone."""
    _ZONE.set(shown)


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
