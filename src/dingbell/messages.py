"""Messages as a program writes them: the eight types, saved ones, and texts that are templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dingbell.dingtalk import messages
from dingbell.domain.message import Fillable
from dingbell.domain.recordings import seconds_of
from dingbell.errors import InputError, Text

__all__ = [
    "action_card",
    "file",
    "image",
    "link",
    "markdown",
    "oa",
    "saved_template",
    "template",
    "text",
    "voice",
]

_LARGEST = 2**22
_NO_LENGTH = Text(
    "it cannot be told how long {path} is: give duration=SECONDS",
    "无法得知 {path} 的时长: 请给出 duration=秒数",
)


def text(content: str) -> messages.Message:
    """A text message."""
    return _made(messages.Text, content)


def markdown(title: str, text: str) -> messages.Message:
    """A markdown message; the title is what the list of conversations shows."""
    return _made(messages.Markdown, title, text)


def image(path: str | Path) -> messages.Message:
    """A picture: the path of a file (jpg, png, gif, bmp), or the id of one that was uploaded."""
    return _made(messages.Image, _path(path))


def file(path: str | Path) -> messages.Message:
    """A file: its path (pdf, docx, xlsx, zip …, at most 10 MB), or the id of an uploaded one."""
    return _made(messages.File, _path(path))


def voice(path: str | Path, duration: int | None = None) -> messages.Message:
    """A recording (amr, mp3, wav, below 60 s); how long it is is read from the file."""
    seconds = _seconds(Path(path)) if duration is None else duration
    return _made(messages.Voice, _path(path), seconds)


def link(url: str, title: str, text: str, picture: str | Path) -> messages.Message:
    """A card with a picture that opens an address."""
    return _made(messages.Link, url, _path(picture), title, text)


def action_card(
    markdown: str,
    buttons: Iterable[tuple[str, str]],
    *,
    title: str | None = None,
    horizontal: bool = False,
) -> messages.Message:
    """A card of markdown with one button or several, each a title and an address."""
    given = [(name, url) for name, url in buttons]
    fields: dict[str, Any] = {"markdown": markdown}
    if title is not None:
        fields["title"] = title
    if len(given) == 1:
        fields["single"] = {"title": given[0][0], "url": given[0][1]}
    else:
        fields["buttons"] = [{"title": name, "url": url} for name, url in given]
        fields["orientation"] = "horizontal" if horizontal else "vertical"
    return _read({"action_card": fields})


def oa(
    url: str,
    head: str,
    *,
    colour: str = "FFBBBBBB",
    pc_url: str | None = None,
    status: str | None = None,
    status_colour: str | None = None,
    **body: Any,
) -> messages.Message:
    """A structured card.

    Args:
        url: what it opens.
        head: the text of its head.
        colour: of its head, AARRGGBB.
        pc_url: what it opens on a PC.
        status: what its status bar says; with one it goes to five people a call.
        status_colour: of the bar, `0xAARRGGBB`.
        body: `title`, `form` (a mapping of keys to values), `rich`, `content`, `image`,
            `file_count`, `author`.
    """
    picture = body.pop("image", None)
    fields = {"message_url": url, "head": {"bgcolor": colour, "text": head}, "body": body}
    if pc_url is not None:
        fields["pc_message_url"] = pc_url
    if status is not None:
        bar = {"status_value": status, "status_bg": status_colour}
        fields["status_bar"] = {name: value for name, value in bar.items() if value is not None}
    card = _read({"oa": fields})
    if picture is None or not isinstance(card, messages.OA):
        return card
    return replace(card, body=replace(card.body, image=_path(picture)))


def saved_template(name: str) -> Fillable:
    """What a template says that was saved under a name (`dingbell templates put`)."""
    return Fillable({"template": name})


def template(message: str | Mapping[str, Any] | messages.Message) -> Fillable:
    """A message whose `{{ person.name }}` and its like are filled in for each person.

    What a function returns is sent as it stands, unless it is wrapped in this.
    """
    if isinstance(message, str):
        return Fillable({"text": message})
    return Fillable(dict(message) if isinstance(message, Mapping) else message.to_wire())


def _path(given: str | Path) -> str:
    """A path as it is told apart from an id: it has a dot or a slash."""
    written = str(given)
    return f"./{written}" if isinstance(given, Path) and not given.is_absolute() else written


def _seconds(path: Path) -> int:
    try:
        with path.open("rb") as recording:
            found = seconds_of(recording.read(_LARGEST))
    except OSError:
        found = None
    if found is None:
        raise InputError(_NO_LENGTH.format(path=path))
    return found


def _made(kind: Any, *fields: Any) -> messages.Message:
    try:
        made: messages.Message = kind(*fields)
    except messages.MessageError as error:
        raise InputError(Text(error.en, error.zh)) from error
    return made


def _read(content: dict[str, Any]) -> messages.Message:
    try:
        return messages.parse(content)
    except messages.MessageError as error:
        raise InputError(Text(error.en, error.zh)) from error
