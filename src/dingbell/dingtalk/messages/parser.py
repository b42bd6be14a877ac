"""Reads a message from a mapping: DingTalk's own shape, or the shorter one people write in YAML.

Wire shape: `{"msgtype": "text", "text": {"content": "…"}}`. Short shape: `{"text": "…"}`,
`{"markdown": {"title": "…", "text": "…"}}`. Fields go by DingTalk's names; for `link` both
`messageUrl` and `message_url`, for `oa.status_bar` both `status_value` and `value`, for buttons
both `btn_json_list` and `buttons` are read. Numbers are taken where text is meant. An address may
be a mapping that says where it opens: `{side_panel: URL}`, see `links`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from dingbell.dingtalk import links
from dingbell.dingtalk.messages.checks import MessageError
from dingbell.dingtalk.messages.kinds import (
    OA,
    ActionCard,
    Body,
    Button,
    File,
    Head,
    Image,
    Link,
    Markdown,
    Message,
    Rich,
    Single,
    StatusBar,
    Text,
    Voice,
)

__all__ = ["parse"]

_MEDIA_ID: Final = re.compile(r"[@$]?[A-Za-z0-9_+=-]+", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class _Fields:
    """A mapping whose fields are taken by name; what is left over at the end is unknown."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise _wrong(path, f"{path} must be a mapping", f"{path} 必须是映射")
        self._path = path
        self._left = {str(key): item for key, item in value.items()}

    def take(self, *names: str) -> Any:
        """The value under whichever of these names is there, else None."""
        given = {name: self._left.pop(name) for name in names if name in self._left}
        present = [name for name, value in given.items() if value is not None]
        if len(present) > 1:
            field, other = (f"{self._path}.{name}" for name in present[:2])
            raise _wrong(other, f"{field} and {other} are the same", f"{field} 与 {other} 重复")
        return given[present[0]] if present else None

    def text(self, *names: str) -> str | None:
        """Text or a number, else None."""
        return _text(f"{self._path}.{names[0]}", self.take(*names))

    def address(self, *names: str) -> str | None:
        """An address, or a mapping that says where it opens, see `links`; else None."""
        field, value = f"{self._path}.{names[0]}", self.take(*names)
        return _opened(field, value) if isinstance(value, Mapping) else _text(field, value)

    def needed_address(self, *names: str) -> str:
        """An address that must be there."""
        value = self.address(*names)
        if value is None:
            raise self.missing(names[0])
        return value

    def needed(self, *names: str) -> str:
        """Text or a number that must be there."""
        value = self.text(*names)
        if value is None:
            raise self.missing(names[0])
        return value

    def missing(self, name: str) -> MessageError:
        """The error for a field that is not there."""
        field = f"{self._path}.{name}"
        return _wrong(field, f"{field} is missing", f"缺少 {field}")

    def done(self) -> None:
        """Demand that nothing is left over."""
        for name in self._left:
            field = f"{self._path}.{name}"
            raise _wrong(field, f"{field} is not a field of this message", f"未知字段 {field}")


_OPENS: Final = ("side_panel", "browser", "workbench", "mini_program")


def _opened(path: str, value: Mapping[str, Any]) -> str:
    """`{side_panel: URL}` and its like as the address that opens so.

    Raises:
        MessageError: it names no way to open, several, or what cannot be opened so.
    """
    fields = _Fields(path, value)
    given = {name: fields.text(name) for name in _OPENS}
    named = [name for name in _OPENS if given[name] is not None]
    if len(named) != 1:
        ways = ", ".join(_OPENS)
        raise _wrong(path, f"{path} has exactly one of {ways}", f"{path} 只能有 {ways} 之一")
    how, target = named[0], given[named[0]] or ""
    try:
        if how == "workbench":
            found = links.workbench(target, fields.needed("corp_id"), fields.needed("agent_id"))
        elif how == "mini_program":
            found = links.mini_program(target, _query(path, fields.take("query")))
        else:
            found = (links.browser if how == "browser" else links.side_panel)(target)
    except links.LinkError as error:
        raise _wrong(
            f"{path}.{error.field}", f"{path}: {error.en}", f"{path}: {error.zh}"
        ) from None
    fields.done()
    return found


def _query(path: str, value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(f"{path}.query", f"{path}.query must be a mapping", f"{path}.query 必须是映射")
    return {str(key): _text(f"{path}.query.{key}", one) or "" for key, one in value.items()}


def _wrong(field: str, en: str, zh: str) -> MessageError:
    return MessageError(field, en, zh)


def _text(field: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _wrong(field, f"{field} must be text", f"{field} 必须是文本")


def parse(mapping: Mapping[str, Any]) -> Message:
    """Read a message.

    Raises:
        MessageError: the type or a field is unknown, missing or over its limit; the error's
            `field` is the dotted path, such as `markdown.title`.
    """
    if not isinstance(mapping, Mapping):
        raise _wrong("message", "a message must be a mapping", "消息必须是映射")
    content = {str(key): value for key, value in mapping.items()}
    given = content.pop("msgtype", None)
    kind = _only_type(content) if given is None else str(given)
    if kind not in _READERS:
        raise _unknown_type(kind)
    for name in content:
        if name != kind:
            raise _wrong(
                name, f"{name} has no place in a {kind} message", f"{kind} 消息中不应有 {name}"
            )
    if content.get(kind) is None:
        raise _wrong(kind, f"{kind} is missing", f"缺少 {kind}")
    return _READERS[kind](content[kind])


def _only_type(content: Mapping[str, Any]) -> str:
    """The type of a message in the short shape."""
    types = [name for name in content if name in _READERS]
    if len(types) == 1:
        return types[0]
    if not types and content:
        raise _unknown_type(next(iter(content)))
    names = ", ".join(_READERS)
    raise _wrong(
        "message",
        f"a message has exactly one of {names}",
        f"一条消息必须且只能有一种类型: {names}",
    )


def _unknown_type(name: str) -> MessageError:
    names = ", ".join(_READERS)
    return _wrong(
        name,
        f"{name} is not a message type; there are {names}",
        f"未知的消息类型 {name}; 可用: {names}",
    )


def _simple(path: str, name: str, value: object) -> str:
    """The only field of a type: written by itself, or in a mapping."""
    plain = None if isinstance(value, Mapping) else _text(path, value)
    if plain is not None:
        return plain
    fields = _Fields(path, value)
    found = fields.needed(name)
    fields.done()
    return found


def _read_text(value: object) -> Text:
    return Text(_simple("text", "content", value))


def _media(field: str, value: str) -> str:
    """The id of something uploaded: DingTalk's begin with `@` or `$`, or are letters and digits."""
    if _MEDIA_ID.fullmatch(value):
        return value
    raise _wrong(
        field,
        f"{field} is the id that DingTalk gave for an uploaded file, such as @lADOabc, not a path "
        f"or an address: {value!r}",
        f"{field} 是上传文件后钉钉给出的 id, 例如 @lADOabc, 而不是路径或网址: {value!r}",
    )


def _picture(field: str, value: str) -> str:
    """A picture inside another message: an uploaded one, or one with an address of its own."""
    return value if value.startswith(("https://", "http://")) else _media(field, value)


def _read_image(value: object) -> Image:
    return Image(_media("image.media_id", _simple("image", "media_id", value)))


def _read_file(value: object) -> File:
    return File(_media("file.media_id", _simple("file", "media_id", value)))


def _read_voice(value: object) -> Voice:
    fields = _Fields("voice", value)
    media_id, duration = fields.needed("media_id"), fields.needed("duration")
    fields.done()
    if not _SECONDS.fullmatch(duration):
        raise _wrong(
            "voice.duration",
            f"voice.duration must be a whole number of seconds, not {duration!r}",
            f"voice.duration 必须是整数秒, 而不是 {duration!r}",
        )
    return Voice(_media("voice.media_id", media_id), int(duration))


def _read_link(value: object) -> Link:
    fields = _Fields("link", value)
    link = Link(
        message_url=fields.needed_address("message_url", "messageUrl"),
        pic_url=_picture("link.pic_url", fields.needed("pic_url", "picUrl")),
        title=fields.needed("title"),
        text=fields.needed("text"),
    )
    fields.done()
    return link


def _read_markdown(value: object) -> Markdown:
    fields = _Fields("markdown", value)
    markdown = Markdown(fields.needed("title"), fields.needed("text"))
    fields.done()
    return markdown


def _read_oa(value: object) -> OA:
    fields = _Fields("oa", value)
    head, body, bar = fields.take("head"), fields.take("body"), fields.take("status_bar")
    for name, part in (("head", head), ("body", body)):
        if part is None:
            raise fields.missing(name)
    message = OA(
        message_url=fields.needed_address("message_url"),
        pc_message_url=fields.address("pc_message_url"),
        head=_read_head(head),
        body=_read_body(body),
        status_bar=None if bar is None else _read_status_bar(bar),
    )
    fields.done()
    return message


def _read_head(value: object) -> Head:
    fields = _Fields("oa.head", value)
    head = Head(bgcolor=fields.needed("bgcolor"), text=fields.needed("text"))
    fields.done()
    return head


def _read_status_bar(value: object) -> StatusBar:
    fields = _Fields("oa.status_bar", value)
    bar = StatusBar(
        value=fields.text("status_value", "value"),
        background=fields.text("status_bg", "background"),
    )
    fields.done()
    return bar


def _read_body(value: object) -> Body:
    fields = _Fields("oa.body", value)
    rich, image = fields.take("rich"), fields.text("image")
    body = Body(
        title=fields.text("title"),
        form=_read_form(fields.take("form")),
        rich=None if rich is None else _read_rich(rich),
        content=fields.text("content"),
        image=_picture("oa.body.image", image) if image else image,
        file_count=fields.text("file_count"),
        author=fields.text("author"),
    )
    fields.done()
    return body


def _read_rich(value: object) -> Rich:
    fields = _Fields("oa.body.rich", value)
    rich = Rich(num=fields.text("num"), unit=fields.text("unit"))
    fields.done()
    return rich


def _read_form(value: object) -> tuple[tuple[str, str], ...]:
    """A list of `{key, value}` or of pairs, or one mapping of keys to values."""
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple(
            (str(key), _text(f"oa.body.form.{key}", item) or "") for key, item in value.items()
        )
    return tuple(
        _read_line(f"oa.body.form[{index}]", line)
        for index, line in enumerate(_list("oa.body.form", value))
    )


def _read_line(path: str, line: object) -> tuple[str, str]:
    if isinstance(line, list | tuple) and len(line) == 2:
        return _text(f"{path}.key", line[0]) or "", _text(f"{path}.value", line[1]) or ""
    fields = _Fields(path, line)
    pair = fields.text("key") or "", fields.text("value") or ""
    fields.done()
    return pair


def _list(path: str, value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise _wrong(path, f"{path} must be a list", f"{path} 必须是列表")
    return value


def _read_action_card(value: object) -> ActionCard:
    fields = _Fields("action_card", value)
    card = ActionCard(
        markdown=fields.needed("markdown"),
        title=fields.text("title"),
        single=_read_single(fields),
        buttons=_read_buttons(fields.take("btn_json_list", "buttons")),
        orientation=_read_orientation(fields.text("btn_orientation", "orientation")),
    )
    fields.done()
    return card


def _read_single(card: _Fields) -> Single | None:
    """`single: {title, url}`, or DingTalk's `single_title` and `single_url`."""
    nested = card.take("single")
    if nested is not None:
        fields = _Fields("action_card.single", nested)
        single = Single(fields.needed("title"), fields.needed_address("url"))
        fields.done()
        return single
    title, url = card.text("single_title"), card.address("single_url")
    if title is None and url is None:
        return None
    if title is None or url is None:
        raise card.missing("single_title" if title is None else "single_url")
    return Single(title, url)


def _read_buttons(value: object) -> tuple[Button, ...]:
    if value is None:
        return ()
    path = "action_card.btn_json_list"
    return tuple(
        _read_button(f"{path}[{index}]", item) for index, item in enumerate(_list(path, value))
    )


def _read_button(path: str, value: object) -> Button:
    fields = _Fields(path, value)
    button = Button(fields.needed("title"), fields.needed_address("action_url", "url"))
    fields.done()
    return button


def _read_orientation(value: str | None) -> Literal["vertical", "horizontal"]:
    if value in (None, "0", "vertical"):
        return "vertical"
    if value in ("1", "horizontal"):
        return "horizontal"
    field = "action_card.btn_orientation"
    raise _wrong(
        field,
        f"{field} must be vertical or horizontal (0 or 1), not {value!r}",
        f"{field} 必须是 vertical 或 horizontal (0 或 1), 而不是 {value!r}",
    )


_READERS: Final[Mapping[str, Callable[[object], Message]]] = {
    "text": _read_text,
    "image": _read_image,
    "voice": _read_voice,
    "file": _read_file,
    "link": _read_link,
    "oa": _read_oa,
    "markdown": _read_markdown,
    "action_card": _read_action_card,
}
