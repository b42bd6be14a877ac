"""The options that say what a message is: words, a saved template, a picture or file, values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dingbell.cli.language import tr

if TYPE_CHECKING:
    from dingbell.domain.media import MediaFile
    from dingbell.domain.message import Message
    from dingbell.planning.attachments import Attached

__all__ = [
    "AnyType",
    "Composed",
    "File",
    "Image",
    "Markdown",
    "Template",
    "Title",
    "Values",
    "Words",
    "composed",
    "content",
]

Words = Annotated[str | None, typer.Option("--text", help=tr("a text message", "文本消息"))]
Markdown = Annotated[
    str | None,
    typer.Option(
        "--markdown", help=tr("a markdown message; with --title", "markdown 消息; 配合 --title")
    ),
]
Title = Annotated[
    str | None, typer.Option("--title", help=tr("title of --markdown", "--markdown 的标题"))
]
AnyType = Annotated[
    str | None,
    typer.Option(
        "--message",
        help=tr(
            'any of the eight types as JSON, or @FILE: {"link": {…}}',
            '八种类型之一的 JSON, 或 @文件: {"link": {…}}',
        ),
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="NAME",
        help=tr(
            "a saved template: `dingbell templates list`", "已保存的模板: `dingbell templates list`"
        ),
    ),
]
Image = Annotated[
    Path | None,
    typer.Option("--image", metavar="FILE", help=tr("a picture", "图片文件")),
]
File = Annotated[
    Path | None,
    typer.Option("--attach", metavar="FILE", help=tr("a file, such as a PDF", "文件, 例如 PDF")),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        help=tr(
            "a value for templates, {{ vars.NAME }}; repeatable",
            "模板变量 {{ vars.名称 }}; 可多次使用",
        ),
    ),
]


@dataclass(frozen=True, slots=True)
class Composed:
    """A message, the files it names, and the values of its templates."""

    message: Message
    files: tuple[MediaFile, ...]
    vars: dict[str, Any]


def composed(*, values: list[str] | None = None, **options: Any) -> Composed:
    """Read the options of a message, see `content`, and the values of its templates.

    Raises:
        InputError: what they say does not work.
    """
    from dingbell.domain.message import Message

    attached = content(**options)
    return Composed(Message(attached.content), attached.files, _values(values or []))


def content(
    *,
    text: str | None = None,
    markdown: str | None = None,
    title: str | None = None,
    message: str | None = None,
    template: str | None = None,
    image: Path | None = None,
    file: Path | None = None,
) -> Attached:
    """Read the options that say what a message is; exactly one does.

    Raises:
        InputError: none or several do, or what they say does not work.
    """
    from dingbell.planning.attachments import attach

    given: dict[str, Any] = {
        "--text": text,
        "--markdown": markdown,
        "--message": message,
        "--template": template,
        "--image": image,
        "--attach": file,
    }
    return attach(*_content(_only(given), title))


def _only(given: dict[str, Any]) -> tuple[str, Any]:
    from dingbell.errors import InputError, Text

    present = [(option, value) for option, value in given.items() if value is not None]
    if len(present) == 1:
        return present[0]
    words = Text("write exactly one of {options}", "请只写 {options} 之一")
    raise InputError(words.format(options=", ".join(given)))


def _content(given: tuple[str, Any], title: str | None) -> tuple[dict[str, Any], Path]:
    """The message as its author wrote it, and the folder where its paths begin."""
    from dingbell.config import message_json

    option, value = given
    here = Path()
    match option:
        case "--markdown":
            return {"markdown": {"title": title or value[:20], "text": value}}, here
        case "--message":
            folder = Path(value[1:]).parent if value.startswith("@") else here
            return message_json.read(value), folder
        case "--image" | "--attach":
            # Also where the name alone could be the id of something uploaded.
            path = str(value) if value.is_absolute() else f"./{value}"
            return {"image" if option == "--image" else "file": path}, here
    return {option.removeprefix("--"): value}, here


def _values(given: list[str]) -> dict[str, Any]:
    from pydantic import TypeAdapter, ValidationError

    from dingbell.domain.variables import Vars
    from dingbell.errors import InputError, Text
    from dingbell.validation import told
    from dingbell.written import number

    found: dict[str, Any] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            words = Text("--var {one}: write NAME=VALUE", "--var {one}: 请写成 名称=值")
            raise InputError(words.format(one=one))
        read = number(value)
        found[name.strip()] = value if read is None else read
    try:
        return TypeAdapter(Vars).validate_python(found)
    except ValidationError as error:
        raise InputError(told(error.errors(include_url=False)[0]), where="--var") from None
