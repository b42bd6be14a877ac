"""The whole state of the pretend DingTalk, in one object that everything else is handed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dingbell.sandbox.clock import Clock
from dingbell.sandbox.company import apps, founding
from dingbell.sandbox.rules import tokens
from dingbell.sandbox.rules.faults import Faults
from dingbell.sandbox.rules.ledger import Ledger
from dingbell.sandbox.rules.limits import UNLIMITED, Limits
from dingbell.sandbox.rules.tasks import Post
from dingbell.sandbox.stream.hub import Hub
from dingbell.sandbox.wire.arguments import Arguments

_TASK_IDS_PER_SECOND = 100  # keeps ids growing from one run of the sandbox to the next


class Cloud:
    """Apps, company, tokens, limits, post and faults of one sandbox."""

    def __init__(
        self, people: int, seed: int, app_count: int, departments: int | None = None
    ) -> None:
        self.clock = Clock()
        self.apps = apps.make(app_count, seed)
        self._founding = (people, seed, departments)
        self.company = founding.found(*self._founding)
        self.hub = Hub(self.clock)
        self.tokens = tokens.AppTokens(self.apps)
        self.login_codes = tokens.SignIns(tokens.CODE_SECONDS)
        self.oauth_codes = tokens.SignIns(tokens.CODE_SECONDS)
        self.user_tokens = tokens.SignIns(tokens.USER_TOKEN_SECONDS)
        self.refresh_tokens = tokens.SignIns(tokens.REFRESH_TOKEN_SECONDS)
        self.media: dict[str, str] = {}
        self.faults = Faults(seed)
        self.post = Post(int(self.clock.now() * _TASK_IDS_PER_SECOND))
        self._count_afresh()

    def reset(self) -> None:
        """Back to the first day: no calls, no faults, documented limits, everybody at work."""
        self.post.clear()
        self.faults.clear()
        if self.company.reshaped:
            self.company = founding.found(*self._founding)
        self.company.restore()
        self.hub.clear()
        self._count_afresh()

    def _count_afresh(self) -> None:
        # Many apps on one address are many machines in truth: no single address would be banned.
        self.limits = Limits() if len(self.apps) == 1 else Limits(calls_per_ip=UNLIMITED)
        self.ledger = Ledger()
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()


@dataclass(slots=True)
class Call:
    """One call that passed the gateway: by whom, when, with what."""

    cloud: Cloud
    app: apps.App
    received_at: float
    args: Arguments


Answer = Mapping[str, Any]
