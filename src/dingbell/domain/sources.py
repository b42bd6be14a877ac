"""Sources: addresses of the company's own that say whom an audience means, and what fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dingbell.errors import InputError, Text
from dingbell.intake import identifier

__all__ = ["MOST_BYTES", "MOST_PEOPLE", "SourceTrouble", "read_userids", "trouble_text"]

MOST_PEOPLE = 100_000
MOST_BYTES = 4_000_000
_LONGEST_ID = 64


class SourceTrouble(StrEnum):
    """What is wrong with a source; the value is what the tables keep."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"
    REDIRECT = "redirect"
    TOO_LARGE = "too_large"
    NO_LIST = "no_list"
    NOT_ASKED = "not_asked"


_TEXTS = {
    SourceTrouble.UNREACHABLE: Text("cannot be reached", "无法访问"),
    SourceTrouble.TIMEOUT: Text("did not answer within {limit} s", "在 {limit} 秒内没有响应"),
    SourceTrouble.STATUS: Text("answered with HTTP {limit}", "返回 HTTP {limit}"),
    SourceTrouble.REDIRECT: Text("leads to another host", "重定向到了其他主机"),
    SourceTrouble.TOO_LARGE: Text(
        "answered with more than {limit} bytes", "返回内容超过 {limit} 字节"
    ),
    SourceTrouble.NO_LIST: Text(
        'did not answer with a list of userids, ["a", "b"] or {{"userids": ["a", "b"]}}, of at '
        "most {limit}",
        '返回的不是 userid 列表, ["a", "b"] 或 {{"userids": ["a", "b"]}}, 至多 {limit} 个',
    ),
    SourceTrouble.NOT_ASKED: Text("has not been asked yet", "尚未查询"),
}


def trouble_text(params: Mapping[str, Any]) -> Text:
    """What a trouble is, from the parameters of a cause."""
    return _TEXTS[SourceTrouble(params["trouble"])].format(limit=params.get("limit"))


def read_userids(body: bytes) -> tuple[str, ...]:
    """The userids of an answer: a list of them, or an object whose `userids` is one.

    Raises:
        ValueError: it is something else, or has too many.
    """
    try:
        found = json.loads(body)
    except RecursionError:
        raise ValueError from None
    if isinstance(found, dict):
        found = found.get("userids")
    if not isinstance(found, list) or len(found) > MOST_PEOPLE:
        raise ValueError
    return tuple(dict.fromkeys(_userid(one) for one in found))


def _userid(given: object) -> str:
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    try:
        found = identifier(given) if isinstance(given, str) else ""
    except InputError:
        raise ValueError from None
    if not 0 < len(found) <= _LONGEST_ID or any(mark.isspace() for mark in found):
        raise ValueError
    return found
