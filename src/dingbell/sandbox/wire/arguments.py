"""The arguments of a call, in whichever of the five encodings they came."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from dingbell.sandbox.wire import refusals


class Arguments:
    """Named values that may be typed (JSON) or text (form, query, the Java SDK's JSON)."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def raw(self, name: str) -> Any:
        """The value as it came; None when absent or null."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """An optional string; a number is taken as its digits."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool | dict | list):
            raise refusals.invalid(name)
        return str(value)

    def need_text(self, name: str) -> str:
        """A required string that is not empty."""
        value = self.text(name)
        if not value:
            raise refusals.missing(name)
        return value

    def integer(self, name: str) -> int | None:
        """An optional whole number."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        return _whole(name, value)

    def need_integer(self, name: str) -> int:
        """A required whole number."""
        value = self.integer(name)
        if value is None:
            raise refusals.missing(name)
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        """A truth value: a real one, or exactly `true` or `false`."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return bool(value == "true")
        raise refusals.invalid(name)

    def items(self, name: str) -> list[str] | None:
        """A comma-separated list; None when absent."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, list):
            return [str(item) for item in value]
        return [item for item in str(value).split(",") if item]

    def nested(self, name: str) -> Any:
        """A JSON value: nested in a JSON body, or as JSON text inside a string."""
        value = self._values.get(name)
        if value is None or value == "":
            raise refusals.missing(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise refusals.RefusalError(34014) from None


async def read(request: web.BaseRequest) -> Arguments:
    """Take the query string and, over it, the body: JSON where it is JSON, else a form."""
    values: dict[str, Any] = dict(request.query)
    body = await request.read() if request.can_read_body else b""
    if body:
        values.update(_decode(request.content_type, body))
    return Arguments(values)


def _decode(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type == "application/json" or body.lstrip()[:1] == b"{":
        try:
            decoded = json.loads(body)
        except (ValueError, RecursionError):
            return {}
        return decoded if isinstance(decoded, dict) else {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _whole(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 20:
            return int(value)
    raise refusals.invalid(name)
