"""Scheduled DingTalk work notifications that arrive: once, on time, and provably.

from dingbell import DingBell, text, users

bell = DingBell.from_env()

@bell.daily("16:00", to=users("manager4220"))
def off_work():
    return text("Hello! 下午好!下班奥里给666!")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dingbell.errors import (
    ConflictError,
    DatabaseError,
    DingBellError,
    InputError,
    NotFoundError,
    OutsideError,
)
from dingbell.version import __version__

if TYPE_CHECKING:
    from dingbell.bell import (
        DingBell,
        action_card,
        all_of,
        any_of,
        departments,
        everyone,
        file,
        image,
        link,
        managers_of,
        markdown,
        mobiles,
        oa,
        roles,
        saved,
        saved_template,
        source,
        template,
        text,
        users,
        voice,
    )
    from dingbell.dingtalk import links

__all__ = [
    "ConflictError",
    "DatabaseError",
    "DingBell",
    "DingBellError",
    "InputError",
    "NotFoundError",
    "OutsideError",
    "__version__",
    "action_card",
    "all_of",
    "any_of",
    "departments",
    "everyone",
    "file",
    "image",
    "link",
    "links",
    "managers_of",
    "markdown",
    "mobiles",
    "oa",
    "roles",
    "saved",
    "saved_template",
    "source",
    "template",
    "text",
    "users",
    "voice",
]


def __getattr__(name: str) -> Any:
    """Load the library when it is first used; the command line does not need it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "links":
        from dingbell.dingtalk import links

        return links
    from dingbell import bell

    return getattr(bell, name)
