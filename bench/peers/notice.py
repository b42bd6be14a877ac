"""What every peer says to DingTalk, and the order it gets; the standard library only."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = [
    "IN_FLIGHT",
    "Order",
    "body",
    "due_instant",
    "iso",
    "read_order",
    "recipients",
    "sending_path",
]

IN_FLIGHT = 300
_SEND = "/topapi/message/corpconversation/asyncsend_v2"

Order = dict[str, Any]


def read_order(file: str) -> Order:
    """What to do, as the measurement wrote it down."""
    order: Order = json.loads(Path(file).read_text())
    return order


def recipients(order: Order) -> Iterator[tuple[int, int, str]]:
    """The number of every send, the place of its app, and its person, as the floor picks them."""
    apps = itertools.cycle(range(len(order["apps"])))
    return zip(range(order["sends"]), apps, itertools.cycle(order["userids"]))


def sending_path(token: str) -> str:
    return f"{_SEND}?access_token={token}"


def body(agent_id: int, userid: str, text: str) -> bytes:
    message = {"msgtype": "text", "text": {"content": text}}
    return json.dumps({"agent_id": agent_id, "userid_list": userid, "msg": message}).encode()


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def due_instant(order: Order, per_second: float) -> float:
    """The instant that was ordered, or one that leaves the time to store everything before it."""
    chosen = int(time.time()) + 5 + order["sends"] / per_second
    return float(order.get("at") or int(chosen))
