"""Who we are to DingTalk: one app's key, secret and agent id, and where its servers are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

__all__ = ["API_URL", "OAPI_URL", "Credentials"]

OAPI_URL: Final = "https://oapi.dingtalk.com"
"""The old API; the international edition has `https://oapi.dingtalk.io`."""

API_URL: Final = "https://api.dingtalk.com"
"""The new API; the international edition has `https://api.dingtalk.io`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An internal app (企业内部应用). The secret never shows in its `repr`.

    Raises:
        ValueError: key or secret is empty, or an address is not http(s)://host.
    """

    app_key: str
    app_secret: str = field(repr=False)
    agent_id: int | None = None
    oapi_url: str = OAPI_URL
    api_url: str = API_URL

    def __post_init__(self) -> None:
        if not self.app_key or not self.app_secret:
            raise ValueError("app_key and app_secret must not be empty")
        for name in ("oapi_url", "api_url"):
            url = getattr(self, name).rstrip("/")
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{name} must be http(s)://host, not {url!r}")
            object.__setattr__(self, name, url)
