"""Where DingTalk shows a message otherwise than its author may think [D0775], read 2026-11-23.

Of Markdown it knows headings, quotes, bold, italic, links, pictures with a public address, and
lists; a line ends only where two blanks or an empty line stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

__all__ = ["Surprise", "of_head", "of_markdown", "of_text"]


@dataclass(frozen=True, slots=True)
class Surprise:
    """Something that is shown otherwise.

    Attributes:
        found: how often it was found.
    """

    found: int
    en: str
    zh: str


# What begins a line that stands by itself whatever stands before it.
_BLOCK: Final = re.compile(r"\s*(?:[-*+]\s|[0-9]{1,9}[.)]\s|#{1,6}\s|>|!\[|\||```)")
_NOT_KNOWN: Final = (
    (
        re.compile(r"^\s*\|?(?:\s*:?-{3,}:?\s*\|)+\s*:?-*:?\s*$", re.MULTILINE),
        "DingTalk shows no tables: write lines or a list instead",
        "钉钉不显示表格: 请改为分行或列表",
    ),
    (
        re.compile(r"^\s*(?:```|~~~)", re.MULTILINE),
        "DingTalk shows no blocks of code",
        "钉钉不显示代码块",
    ),
    (
        re.compile(r"~~[^~\n]+~~"),
        "DingTalk does not strike through: the ~~ stay visible",
        "钉钉不支持删除线: ~~ 会原样显示",
    ),
    (
        re.compile(r"^\s*[-*+]\s\[[ xX]\]\s", re.MULTILINE),
        "DingTalk knows no boxes to tick: [ ] stays visible",
        "钉钉不支持任务列表: [ ] 会原样显示",
    ),
    (
        re.compile(r"</?(?!https?:)[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>"),
        "DingTalk may show HTML as it is written",
        "HTML 标签可能原样显示",
    ),
    (
        re.compile(r"!\[[^\]\n]*\]\((?!https?://|\{[{%])[^)\n]*\)"),
        "a picture in Markdown needs a public address that begins with https://",
        "markdown 中的图片需要以 https:// 开头的公网地址",
    ),
)
_MARKS: Final = re.compile(
    r"\*\*[^*\n]+\*\*|^#{1,6}\s\S|\[[^\]\n]+\]\(https?://[^)\s]+\)", re.MULTILINE
)


def of_markdown(text: str) -> Iterator[Surprise]:
    """What of a Markdown text is shown otherwise."""
    joined = _joined_lines(text)
    if joined:
        yield Surprise(
            joined,
            f"{joined} line ends are shown as blanks: end a line with two blanks, or leave an "
            "empty line",
            f"{joined} 处换行会被显示为空格: 请在行尾加两个空格, 或空一行",
        )
    for pattern, en, zh in _NOT_KNOWN:
        if count := len(pattern.findall(text)):
            yield Surprise(count, en, zh)


def _joined_lines(text: str) -> int:
    """How many lines run on into the next one."""
    lines = text.replace("\r\n", "\n").split("\n")
    return sum(_runs_on(one, following) for one, following in pairwise(lines))


def _runs_on(line: str, following: str) -> bool:
    if not line.strip() or not following.strip() or line.endswith("  "):
        return False
    return not _BLOCK.match(following) and not re.match(r"\s*(?:#{1,6}\s|\||```)", line)


def of_text(text: str) -> Iterator[Surprise]:
    """What of a plain text is shown as it is written."""
    if count := len(_MARKS.findall(text)):
        yield Surprise(
            count,
            "a text message shows Markdown as it is written: use a markdown message",
            "text 消息会原样显示 Markdown 标记: 请使用 markdown 消息",
        )


def of_head(colour: str) -> Iterator[Surprise]:
    """What of the head of an OA message is shown otherwise: AARRGGBB begins with the opacity."""
    if int(colour[:2], 16) < 0x80:
        yield Surprise(
            1,
            f"the colour {colour} is nearly transparent: its first two digits are the opacity, FF "
            "is solid",
            f"颜色 {colour} 几乎透明: 前两位是不透明度, FF 为不透明",
        )
