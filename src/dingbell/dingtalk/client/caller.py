"""What the groups of endpoints have in common: a way to make a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from dingbell.dingtalk.credentials import Credentials
from dingbell.dingtalk.errors import CallError
from dingbell.dingtalk.wire import Call

__all__ = ["Caller"]

T = TypeVar("T")


class Caller(ABC):
    """Something that can make calls for one app."""

    credentials: Credentials

    @abstractmethod
    async def _ask(self, call: Call[T]) -> T:
        """Make a call and read its answer."""

    @property
    def _agent_id(self) -> int:
        """The app's agent id.

        Raises:
            CallError: the credentials have none.
        """
        if self.credentials.agent_id is None:
            raise CallError(
                "agent_id",
                "work notifications need the app's agent id",
                "工作通知需要应用的 agent_id",
            )
        return self.credentials.agent_id
