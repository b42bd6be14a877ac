"""Recommendations that DingTalk prints beside the limits: breaking one is a warning, no error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dingbell.dingtalk import limits
from dingbell.dingtalk.messages import rendering
from dingbell.dingtalk.messages.kinds import OA, ActionCard, Link, Markdown, Message, Text

__all__ = ["Warning_", "warnings"]


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801  `Warning` is Python's
    """A recommendation that a message does not follow."""

    field: str
    limit: int
    found: int
    en: str
    zh: str


def warnings(message: Message) -> list[Warning_]:
    """Everything about a message that DingTalk advises against [D0775]."""
    found = [_long(*measure) for measure in _measures(message) if measure[1] > measure[2]]
    if isinstance(message, OA) and len(message.body.form) > limits.OA_FORM_SHOWN:
        found.append(_hidden(len(message.body.form)))
    return found + [_otherwise(*one) for one in _renderings(message)]


def _renderings(message: Message) -> Iterator[tuple[str, rendering.Surprise]]:
    """Field, and what DingTalk shows otherwise than its author may think."""
    match message:
        case Text():
            found = (("text.content", one) for one in rendering.of_text(message.content))
        case Markdown():
            found = (("markdown.text", one) for one in rendering.of_markdown(message.text))
        case ActionCard():
            shown = rendering.of_markdown(message.markdown)
            found = (("action_card.markdown", one) for one in shown)
        case OA():
            found = (("oa.head", one) for one in rendering.of_head(message.head.bgcolor))
        case _:
            return
    yield from found


def _otherwise(field: str, surprise: rendering.Surprise) -> Warning_:
    return Warning_(field, 0, surprise.found, f"{field}: {surprise.en}", f"{field}: {surprise.zh}")


def _measures(message: Message) -> Iterator[tuple[str, int, int]]:
    """Field, characters found, characters recommended."""
    match message:
        case Text():
            yield "text.content", len(message.content), limits.TEXT_ADVISED_CHARS
        case Link():
            yield "link.title", len(message.title), limits.LINK_TITLE_ADVISED_CHARS
            yield "link.text", len(message.text), limits.LINK_TEXT_ADVISED_CHARS
        case OA():
            yield "oa.body.title", len(message.body.title or ""), limits.OA_TITLE_ADVISED_CHARS
        case ActionCard():
            yield (
                "action_card.markdown",
                len(message.markdown),
                limits.ACTION_CARD_MARKDOWN_ADVISED_CHARS,
            )


def _long(field: str, found: int, limit: int) -> Warning_:
    return Warning_(
        field,
        limit,
        found,
        f"{field} has {found} characters, DingTalk recommends at most {limit}",
        f"{field} 有 {found} 个字符, 钉钉建议不超过 {limit}",
    )


def _hidden(found: int) -> Warning_:
    limit = limits.OA_FORM_SHOWN
    return Warning_(
        "oa.body.form",
        limit,
        found,
        f"oa.body.form has {found} lines, DingTalk shows {limit} and hides the rest",
        f"oa.body.form 有 {found} 行, 钉钉只显示前 {limit} 行",
    )
