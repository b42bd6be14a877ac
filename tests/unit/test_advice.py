"""Advice: where DingTalk shows a message otherwise than meant; where its addresses open."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import dingbell
from dingbell.dingtalk import messages
from dingbell.domain.message import Message
from dingbell.domain.variables import Vars
from dingbell.errors import InputError
from dingbell.validation import refusal
from dingbell.written import number


def advice(content: dict[str, Any]) -> list[str]:
    return [str(text) for text in Message(content).advice()]


def markdown(text: str) -> dict[str, Any]:
    return {"markdown": {"title": "t", "text": text}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one\ntwo\nthree", "2 line ends are shown as blanks"),
        ("{{ person.name }}\n{{ due|date }}", "1 line ends"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "no tables"),
        ("```\ncode\n```", "no blocks of code"),
        ("~~old~~ new", "does not strike through"),
        ("- [x] done", "no boxes to tick"),
        ("<font color='red'>a</font>", "HTML as it is written"),
        ("![poster](poster.png)", "a picture in Markdown needs a public address"),
        ("![poster](@lADO)", "a picture in Markdown needs a public address"),
    ],
)
def test_markdown_that_dingtalk_shows_otherwise_is_told(text: str, words: str) -> None:
    assert any(words in one for one in advice(markdown(text)))


@pytest.mark.parametrize(
    "text",
    [
        "one  \ntwo",
        "one\n\ntwo",
        "# head\ntext",
        "- a\n- b\n1. c\n> d",
        "a <b@c.cn> 3 < 4 > 2",
        "![poster](https://a.cn/p.png) ![x]({{ person.photo }})",
        "a --- b",
    ],
)
def test_markdown_that_dingtalk_shows_as_it_is_meant_is_left_alone(text: str) -> None:
    assert advice(markdown(text)) == []


def test_marks_in_a_text_message_and_a_transparent_head_are_told() -> None:
    assert "use a markdown message" in advice({"text": "**bold** words"})[0]
    assert advice({"text": "2 * 3 * 4 # no mark"}) == []
    card = {"message_url": "https://a.cn", "head": {"bgcolor": "00FF0000", "text": "h"}, "body": {}}
    assert "nearly transparent" in advice({"oa": card})[0]
    assert advice({"template": "t"}) == []


@given(st.text(), st.text())
def test_the_bytes_of_the_commonest_types_are_those_of_any_encoder(one: str, other: str) -> None:
    title, text = f"t{one}", f"t{other}"
    for message in (messages.Text(text), messages.Markdown(title, text)):
        encoded = json.dumps(message.to_wire(), ensure_ascii=False, separators=(",", ":"))
        assert messages.canonical(message) == encoded.encode()


def opened(url: Any) -> str:
    content = {"action_card": {"markdown": "m", "single": {"title": "t", "url": url}}}
    card = messages.parse(content)
    assert isinstance(card, messages.ActionCard)
    assert card.single
    return card.single.url


def test_an_address_says_where_it_opens() -> None:
    page = "https://a.cn/b"
    assert opened(page) == page
    assert opened({"side_panel": page}) == dingbell.links.side_panel(page)
    assert opened({"browser": page}) == dingbell.links.browser(page)
    bench = {"workbench": page, "corp_id": "ding1", "agent_id": 7}
    assert opened(bench) == dingbell.links.workbench(page, "ding1", 7)
    assert opened({"mini_program": "pages/a", "query": {"id": 7}}) == "eapp://pages/a?id=7"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ({}, "has exactly one of side_panel"),
        ({"side_panel": "https://a.cn", "browser": "https://a.cn"}, "has exactly one of"),
        ({"side_panel": "/b"}, "begins with https://"),
        ({"workbench": "https://a.cn", "agent_id": 1}, "corp_id is missing"),
        ({"side_panel": "https://a.cn", "wide": True}, "wide is not a field"),
        ({"mini_program": "pages/a", "query": "id"}, "query must be a mapping"),
    ],
)
def test_an_address_that_cannot_be_opened_so_is_refused(url: Any, words: str) -> None:
    with pytest.raises(messages.MessageError, match=words):
        opened(url)


def test_every_type_is_written_in_python() -> None:
    card = dingbell.action_card("m", [("a", "https://a.cn")], title="t")
    several = dingbell.action_card(
        "m", [("a", "https://a.cn"), ("b", "https://b.cn")], horizontal=True
    )
    oa = dingbell.oa(
        "https://a.cn", "head", status="new", title="t", form={"k": "v"}, image="p.png"
    )
    for made in (
        dingbell.text("t"),
        dingbell.markdown("t", "m"),
        dingbell.image("@lADO"),
        dingbell.file("@lAj"),
        dingbell.voice("@lAT", 3),
        dingbell.link("https://a.cn", "t", "x", "@lAL"),
        card,
        several,
    ):
        assert Message(made.to_wire()).body({})
    assert oa.to_wire()["oa"]["body"]["image"] == "p.png"
    with pytest.raises(InputError, match="duration=SECONDS"):
        dingbell.voice("none.amr")
    with pytest.raises(InputError, match="single link or buttons"):
        dingbell.action_card("m", [])


_VARS: TypeAdapter[dict[str, Any]] = TypeAdapter(Vars)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "vars is a mapping"),
        ({"_a": 1}, "_a is no name of a variable"),
        ({"a b": 1}, "a b is no name of a variable"),
        ({"a": {"b": 1}}, "a is a mapping"),
        ({"a": [[1]]}, r"a\[0\] is a list in a list"),
        ({"a": None}, "a is empty"),
        ({"a": list(range(1_001))}, "a has more than 1000 values"),
    ],
)
def test_values_that_no_template_could_show_are_refused(values: Any, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _VARS.validate_python(values)
    with pytest.raises(InputError, match=words):
        raise refusal(refused.value)


@pytest.mark.parametrize("written", ["15.60", "0012", "+8613800138000", "1e3", "0x10", "-0.5", "7"])
def test_values_are_written_as_their_author_wrote_them(written: str) -> None:
    kept = _VARS.dump_python(_VARS.validate_python({"a": number(written)}), mode="json")
    again = _VARS.validate_python(kept)
    message = Message({"text": "{{ vars.a }}"})
    assert f'"content":"{written}"'.encode() in message.body({"vars": again})
