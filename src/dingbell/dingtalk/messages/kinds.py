"""The eight message types: immutable values, checked against DingTalk's limits when made.

Facts from [D0775] and, for action cards, code 34016 of [D0013], read 2026-11-23. Every value
raises `MessageError` when a hard limit is broken; recommendations are in `advice`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from dingbell.dingtalk import limits
from dingbell.dingtalk.messages import checks
from dingbell.dingtalk.messages.checks import MessageError

__all__ = [
    "OA",
    "ActionCard",
    "Body",
    "Button",
    "File",
    "Head",
    "Image",
    "Link",
    "Markdown",
    "Message",
    "Rich",
    "Single",
    "StatusBar",
    "Text",
    "Voice",
]

Wire: TypeAlias = dict[str, Any]


def _present(**fields: Any) -> Wire:
    """The fields that are there, in the order given."""
    return {name: value for name, value in fields.items() if value is not None}


def _optional_text(prefix: str, **fields: object) -> None:
    """Demand that what is given is text; it may be empty."""
    for name, value in fields.items():
        if value is not None and not isinstance(value, str):
            field = f"{prefix}.{name}"
            raise MessageError(
                field, f"{field} must be text", f"{field} 必须是文本", found=type(value).__name__
            )


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    type: ClassVar[str] = "text"
    content: str

    def __post_init__(self) -> None:
        checks.needs_text("text.content", self.content)

    def to_wire(self) -> Wire:
        """The `msg` object."""
        return {"msgtype": "text", "text": {"content": self.content}}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that was uploaded."""

    type: ClassVar[str] = "image"
    media_id: str

    def __post_init__(self) -> None:
        checks.needs_text("image.media_id", self.media_id)

    def to_wire(self) -> Wire:
        """The `msg` object."""
        return {"msgtype": "image", "image": {"media_id": self.media_id}}


@dataclass(frozen=True, slots=True)
class Voice:
    """A recording that was uploaded; `duration` in whole seconds, 1 to 59."""

    type: ClassVar[str] = "voice"
    media_id: str
    duration: int

    def __post_init__(self) -> None:
        checks.needs_text("voice.media_id", self.media_id)
        seconds: object = self.duration
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            raise MessageError(
                "voice.duration",
                "voice.duration must be a whole number of seconds",
                "voice.duration 必须是整数秒",
                found=type(seconds).__name__,
            )
        if not 0 < seconds < limits.VOICE_SECONDS:
            raise MessageError(
                "voice.duration",
                f"voice.duration is {seconds} s, it must be 1 to {limits.VOICE_SECONDS - 1} s",
                f"voice.duration 为 {seconds} 秒, 必须在 1 到 {limits.VOICE_SECONDS - 1} 秒之间",
                limit=limits.VOICE_SECONDS - 1,
                found=seconds,
            )

    def to_wire(self) -> Wire:
        """The `msg` object; DingTalk wants the duration as text."""
        return {
            "msgtype": "voice",
            "voice": {"media_id": self.media_id, "duration": str(self.duration)},
        }


@dataclass(frozen=True, slots=True)
class File:
    """A file that was uploaded, at most 10 MB."""

    type: ClassVar[str] = "file"
    media_id: str

    def __post_init__(self) -> None:
        checks.needs_text("file.media_id", self.media_id)

    def to_wire(self) -> Wire:
        """The `msg` object."""
        return {"msgtype": "file", "file": {"media_id": self.media_id}}


@dataclass(frozen=True, slots=True)
class Link:
    """A card with a picture (`pic_url` is a media id) that opens an address."""

    type: ClassVar[str] = "link"
    message_url: str
    pic_url: str
    title: str
    text: str

    def __post_init__(self) -> None:
        checks.needs_text("link.message_url", self.message_url)
        checks.needs_text("link.pic_url", self.pic_url)
        checks.needs_text("link.title", self.title)
        checks.needs_text("link.text", self.text)

    def to_wire(self) -> Wire:
        """The `msg` object; the only type in camelCase."""
        return {
            "msgtype": "link",
            "link": {
                "messageUrl": self.message_url,
                "picUrl": self.pic_url,
                "title": self.title,
                "text": self.text,
            },
        }


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an OA message: a colour AARRGGBB, and a text that DingTalk shows or replaces."""

    bgcolor: str
    text: str

    def __post_init__(self) -> None:
        checks.needs_text("oa.head.bgcolor", self.bgcolor)
        checks.colour("oa.head.bgcolor", self.bgcolor)
        checks.needs_text("oa.head.text", self.text)


@dataclass(frozen=True, slots=True)
class Rich:
    """The large figure of an OA message."""

    num: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        _optional_text("oa.body.rich", num=self.num, unit=self.unit)


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an OA message; every part is optional. `form` is pairs of key and value."""

    title: str | None = None
    form: tuple[tuple[str, str], ...] = ()
    rich: Rich | None = None
    content: str | None = None
    image: str | None = None
    file_count: str | None = None
    author: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "form", tuple((key, value) for key, value in self.form))
        for index, (key, value) in enumerate(self.form):
            _optional_text(f"oa.body.form[{index}]", key=key, value=value)
        _optional_text(
            "oa.body",
            title=self.title,
            content=self.content,
            image=self.image,
            file_count=self.file_count,
            author=self.author,
        )

    def to_wire(self) -> Wire:
        """The `body` object."""
        form = [{"key": key, "value": value} for key, value in self.form]
        rich = _present(num=self.rich.num, unit=self.rich.unit) if self.rich else None
        return _present(
            title=self.title,
            form=form or None,
            rich=rich,
            content=self.content,
            image=self.image,
            file_count=self.file_count,
            author=self.author,
        )


@dataclass(frozen=True, slots=True)
class StatusBar:
    """The status of an OA message, which can be changed later; background as 0xAARRGGBB."""

    value: str | None = None
    background: str | None = None

    def __post_init__(self) -> None:
        _optional_text("oa.status_bar", status_value=self.value, status_bg=self.background)
        if self.background is not None:
            checks.status_colour("oa.status_bar.status_bg", self.background)

    def to_wire(self) -> Wire:
        """The `status_bar` object."""
        return _present(status_value=self.value, status_bg=self.background)


@dataclass(frozen=True, slots=True)
class OA:
    """A structured card. With a status bar it goes to at most 5 people per call."""

    type: ClassVar[str] = "oa"
    message_url: str
    head: Head
    body: Body
    pc_message_url: str | None = None
    status_bar: StatusBar | None = None

    def __post_init__(self) -> None:
        checks.needs_text("oa.message_url", self.message_url)
        _optional_text("oa", pc_message_url=self.pc_message_url)

    def to_wire(self) -> Wire:
        """The `msg` object."""
        return {
            "msgtype": "oa",
            "oa": _present(
                message_url=self.message_url,
                pc_message_url=self.pc_message_url,
                head={"bgcolor": self.head.bgcolor, "text": self.head.text},
                status_bar=self.status_bar.to_wire() if self.status_bar else None,
                body=self.body.to_wire(),
            ),
        }


@dataclass(frozen=True, slots=True)
class Markdown:
    """Markdown; the title is what the conversation list shows."""

    type: ClassVar[str] = "markdown"
    title: str
    text: str

    def __post_init__(self) -> None:
        checks.needs_text("markdown.title", self.title)
        checks.needs_text("markdown.text", self.text)
        checks.at_most("markdown.text", self.text, limits.MARKDOWN_TEXT_CHARS)

    def to_wire(self) -> Wire:
        """The `msg` object."""
        return {"msgtype": "markdown", "markdown": {"title": self.title, "text": self.text}}


@dataclass(frozen=True, slots=True)
class Single:
    """The one link of an action card."""

    title: str
    url: str

    def __post_init__(self) -> None:
        checks.needs_text("action_card.single_title", self.title)
        checks.at_most("action_card.single_title", self.title, limits.ACTION_SINGLE_TITLE_CHARS)
        checks.needs_text("action_card.single_url", self.url)
        checks.at_most("action_card.single_url", self.url, limits.ACTION_SINGLE_URL_CHARS)


@dataclass(frozen=True, slots=True)
class Button:
    """One of several buttons of an action card."""

    title: str
    action_url: str

    def __post_init__(self) -> None:
        title, url = "action_card.btn_json_list.title", "action_card.btn_json_list.action_url"
        checks.needs_text(title, self.title)
        checks.at_most(title, self.title, limits.ACTION_BUTTON_TITLE_CHARS)
        checks.needs_text(url, self.action_url)
        checks.at_most(url, self.action_url, limits.ACTION_BUTTON_URL_CHARS)

    def to_wire(self) -> Wire:
        """One entry of `btn_json_list`."""
        return {"title": self.title, "action_url": self.action_url}


_ORIENTATION = {"vertical": "0", "horizontal": "1"}


@dataclass(frozen=True, slots=True)
class ActionCard:
    """A card of markdown with either a single link or several buttons."""

    type: ClassVar[str] = "action_card"
    markdown: str
    title: str | None = None
    single: Single | None = None
    buttons: tuple[Button, ...] = ()
    orientation: Literal["vertical", "horizontal"] = "vertical"

    def __post_init__(self) -> None:
        object.__setattr__(self, "buttons", tuple(self.buttons))
        checks.needs_text("action_card.markdown", self.markdown)
        _optional_text("action_card", title=self.title)
        checks.at_most("action_card.title", self.title or "", limits.ACTION_TITLE_CHARS)
        if (self.single is None) == (not self.buttons):
            raise MessageError(
                "action_card",
                "action_card needs either a single link or buttons, not both",
                "action_card 需要单个链接或按钮列表, 二者必居其一",
            )
        if self.orientation not in _ORIENTATION:
            raise MessageError(
                "action_card.btn_orientation",
                "action_card.btn_orientation must be vertical or horizontal",
                "action_card.btn_orientation 必须是 vertical 或 horizontal",
                found=str(self.orientation),
            )
        listed = json.dumps(self._buttons(), ensure_ascii=False, separators=(",", ":"))
        checks.at_most("action_card.btn_json_list", listed, limits.ACTION_BUTTONS_CHARS)

    def _buttons(self) -> list[Wire]:
        return [button.to_wire() for button in self.buttons]

    def to_wire(self) -> Wire:
        """The `msg` object."""
        if self.single:
            links = {"single_title": self.single.title, "single_url": self.single.url}
        else:
            links = {
                "btn_orientation": _ORIENTATION[self.orientation],
                "btn_json_list": self._buttons(),  # type: ignore[dict-item]
            }
        return {
            "msgtype": "action_card",
            "action_card": {**_present(title=self.title, markdown=self.markdown), **links},
        }


Message: TypeAlias = Text | Image | Voice | File | Link | OA | Markdown | ActionCard
"""One of the eight."""
