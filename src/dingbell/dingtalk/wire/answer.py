"""Reads an answer: the envelopes of both APIs and the ban page become a value or an error.

Shapes (fact sheet §1.1): the gateway's 88 with the real code in `sub_code`, the TOP engine's small
integers, direct business codes, the new API's `{code, message, requestid}` with a real HTTP status,
and the anti-abuse layer's HTML page or `{"status": 1111}`. No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

from dingbell.dingtalk import errors, limits
from dingbell.dingtalk.wire import fields

__all__ = ["Answer"]

_SUB_CODE: Final = re.compile(r"subcode=([^,\]]+)")
_BANNED_STATUS: Final = "1111"
_HIDDEN: Final = "***"
_MOST_CODE: Final = 100
# Deeper than any answer of DingTalk's; Python's own limit is where it falls over.
_MOST_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `received_at` in epoch seconds; `headers` have lower-case names.

    `secrets` are the strings of the request that must not show up in an error.
    """

    endpoint: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: float
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def server_time(self) -> datetime | None:
        """DingTalk's clock, from the `Date` header."""
        try:
            found = parsedate_to_datetime(self.headers.get("date", ""))
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def content(self) -> Mapping[str, Any]:
        """The JSON object of a success.

        Raises:
            DingTalkError: it is not a success; which kind says what to do.
        """
        self._refuse_transport()
        content = self._json()
        if content is None:
            self._refuse_unreadable()
        self._refuse_ban(content)
        code, text = _effective_code(content), _said(content)
        if self.status >= 500:
            raise self._error(errors.Ambiguous, code or f"http.{self.status}", text, content)
        if code is not None and code != "0":
            raise self._coded(code, text, content)
        if self.status >= 400:
            raise self._error(errors.BadRequest, f"http.{self.status}", text, content)
        if self._is_old and str(content.get("errcode")).strip() != "0":
            raise self._error(errors.Ambiguous, "unreadable", "there is no errcode")
        return content

    def result(self) -> Mapping[str, Any]:
        """The `result` object of a success; empty where there is none.

        Raises:
            DingTalkError: as `content`.
        """
        found = self.content().get("result")
        return found if isinstance(found, dict) else {}

    @property
    def _is_old(self) -> bool:
        """Whether it is from the old API, whose every success says `errcode`."""
        return not self.endpoint.startswith("/v1.0/")

    def unreadable(self, what: str) -> NoReturn:
        """Give up on a success whose shape is not the documented one.

        Raises:
            Ambiguous: always: it was executed, but what came of it is not known.
        """
        raise self._error(errors.Ambiguous, "unreadable", what)

    def _json(self) -> Mapping[str, Any] | None:
        """The JSON object, where it is one that can be read in a moment."""
        # Each value but the first of a list or an object comes after a comma.
        if sum(map(self.body.count, (b",", b"[", b"{"))) > limits.ANSWER_VALUES:
            return None
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):  # also bytes that are not UTF-8, and endless numbers
            return None
        return content if isinstance(content, dict) and not _is_deep(content) else None

    @property
    def _is_html(self) -> bool:
        kind = self.headers.get("content-type", "").lower()
        return kind.startswith("text/html") or self.body.lstrip()[:1] == b"<"

    def _refuse_transport(self) -> None:
        """Refuse redirects, which are not followed: a POST would become a GET."""
        if 300 <= self.status < 400:
            if "punish" in self.headers.get("location", ""):
                raise self._error(errors.Banned, "banned", f"HTTP {self.status}")
            error = self._error(errors.BadRequest, "redirected", f"HTTP {self.status}")
            error.alert = True
            raise error

    def _refuse_unreadable(self) -> NoReturn:
        """Refuse what is not a JSON object."""
        size = f"HTTP {self.status}, {len(self.body)} bytes"
        if self.status >= 500 or self.status == 408:
            raise self._error(errors.Ambiguous, f"http.{self.status}", size)
        if self._is_html:
            raise self._error(errors.Banned, "banned", f"{size} of HTML")
        if self.status == 429:
            raise self._throttled(size)
        if self.status >= 400:
            raise self._error(errors.BadRequest, f"http.{self.status}", size)
        raise self._error(errors.Ambiguous, "unreadable", size)

    def _throttled(self, text: str) -> errors.RetryLater:
        """The plain HTTP way to say "too many", with its pause in seconds if it names one."""
        error = errors.RetryLater("http.429", self._scrub(text), self.endpoint)
        pause = self.headers.get("retry-after", "")
        if pause.isascii() and pause.isdigit():
            longest = limits.GLOBAL_THROTTLE_MAX_SECONDS
            error.after = max(float(min(int(pause[:9]), longest)), error.after)
        return error

    def _refuse_ban(self, content: Mapping[str, Any]) -> None:
        """Refuse the JSON twin of the ban page, which has no `errcode`."""
        if "errcode" in content:
            return
        if str(content.get("status")) == _BANNED_STATUS or content.get("punish") is not None:
            raise self._error(errors.Banned, "banned", f"HTTP {self.status}", content)

    def _coded(self, code: str, text: str, content: Mapping[str, Any]) -> errors.DingTalkError:
        return errors.from_code(
            code, self._scrub(text), self.endpoint, _request_id(content), now=self.received_at
        )

    def _error(
        self,
        family: type[errors.DingTalkError],
        code: str,
        text: str,
        content: Mapping[str, Any] | None = None,
    ) -> errors.DingTalkError:
        request_id = _request_id(content) if content else None
        return family(code, self._scrub(text), self.endpoint, request_id)

    def _scrub(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return fields.line(text) or ""


def _is_deep(content: Mapping[str, Any]) -> bool:
    """Whether objects and lists lie inside one another deeper than anybody means."""
    level: list[Any] = [content]
    for _ in range(_MOST_DEPTH):
        within = (one.values() if isinstance(one, dict) else one for one in level)
        level = [item for items in within for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _effective_code(content: Mapping[str, Any]) -> str | None:
    """The code that counts, as text: `sub_code` if there is one, else `errcode`, else `code`."""
    outer = _code(content.get("errcode"))
    sub = _code(content.get("sub_code")) or _code(content.get("subCode"))
    if sub is None and outer not in (None, "0"):
        found = _SUB_CODE.search(str(content.get("errmsg") or ""))
        sub = _code(found[1]) if found else None
    return sub or outer or _code(content.get("code"))


def _code(value: object) -> str | None:
    """A code, which may be a number or text."""
    return fields.line(value.strip() if isinstance(value, str) else value, _MOST_CODE)


def _said(content: Mapping[str, Any]) -> str:
    """What DingTalk said of it; the inner message where there is one."""
    for name in ("sub_msg", "subMsg", "errmsg", "message"):
        value = content.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _request_id(content: Mapping[str, Any]) -> str | None:
    value = content.get("request_id") or content.get("requestid") or content.get("requestId")
    return fields.line(value, _MOST_CODE) if isinstance(value, str) else None
