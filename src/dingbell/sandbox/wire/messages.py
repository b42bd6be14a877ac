"""What the server checks in a message before it accepts it."""

import json
from collections.abc import Callable, Container
from typing import Any

from dingbell.sandbox.wire.refusals import RefusalError

MOST_BYTES = 2_048
MOST_STATUS_BAR_PEOPLE = 5
Body = dict[str, Any]

_HEX = frozenset("0123456789abcdefABCDEF")


def canonical(msg: Any) -> str:
    """The message in one spelling, so that equal content is recognised."""
    return json.dumps(msg, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def check(msg: Any, text: str, *, lenient_bytes: bool, media: Container[str] | None) -> None:
    """Check a message the way the server does.

    Args:
        msg: The parsed message.
        text: Its canonical spelling.
        lenient_bytes: Do not count bytes.
        media: The media ids that exist; None accepts any well-formed id.

    Raises:
        RefusalError: With the code of the rule that is broken.
    """
    if not isinstance(msg, dict):
        raise RefusalError(34014)
    kind = msg.get("msgtype")
    checker = _CHECKERS.get(kind) if isinstance(kind, str) else None
    if checker is None:
        raise RefusalError(40008)
    body = msg.get(kind)
    if not isinstance(body, dict):
        raise RefusalError(34014)
    checker(body)
    if not lenient_bytes and len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise RefusalError(45002)
    if kind in _MEDIA_KINDS:
        _check_media(body["media_id"], media)


def has_status_bar(msg: Body) -> bool:
    """Whether the message carries a status bar, which at most five people may get."""
    return msg["msgtype"] == "oa" and msg["oa"].get("status_bar") is not None


def _text(
    body: Body, name: str, *, most: int = 0, required: bool = False, code: int = 34014
) -> str:
    value = body.get(name)
    if value is None or value == "":
        if required:
            raise RefusalError(code)
        return ""
    if not isinstance(value, str):
        raise RefusalError(34014)
    if most and len(value) > most:
        raise RefusalError(34016, f"{name} 的长度超过 {most}")
    return value


def _need(body: Body, name: str, *, most: int = 0, code: int = 34014) -> str:
    return _text(body, name, most=most, required=True, code=code)


def _part(body: Body, name: str, *, required: bool = False) -> Body:
    value = body.get(name)
    if value is None and not required:
        return {}
    if not isinstance(value, dict):
        raise RefusalError(34014)
    return value


def _rows(body: Body, name: str) -> list[Body]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise RefusalError(34014)
    return value


def _check_media(media_id: str, media: Container[str] | None) -> None:
    known = media_id in media if media is not None else media_id[:1] in ("@", "$")
    if not known:
        raise RefusalError(40007)


def _check_text(body: Body) -> None:
    _need(body, "content")


def _check_image(body: Body) -> None:
    _need(body, "media_id", code=34008)


def _check_file(body: Body) -> None:
    _need(body, "media_id", code=34010)


def _check_voice(body: Body) -> None:
    _need(body, "media_id", code=34011)
    duration = str(body.get("duration", ""))
    digits = duration.isascii() and duration.isdigit() and len(duration) < 4
    if not digits or not 0 < int(duration) < 60:
        raise RefusalError(34014, "duration 应为小于 60 的正整数")


def _check_link(body: Body) -> None:
    for name in ("messageUrl", "picUrl", "title", "text"):
        _need(body, name, code=34009)


def _check_markdown(body: Body) -> None:
    _need(body, "title")
    _need(body, "text", most=5_000)


def _check_oa(body: Body) -> None:
    _need(body, "message_url")
    _text(body, "pc_message_url")
    head = _part(body, "head", required=True)
    _check_colour(_need(head, "bgcolor"))
    _need(head, "text")
    bar = _part(body, "status_bar")
    _text(bar, "status_value")
    if background := _text(bar, "status_bg"):
        check_status_colour(background)
    _check_oa_body(_part(body, "body", required=True))


def _check_oa_body(body: Body) -> None:
    for name in ("title", "content", "image", "author"):
        _text(body, name)
    for row in _rows(body, "form"):
        _text(row, "key")
        _text(row, "value")
    _part(body, "rich")


def _check_colour(value: str) -> None:
    if len(value) != 8 or not _HEX.issuperset(value):
        raise RefusalError(34014, "bgcolor 应为 8 位十六进制颜色")


def check_status_colour(value: str) -> None:
    """A status bar's colour is `0xFF` and six hexadecimal digits."""
    if value[:4].lower() != "0xff" or len(value) != 10 or not _HEX.issuperset(value[4:]):
        raise RefusalError(34014, "status_bg 应为 0xFF 加 6 位十六进制颜色")


def _check_action_card(body: Body) -> None:
    _need(body, "markdown", most=5_000)
    _text(body, "title", most=64)
    if body.get("single_title") or body.get("single_url"):
        _need(body, "single_title", most=20)
        _need(body, "single_url", most=500)
        return
    buttons = _rows(body, "btn_json_list")
    if not buttons or str(body.get("btn_orientation")) not in ("0", "1"):
        raise RefusalError(34014, "single_title 与 btn_json_list 应二选一")
    for button in buttons:
        _need(button, "title", most=20)
        _need(button, "action_url", most=700)
    if len(canonical(buttons)) > 1_000:
        raise RefusalError(34016, "btn_json_list 的长度超过 1000")


_MEDIA_KINDS = frozenset({"image", "voice", "file"})
_CHECKERS: dict[str, Callable[[Body], None]] = {
    "text": _check_text,
    "image": _check_image,
    "voice": _check_voice,
    "file": _check_file,
    "link": _check_link,
    "oa": _check_oa,
    "markdown": _check_markdown,
    "action_card": _check_action_card,
}
