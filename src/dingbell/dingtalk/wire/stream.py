"""Stream: events that DingTalk pushes over a websocket. No I/O.

The pages show only the use of the SDK [D1435] [DEv0004]; the frames are those of its source
(dingtalk-stream 0.24.3), read 2026-11-23. An event has to be acknowledged within three seconds and
may come twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dingbell.dingtalk import limits
from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.wire import fields
from dingbell.dingtalk.wire.answer import Answer
from dingbell.dingtalk.wire.request import Call, post

__all__ = [
    "Disconnect",
    "Frame",
    "Invitation",
    "Other",
    "Ping",
    "StreamEvent",
    "acknowledgement",
    "answer",
    "invitation",
    "read",
]

_SCHEMES = ("ws://", "wss://")


@dataclass(frozen=True, slots=True)
class Invitation:
    """Where to connect; the ticket in it is a secret, works once, and not for long."""

    endpoint: str
    ticket: str = field(repr=False)

    @property
    def url(self) -> str:
        """The address with the ticket."""
        joint = "&" if "?" in self.endpoint else "?"
        return f"{self.endpoint}{joint}{urlencode({'ticket': self.ticket})}"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """Something happened in the organisation.

    Attributes:
        message_id: of the frame; it is acknowledged by it.
        event_id: of the event; it is the same where it comes twice.
        kind: such as `user_add_org`.
        born_at: when it happened.
        userids: whom it is about.
        dept_ids: likewise.
        role_ids: likewise.
    """

    message_id: str
    event_id: str
    kind: str
    born_at: datetime | None = None
    userids: tuple[str, ...] = ()
    dept_ids: tuple[int, ...] = ()
    role_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ping:
    """DingTalk asks whether somebody is there; `data` goes back as it came."""

    message_id: str
    data: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Nothing is told on this line any more, and soon it is closed."""


@dataclass(frozen=True, slots=True)
class Other:
    """A frame of no interest."""

    message_id: str | None = None


Frame = StreamEvent | Ping | Disconnect | Other


def invitation(credentials: Credentials, agent: str) -> Call[Invitation]:
    """Ask where to connect for all events of an app."""
    arguments = {
        "clientId": credentials.app_key,
        "clientSecret": credentials.app_secret,
        "subscriptions": [{"type": "EVENT", "topic": "*"}],
        "ua": agent,
    }
    path = "/v1.0/gateway/connections/open"
    return post(path, arguments, _read_invitation, family="api", needs_token=False)


def _read_invitation(answer: Answer) -> Invitation:
    content = answer.content()
    endpoint = fields.token(content.get("endpoint"))
    ticket = fields.token(content.get("ticket"))
    if endpoint is None or ticket is None or not endpoint.startswith(_SCHEMES):
        answer.unreadable("there is no endpoint, or no ticket")
    return Invitation(endpoint, ticket)


def read(text: str) -> Frame:
    """Read a frame; one that is none is of no interest."""
    content = _object(text)
    headers = fields.mapping(content.get("headers"))
    message_id = fields.identifier(headers.get("messageId"))
    kind, topic = content.get("type"), headers.get("topic")
    if kind == "SYSTEM" and topic == "disconnect":
        return Disconnect()
    if message_id is None:
        return Other()
    if kind == "SYSTEM" and topic == "ping":
        return Ping(message_id, str(content.get("data") or ""))
    if kind == "EVENT":
        return _event(message_id, headers, _object(content.get("data"))) or Other(message_id)
    return Other(message_id)


def _object(text: object) -> Mapping[str, Any]:
    """A JSON object that can be read in a moment; an empty one in place of anything else."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, str):
        return {}
    if sum(map(text.count, (",", "[", "{"))) > limits.ANSWER_VALUES:
        return {}
    try:
        return fields.mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _event(
    message_id: str, headers: Mapping[str, Any], data: Mapping[str, Any]
) -> StreamEvent | None:
    event_id = fields.identifier(headers.get("eventId"))
    kind = fields.line(headers.get("eventType"), 100)
    if event_id is None or kind is None:
        return None
    return StreamEvent(
        message_id,
        event_id,
        kind,
        born_at=fields.instant(headers.get("eventBornTime")),
        userids=fields.identifiers(_first(data, "userId", "UserId", "userIdList")),
        dept_ids=fields.integers(_first(data, "deptId", "DeptId")),
        role_ids=fields.integers(_first(data, "labelIdList", "LabelIdList")),
    )


def _first(data: Mapping[str, Any], *names: str) -> object:
    return next((data[name] for name in names if name in data), None)


def answer(frame: Frame) -> str | None:
    """What a frame is answered at once; events are acknowledged when they have been kept."""
    if isinstance(frame, Ping):
        return _reply(frame.message_id, frame.data)
    if isinstance(frame, Other) and frame.message_id is not None:
        return _reply(frame.message_id, "{}")
    return None


def acknowledgement(event: StreamEvent) -> str:
    """What says that an event need not be told again."""
    return _reply(event.message_id, json.dumps({"status": "SUCCESS", "message": "kept"}))


def _reply(message_id: str, data: str) -> str:
    headers = {"messageId": message_id, "contentType": "application/json"}
    return json.dumps(
        {"code": 200, "headers": headers, "message": "OK", "data": data}, ensure_ascii=False
    )
