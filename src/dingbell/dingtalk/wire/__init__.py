"""DingTalk's wire without I/O: arguments become a request, an answer a value or an error."""

from dingbell.dingtalk.wire import directory, identity, media, notifications, tokens
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.request import Call, Part, Request

__all__ = [
    "Answer",
    "Call",
    "Part",
    "Request",
    "directory",
    "identity",
    "media",
    "notifications",
    "tokens",
]
