"""Where alerts go beside the log and the metrics."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

from dingbell.domain.audience import Audience
from dingbell.errors import InputError, Text
from dingbell.intake import Identifier
from dingbell.meaning import Meaning, meanings

__all__ = ["Alerting"]


@meanings(
    webhook=Meaning(
        Text(
            "an address that takes each alert as a JSON object by POST",
            "以 POST 接收每条告警 (JSON 对象) 的地址",
        ),
        "https://example.com/hook",
    ),
    notify=Meaning(
        Text("who gets a notice about each: an audience", "每条告警通知谁: 受众"),
        "{users: [manager4220]}",
    ),
    app=Meaning(
        Text("the app that sends it, where there are several", "由哪个应用发送, 有多个应用时填写"),
        "hr",
    ),
)
class Alerting(BaseModel):
    """Whom to tell when something needs a person.

    Attributes:
        webhook: an address that takes each alert as a JSON object by POST.
        notify: who gets a notice about each.
        app: the app that sends it, where there are several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: Identifier | None = None
    notify: Audience | None = None
    app: Identifier | None = None

    @field_validator("webhook")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in ("http", "https"):
            raise InputError(Text("must be an http or https address", "必须是 http 或 https 地址"))
        return value
