"""A request as a value, and the call that knows how its answer is read. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from dingbell.dingtalk import limits
from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.wire.answer import Answer

__all__ = ["Call", "Part", "Request", "get", "post"]

T = TypeVar("T")

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a multipart body; with a `filename` it is a file."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What goes over the wire. Query, headers and body may hold secrets: the `repr` hides them.

    `longest` is how many bytes of an answer are read, unpacked.
    """

    method: Literal["GET", "POST"]
    url: str
    endpoint: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    parts: tuple[Part, ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    longest: int = limits.ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """An endpoint with its arguments, and how its answer is read.

    `family` says which server is asked and where the token goes: `oapi` in the query, `api` in a
    header. The token is the app's (`needs_token`), a given user's (`user_token`), or there is none.
    """

    method: Literal["GET", "POST"]
    path: str
    read: Callable[[Answer], T] = field(repr=False)
    family: Literal["oapi", "api"] = "oapi"
    needs_token: bool = True
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    parts: tuple[Part, ...] = field(default=(), repr=False)
    user_token: str | None = field(default=None, repr=False)
    longest: int = limits.ANSWER_BYTES

    def request(self, credentials: Credentials, app_token: str | None = None) -> Request:
        """The request, with the app's token where one is needed."""
        token = self.user_token or (app_token if self.needs_token else None)
        query, headers = dict(self.query), {}
        if self.body is not None:
            headers["Content-Type"] = JSON_TYPE
        if token and self.family == "oapi":
            query = {"access_token": token, **query}
        elif token:
            headers["x-acs-dingtalk-access-token"] = token
        base = credentials.oapi_url if self.family == "oapi" else credentials.api_url
        return Request(
            self.method,
            base + self.path,
            self.path,
            query,
            headers,
            self.body,
            self.parts,
            tuple(secret for secret in (credentials.app_secret, token) if secret),
            self.longest,
        )


def post(
    path: str,
    arguments: Mapping[str, Any],
    read: Callable[[Answer], T],
    *,
    family: Literal["oapi", "api"] = "oapi",
    needs_token: bool = True,
    longest: int = limits.ANSWER_BYTES,
) -> Call[T]:
    """A POST with a JSON body; arguments that are None are left out."""
    present = {name: value for name, value in arguments.items() if value is not None}
    body = json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()
    return Call("POST", path, read, family, needs_token, body=body, longest=longest)


def get(
    path: str,
    read: Callable[[Answer], T],
    *,
    query: Mapping[str, str] | None = None,
    needs_token: bool = True,
    longest: int = limits.ANSWER_BYTES,
) -> Call[T]:
    """A GET on the old API."""
    return Call("GET", path, read, needs_token=needs_token, query=query or {}, longest=longest)
