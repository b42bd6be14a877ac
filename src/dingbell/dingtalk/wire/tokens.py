"""Fetching the app's access token, on the old or the new API. No I/O. [D1444] [D0033]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dingbell.dingtalk import limits
from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.wire import fields
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.request import Call, get, post

__all__ = ["Fetched", "TokenEndpoint", "fetch", "life"]

TokenEndpoint = Literal["old", "new"]
"""`old`: GET gettoken; `new`: POST v1.0/oauth2/accessToken. Both give the same kind of token."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token and its life in seconds."""

    value: str = field(repr=False)
    expires_in: int


def fetch(credentials: Credentials, endpoint: TokenEndpoint) -> Call[Fetched]:
    """Ask for the app's token; asking again gives the same one with a new life."""
    if endpoint == "old":
        query = {"appkey": credentials.app_key, "appsecret": credentials.app_secret}
        return get("/gettoken", _read_old, query=query, needs_token=False)
    arguments = {"appKey": credentials.app_key, "appSecret": credentials.app_secret}
    return post("/v1.0/oauth2/accessToken", arguments, _read_new, family="api", needs_token=False)


def _read_old(answer: Answer) -> Fetched:
    return _read(answer, "access_token", "expires_in")


def _read_new(answer: Answer) -> Fetched:
    return _read(answer, "accessToken", "expireIn")


def _read(answer: Answer, value: str, seconds: str) -> Fetched:
    content = answer.content()
    token = fields.token(content.get(value))
    if token is None:
        answer.unreadable("there is no token")
    return Fetched(token, life(content.get(seconds)))


def life(seconds: object) -> int:
    """How long a token lives; what is no length of time, or too long, is the documented one."""
    found = fields.integer(seconds)
    return min(found, limits.TOKEN_SECONDS) if found and found > 0 else limits.TOKEN_SECONDS
