"""Typed async client of DingTalk's server API: work notifications, directory, identity, media.

It can be lifted out: it imports nothing else of ours. `messages` and `errors` do not need aiohttp;
`Client` is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dingbell.dingtalk import errors, messages
from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.results import (
    Department,
    Forbidden,
    Media,
    Member,
    Profile,
    Progress,
    Role,
    RoleGroup,
    Scopes,
    SendResult,
    Sent,
    SignedIn,
    User,
    UserToken,
)
from dingbell.dingtalk.token import MemoryTokenStore, Token, TokenStore

if TYPE_CHECKING:
    from dingbell.dingtalk.client import Client

__all__ = [
    "Client",
    "Credentials",
    "Department",
    "Forbidden",
    "Media",
    "Member",
    "MemoryTokenStore",
    "Profile",
    "Progress",
    "Role",
    "RoleGroup",
    "Scopes",
    "SendResult",
    "Sent",
    "SignedIn",
    "Token",
    "TokenStore",
    "User",
    "UserToken",
    "errors",
    "messages",
]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from dingbell.dingtalk.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
