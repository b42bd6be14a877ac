# ruff: noqa: N818  the names answer 'what now', they need no suffix
"""What went wrong with DingTalk, sorted by the one question a caller has: what now?

* `Permanent`: give up; a repeat fails again. `alert` says whether a person must act.
* `RetryLater`: certainly not executed; come back after `after` seconds.
* `TokenRejected`: the client refreshes the token once by itself; callers do not see it.
* `Ambiguous`: it may have been executed.
* `NotSent`: it never left; certainly not executed.
* `Banned`: stop every call from this address for `after` seconds.
* `QuotaExhausted`: the month's calls are used up; stop until somebody buys more or the month ends.

`UsageError` is not DingTalk's: it is raised before anything is sent.
No error carries a secret: neither in its text nor in its cause.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from dingbell.dingtalk import limits
from dingbell.dingtalk.codes import FORBIDDEN, Code, ForbiddenAction, Kind, find

__all__ = [
    "Ambiguous",
    "BadCredentials",
    "BadMedia",
    "BadMessage",
    "BadRequest",
    "Banned",
    "CallError",
    "DingTalkError",
    "ForbiddenAction",
    "LimitReached",
    "NotPermitted",
    "NotSent",
    "Permanent",
    "QuotaExhausted",
    "RetryLater",
    "SignInExpired",
    "TokenRejected",
    "UnknownDepartment",
    "UnknownPerson",
    "UsageError",
    "explain",
    "forbidden_action",
    "from_code",
]


class DingTalkError(Exception):
    """DingTalk, or the way to it, failed.

    Attributes:
        code: DingTalk's effective code, or ours where it gave none (`timeout`, `http.502`, …).
        text: what DingTalk said, without secrets.
        endpoint: the path that was called, without its query.
        request_id: DingTalk's id of the request, for its support.
        alert: somebody has to look: it does not heal by itself.
    """

    alert: bool = False
    renews_token: bool = False

    def __init__(
        self, code: str, text: str = "", endpoint: str = "", request_id: str | None = None
    ) -> None:
        super().__init__(code, text, endpoint, request_id)
        self.code = code
        self.text = text
        self.endpoint = endpoint
        self.request_id = request_id

    @property
    def en(self) -> str:
        """What it means, in English."""
        return self._sentence(0)

    @property
    def zh(self) -> str:
        """What it means, in Chinese."""
        return self._sentence(1)

    def _sentence(self, language: int) -> str:
        meaning = explain(self.code)
        said = f"{meaning[language]}: {self.text}" if meaning and self.text else None
        plain = said or (meaning[language] if meaning else self.text) or type(self).__name__
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.endpoint or 'DingTalk'}: {plain} (code {self.code}{request})"

    def __str__(self) -> str:
        return self.en


class Permanent(DingTalkError):
    """Give up: the same request would fail again."""


class BadCredentials(Permanent):
    """App key, app secret or agent id is wrong; a person must correct the settings."""

    alert = True


class NotPermitted(Permanent):
    """The app, its permissions, its IP list or its scope does not allow this."""


class BadRequest(Permanent):
    """An argument is missing or invalid."""


class BadMessage(Permanent):
    """The message is refused; its author must change it."""


class BadMedia(Permanent):
    """The file, or the media id, is refused."""


class UnknownPerson(Permanent):
    """There is no such person."""


class UnknownDepartment(Permanent):
    """There is no such department."""


class SignInExpired(Permanent):
    """The sign-in code or user token is wrong, used or expired; the user signs in again."""


class LimitReached(Permanent):
    """A limit that no short wait lifts: too many recipients in a call, or too many today."""


class TokenRejected(DingTalkError):
    """The access token is not (or no longer) valid. Nothing was executed."""

    renews_token = True


class RetryLater(DingTalkError):
    """Throttled: certainly not executed; the same request may be made again later.

    Attributes:
        after: seconds to wait from now.
        retry_at: the instant DingTalk named (epoch seconds), where it named one.
    """

    after: float = float(limits.QPS_SECONDS)
    retry_at: float | None = None


class NotSent(DingTalkError):
    """The request never left (connection, DNS, TLS): certainly not executed; repeat freely."""


class Ambiguous(DingTalkError):
    """Nobody knows whether it was executed: no answer, a broken one, or a server failure."""


class Banned(DingTalkError):
    """This address is banned: every call fails for some minutes. Not executed.

    Attributes:
        after: seconds to stop all calls.
    """

    alert = True
    after: float = float(limits.BAN_SECONDS)


class QuotaExhausted(DingTalkError):
    """The organisation's calls of this month are used up. Not executed."""

    alert = True


class UsageError(ValueError):
    """What was asked for breaks a documented limit; nothing was sent.

    Attributes:
        field: dotted path of the field or argument.
        limit: the limit, where there is one.
        found: the size or value found.
        en: the message in English, which is also `str()`.
        zh: the message in Chinese.
    """

    def __init__(
        self,
        field: str,
        en: str,
        zh: str,
        *,
        limit: int | None = None,
        found: int | str | None = None,
    ) -> None:
        super().__init__(field, en, zh)
        self.field = field
        self.en = en
        self.zh = zh
        self.limit = limit
        self.found = found

    def __str__(self) -> str:
        return self.en


class CallError(UsageError):
    """The arguments of a call break a documented limit."""


_PERMANENT: Final[dict[Kind, type[Permanent]]] = {
    Kind.CREDENTIALS: BadCredentials,
    Kind.PERMISSION: NotPermitted,
    Kind.REQUEST: BadRequest,
    Kind.MESSAGE: BadMessage,
    Kind.MEDIA: BadMedia,
    Kind.PERSON: UnknownPerson,
    Kind.DEPARTMENT: UnknownDepartment,
    Kind.SIGN_IN: SignInExpired,
    Kind.LIMIT: LimitReached,
}

_OTHER: Final[dict[Kind, type[DingTalkError]]] = {
    Kind.TOKEN: TokenRejected,
    Kind.THROTTLE: RetryLater,
    Kind.QUOTA: QuotaExhausted,
    Kind.AMBIGUOUS: Ambiguous,
}

_MISSING_PERMISSION: Final = "60011"
_GLOBAL_THROTTLE: Final = "90002"
_MISSING_ARGUMENT: Final = "40000"
_BEIJING: Final = ZoneInfo("Asia/Shanghai")
_END_OF_THROTTLE: Final = re.compile(r"(?:限制|处罚)将在\s*(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*结束")


def from_code(
    code: str, text: str, endpoint: str, request_id: str | None, *, now: float
) -> DingTalkError:
    """Make the error that a code stands for; an unknown code is `Permanent`.

    Args:
        code: the effective code.
        text: DingTalk's message; read only for the end of a 90002 and the "blank" of a 40000.
        endpoint: the path.
        request_id: DingTalk's id.
        now: epoch seconds when the answer came.
    """
    row = find(code)
    kind = _kind(row, code, text)
    family = _OTHER.get(kind) or _PERMANENT.get(kind) if kind else None
    error = (family or Permanent)(code, text, endpoint, request_id)
    if row and row.alert:
        error.alert = True
    error.renews_token = error.renews_token or code == _MISSING_PERMISSION
    if isinstance(error, RetryLater) and row:
        error.after = row.after
        if code == _GLOBAL_THROTTLE:
            _read_end(error, now)
    return error


def _kind(row: Code | None, code: str, text: str) -> Kind | None:
    """The kind of a code; a 40000 that says "blank" means that the token is missing."""
    if code == _MISSING_ARGUMENT and "blank" in text:
        return Kind.TOKEN
    return row.kind if row else None


def _read_end(error: RetryLater, now: float) -> None:
    """Take the end of a global throttle (Beijing time) from its text."""
    found = _END_OF_THROTTLE.search(error.text)
    if not found:
        return
    try:
        end = datetime.fromisoformat(found[1]).replace(tzinfo=_BEIJING).timestamp()
    except ValueError:
        return
    error.retry_at = end
    error.after = min(max(end - now, error.after), float(limits.GLOBAL_THROTTLE_MAX_SECONDS))


_OURS: Final = {
    "timeout": ("no answer in time", "超时未收到响应"),
    "disconnected": ("the connection broke before the answer", "连接在响应前中断"),
    "unreadable": ("the answer cannot be read", "无法解析响应"),
    "oversized": ("the answer is longer than any that is read", "响应过长, 未读取"),
    "unreachable": ("no connection", "无法建立连接"),
    "banned": ("this address is banned for some minutes", "该 IP 已被暂时封禁"),
    "redirected": ("redirected: is the base address right?", "请求被重定向, 请检查服务地址"),
}
"""Meanings of the codes that are ours, where DingTalk gave none."""


def explain(code: str) -> tuple[str, str] | None:
    """What a code means, in English and in Chinese; None if we do not know it."""
    row = FORBIDDEN.get(code) or find(code)
    return (row.en, row.zh) if row else _OURS.get(code)


def forbidden_action(code: str) -> ForbiddenAction:
    """What to do about a person in `forbidden_list`.

    `pace`: send again later; `duplicate`: had it already today; `daily`: not before tomorrow;
    `content`: the author must change the words; `protected`: DingTalk shields the person or
    itself; `other`: anything else, unknown codes too.
    """
    row = FORBIDDEN.get(code)
    return row.action if row else "other"
