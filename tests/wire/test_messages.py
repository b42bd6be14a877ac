"""The eight messages: their wire shape, their bytes, their limits, and how they are read."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.dingtalk import limits, messages
from dingbell.dingtalk.messages import (
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
    MessageError,
    Rich,
    Single,
    StatusBar,
    Text,
    Voice,
)

URL = "https://example.com/a"
HEAD = Head("FFBBBBBB", "头部")

# Fact sheet §4, "minimal valid examples": the value and its bytes.
VECTORS: list[tuple[Message, str]] = [
    (Text("请提交日报"), '{"msgtype":"text","text":{"content":"请提交日报"}}'),
    (Image("@lADOabc"), '{"msgtype":"image","image":{"media_id":"@lADOabc"}}'),
    (
        Voice("@lATOabc", 10),
        '{"msgtype":"voice","voice":{"media_id":"@lATOabc","duration":"10"}}',
    ),
    (File("@lAjPabc"), '{"msgtype":"file","file":{"media_id":"@lAjPabc"}}'),
    (
        Link(URL, "@lALOabc", "标题", "描述"),
        (
            '{"msgtype":"link","link":{"messageUrl":"https://example.com/a","picUrl":"@lALOabc",'
            '"title":"标题","text":"描述"}}'
        ),
    ),
    (
        OA(URL, HEAD, Body(title="正文")),
        (
            '{"msgtype":"oa","oa":{"message_url":"https://example.com/a",'
            '"head":{"bgcolor":"FFBBBBBB","text":"头部"},"body":{"title":"正文"}}}'
        ),
    ),
    (
        OA(
            URL,
            HEAD,
            Body(title="正文", form=(("姓名:", "张三"),)),
            status_bar=StatusBar("进行中", "0xFFFF9D46"),
        ),
        (
            '{"msgtype":"oa","oa":{"message_url":"https://example.com/a",'
            '"head":{"bgcolor":"FFBBBBBB","text":"头部"},'
            '"status_bar":{"status_value":"进行中","status_bg":"0xFFFF9D46"},'
            '"body":{"title":"正文","form":[{"key":"姓名:","value":"张三"}]}}}'
        ),
    ),
    (
        Markdown("首屏文案", "# 标题  \n  正文"),
        '{"msgtype":"markdown","markdown":{"title":"首屏文案","text":"# 标题  \\n  正文"}}',
    ),
    (
        ActionCard("正文", "通知", single=Single("查看详情", URL)),
        (
            '{"msgtype":"action_card","action_card":{"title":"通知","markdown":"正文",'
            '"single_title":"查看详情","single_url":"https://example.com/a"}}'
        ),
    ),
    (
        ActionCard(
            "正文",
            "通知",
            buttons=(
                Button("同意", "https://example.com/y"),
                Button("拒绝", "https://example.com/n"),
            ),
            orientation="horizontal",
        ),
        (
            '{"msgtype":"action_card","action_card":{"title":"通知","markdown":"正文",'
            '"btn_orientation":"1","btn_json_list":['
            '{"title":"同意","action_url":"https://example.com/y"},'
            '{"title":"拒绝","action_url":"https://example.com/n"}]}}'
        ),
    ),
]


@pytest.mark.parametrize(("message", "wire"), VECTORS)
def test_each_type_has_the_documented_bytes(message: Message, wire: str) -> None:
    assert messages.canonical(message) == wire.encode()
    assert messages.parse(json.loads(wire)) == message


def test_a_full_oa_body_keeps_the_order_of_the_wire() -> None:
    body = Body("t", [("k", "v")], Rich("15.6", "元"), "c", "@m", "3", "a")  # type: ignore[arg-type]
    message = OA(URL, HEAD, body, pc_message_url=URL)
    found = message.to_wire()["oa"]
    assert list(found) == ["message_url", "pc_message_url", "head", "body"]
    assert list(found["body"]) == [
        "title",
        "form",
        "rich",
        "content",
        "image",
        "file_count",
        "author",
    ]
    assert messages.parse(message.to_wire()) == message


@pytest.mark.parametrize(
    ("short", "message"),
    [
        ({"text": "hello"}, Text("hello")),
        ({"text": {"content": "hello"}}, Text("hello")),
        ({"text": 42}, Text("42")),
        ({"image": "@m"}, Image("@m")),
        ({"image": {"media_id": "@m"}}, Image("@m")),
        ({"file": "@m"}, File("@m")),
        ({"voice": {"media_id": "@m", "duration": 10}}, Voice("@m", 10)),
        ({"markdown": {"title": "t", "text": "x"}}, Markdown("t", "x")),
        (
            {"link": {"message_url": URL, "pic_url": "@m", "title": "t", "text": "x"}},
            Link(URL, "@m", "t", "x"),
        ),
        (
            {"action_card": {"markdown": "m", "single": {"title": "t", "url": URL}}},
            ActionCard("m", single=Single("t", URL)),
        ),
        (
            {
                "action_card": {
                    "markdown": "m",
                    "buttons": [{"title": "t", "url": URL}],
                    "orientation": "vertical",
                }
            },
            ActionCard("m", buttons=(Button("t", URL),)),
        ),
        (
            {
                "oa": {
                    "message_url": URL,
                    "head": {"bgcolor": "FFBBBBBB", "text": "头部"},
                    "status_bar": {"value": "v", "background": None},
                    "body": {"form": {"姓名": "张三", "岁": 30}, "rich": {"num": 1.5}},
                }
            },
            OA(
                URL,
                HEAD,
                Body(form=(("姓名", "张三"), ("岁", "30")), rich=Rich("1.5")),
                status_bar=StatusBar("v"),
            ),
        ),
        (
            {
                "oa": {
                    "message_url": URL,
                    "head": {"bgcolor": "FFBBBBBB", "text": "头部"},
                    "body": {"form": [["a", "b"], {"key": "c", "value": "d"}]},
                }
            },
            OA(URL, HEAD, Body(form=(("a", "b"), ("c", "d")))),
        ),
    ],
)
def test_the_short_shape_is_read(short: dict[str, Any], message: Message) -> None:
    assert messages.parse(short) == message


OA_PARTS = {"message_url": URL, "head": {"bgcolor": "FFBBBBBB", "text": "x"}, "body": {}}


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({}, "message"),
        ({"text": "a", "image": "b"}, "message"),
        ({"video": "x"}, "video"),
        ({"msgtype": "video", "video": {}}, "video"),
        ({"msgtype": "text"}, "text"),
        ({"msgtype": "text", "text": {"content": "x"}, "image": {}}, "image"),
        ({"text": "a", "at": "b"}, "at"),
        ({"text": None}, "text"),
        ({"text": ""}, "text.content"),
        ({"text": True}, "text"),
        ({"text": ["a"]}, "text"),
        ({"text": {"content": {"x": 1}}}, "text.content"),
        ({"text": {"contents": "x"}}, "text.content"),
        ({"text": {"content": "x", "at": "y"}}, "text.at"),
        ({"markdown": {"text": "x"}}, "markdown.title"),
        ({"markdown": {"title": "t"}}, "markdown.text"),
        ({"markdown": "x"}, "markdown"),
        ({"image": {}}, "image.media_id"),
        ({"voice": {"media_id": "@m"}}, "voice.duration"),
        ({"voice": {"media_id": "@m", "duration": "soon"}}, "voice.duration"),
        ({"voice": {"media_id": "@m", "duration": "60"}}, "voice.duration"),
        ({"link": {"message_url": "u", "messageUrl": "u"}}, "link.messageUrl"),
        ({"link": {"messageUrl": "u", "title": "t", "text": "x"}}, "link.pic_url"),
        ({"oa": {"message_url": URL, "body": {}}}, "oa.head"),
        ({"oa": {"message_url": URL, "head": OA_PARTS["head"]}}, "oa.body"),
        ({"oa": OA_PARTS | {"head": {"text": "x"}}}, "oa.head.bgcolor"),
        ({"oa": OA_PARTS | {"head": {"bgcolor": "0xFFBBBBBB", "text": "x"}}}, "oa.head.bgcolor"),
        ({"oa": OA_PARTS | {"status_bar": {"status_bg": "red"}}}, "oa.status_bar.status_bg"),
        ({"oa": OA_PARTS | {"body": {"titel": "x"}}}, "oa.body.titel"),
        ({"oa": OA_PARTS | {"body": {"form": "x"}}}, "oa.body.form"),
        ({"oa": OA_PARTS | {"body": {"form": ["x"]}}}, "oa.body.form[0]"),
        ({"oa": OA_PARTS | {"body": {"form": [{"k": "x"}]}}}, "oa.body.form[0].k"),
        ({"oa": OA_PARTS | {"body": {"rich": {"number": 1}}}}, "oa.body.rich.number"),
        ({"action_card": {"markdown": "m"}}, "action_card"),
        ({"action_card": {"markdown": "m", "single_title": "t"}}, "action_card.single_url"),
        ({"action_card": {"markdown": "m", "single_url": "t"}}, "action_card.single_title"),
        (
            {"action_card": {"markdown": "m", "btn_json_list": [{"title": "t"}]}},
            "action_card.btn_json_list[0].action_url",
        ),
        (
            {
                "action_card": {
                    "markdown": "m",
                    "buttons": [{"title": "t", "url": "u"}],
                    "btn_orientation": "2",
                }
            },
            "action_card.btn_orientation",
        ),
        (
            {
                "action_card": {
                    "markdown": "m",
                    "single": {"title": "t", "url": "u"},
                    "buttons": [{"title": "t", "url": "u"}],
                }
            },
            "action_card",
        ),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(mapping: dict[str, Any], field: str) -> None:
    with pytest.raises(MessageError) as caught:
        messages.parse(mapping)
    assert caught.value.field == field
    assert str(caught.value) == caught.value.en
    assert caught.value.zh != caught.value.en


def test_what_is_no_mapping_is_no_message() -> None:
    with pytest.raises(MessageError, match="mapping"):
        messages.parse(["text"])  # type: ignore[arg-type]


def _buttons(count: int, url: str) -> ActionCard:
    return ActionCard("m", buttons=tuple(Button("t", url) for _ in range(count)))


@pytest.mark.parametrize(
    ("make", "field", "limit"),
    [
        (lambda n: Markdown("t", "x" * n), "markdown.text", 5000),
        (lambda n: ActionCard("m", "t" * n, Single("t", URL)), "action_card.title", 64),
        (lambda n: Single("t" * n, URL), "action_card.single_title", 20),
        (lambda n: Single("t", "u" * n), "action_card.single_url", 500),
        (lambda n: Button("t" * n, URL), "action_card.btn_json_list.title", 20),
        (lambda n: Button("t", "u" * n), "action_card.btn_json_list.action_url", 700),
        (lambda n: Voice("@m", n), "voice.duration", 59),
    ],
)
def test_a_hard_limit_is_the_last_size_that_passes(
    make: Callable[[int], object], field: str, limit: int
) -> None:
    make(limit)
    with pytest.raises(MessageError) as caught:
        make(limit + 1)
    assert (caught.value.field, caught.value.limit, caught.value.found) == (
        field,
        limit,
        limit + 1,
    )
    assert str(limit) in caught.value.zh
    assert str(limit + 1) in caught.value.en


def test_all_buttons_together_have_a_limit() -> None:
    overhead = len('[{"title":"t","action_url":""},{"title":"t","action_url":""}]')
    _buttons(2, "u" * ((1000 - overhead) // 2))
    with pytest.raises(MessageError) as caught:
        _buttons(2, "u" * ((1000 - overhead) // 2 + 1))
    assert caught.value.field == "action_card.btn_json_list"
    assert caught.value.limit == limits.ACTION_BUTTONS_CHARS


@pytest.mark.parametrize(
    "make",
    [
        lambda: Voice("@m", 0),
        lambda: Voice("@m", True),
        lambda: Voice("@m", "10"),  # type: ignore[arg-type]
        lambda: Text(7),  # type: ignore[arg-type]
        lambda: Text("  \n"),
        lambda: Rich(15),  # type: ignore[arg-type]
        lambda: Body(form=(("a", 1),)),  # type: ignore[arg-type]
        lambda: ActionCard("m", single=Single("t", URL), orientation="up"),  # type: ignore[arg-type]
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(MessageError):
        make()


def test_recommendations_are_warnings_and_no_errors() -> None:
    assert messages.warnings(Text("x" * 500)) == []
    (warning,) = messages.warnings(Text("x" * 501))
    assert (warning.field, warning.limit, warning.found) == ("text.content", 500, 501)
    link = Link(URL, "@m", "t" * 101, "x" * 501)
    assert [one.field for one in messages.warnings(link)] == ["link.title", "link.text"]
    oa = OA(URL, HEAD, Body("t" * 51, tuple(("k", "v") for _ in range(7))))
    assert [one.field for one in messages.warnings(oa)] == ["oa.body.title", "oa.body.form"]
    card = ActionCard("m" * 1001, single=Single("t", URL))
    assert [one.field for one in messages.warnings(card)] == ["action_card.markdown"]
    assert messages.warnings(Markdown("t", "x")) == []
    assert all(one.en and one.zh for one in messages.warnings(oa))


def test_the_size_is_counted_in_bytes_of_utf8() -> None:
    room = 2048 - len(messages.canonical(Markdown("t", "x"))) + 1
    messages.check_size(messages.canonical(Markdown("t", "x" * room)))
    for text in ("x" * (room + 1), "字" * (room // 3 + 1)):
        with pytest.raises(MessageError) as caught:
            messages.check_size(messages.canonical(Markdown("t", text)))
        assert caught.value.limit == 2048
        assert isinstance(caught.value.found, int)
        assert caught.value.found > 2048
    messages.check_size(b"x" * 3000, limit=3000)


def test_a_status_bar_allows_five_people() -> None:
    plain = OA(URL, HEAD, Body())
    assert messages.max_recipients(plain) == 100
    assert messages.max_recipients(dataclasses.replace(plain, status_bar=StatusBar("v"))) == 5
    assert messages.max_recipients(Text("x")) == 100


def test_half_an_emoji_is_refused_instead_of_failing_later() -> None:
    with pytest.raises(MessageError, match="Unicode"):
        messages.canonical(Text("a\ud83d"))


def test_messages_are_immutable_and_can_be_keys() -> None:
    for message, _ in VECTORS:
        assert hash(message) == hash(messages.parse(message.to_wire()))
        field = dataclasses.fields(message)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(message, field, "x")


word = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda text: bool(text.strip())
)
short = word.map(lambda text: text[:20]).filter(lambda text: bool(text.strip()))
maybe = st.none() | word
media_id = st.from_regex(r"[@$]?[A-Za-z0-9_+=-]{1,40}", fullmatch=True)
button = st.builds(Button, short, short)
any_message: st.SearchStrategy[Message] = st.one_of(
    st.builds(Text, word),
    st.builds(Image, media_id),
    st.builds(File, media_id),
    st.builds(Voice, media_id, st.integers(1, 59)),
    st.builds(Link, word, media_id, word, word),
    st.builds(Markdown, word, word),
    st.builds(
        OA,
        word,
        st.builds(Head, st.just("FF00aa11"), word),
        st.builds(
            Body,
            maybe,
            st.lists(st.tuples(word, word), max_size=8).map(tuple),
            st.none() | st.builds(Rich, maybe, maybe),
            maybe,
            st.none() | media_id,
            maybe,
            maybe,
        ),
        maybe,
        st.none() | st.builds(StatusBar, maybe, st.none() | st.just("0xFF78C06E")),
    ),
    st.builds(
        ActionCard, word, st.none() | word.map(lambda t: t[:64]), st.builds(Single, short, short)
    ),
    st.builds(
        ActionCard,
        word,
        st.none(),
        st.none(),
        st.lists(button, min_size=1, max_size=4).map(tuple),
        st.sampled_from(["vertical", "horizontal"]),
    ),
)


@given(any_message)
def test_the_bytes_are_canonical(message: Message) -> None:
    body = messages.canonical(message)
    assert json.loads(body) == message.to_wire()
    assert messages.canonical(messages.parse(json.loads(body))) == body
    assert json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode() == body


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1))
def test_no_character_is_escaped_that_need_not_be(text: str) -> None:
    if text.strip():
        assert b"\\u" not in messages.canonical(Text(text.replace("\\", "") or "x"))


@given(st.binary(max_size=4096), st.integers(0, 4096))
def test_the_size_check_is_exact(body: bytes, limit: int) -> None:
    if len(body) <= limit:
        messages.check_size(body, limit)
        return
    with pytest.raises(MessageError) as caught:
        messages.check_size(body, limit)
    assert (caught.value.limit, caught.value.found) == (limit, len(body))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "msgtype",
                        "text",
                        "oa",
                        "head",
                        "body",
                        "form",
                        "link",
                        "voice",
                        "action_card",
                        "markdown",
                        "title",
                        "btn_json_list",
                        "status_bar",
                        "duration",
                        "media_id",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_reading_anything_gives_a_message_or_a_message_error(value: Any) -> None:
    refused: MessageError | None = None
    try:
        messages.canonical(messages.parse(value))
    except MessageError as error:
        refused = error
    assert refused is None or (refused.field and refused.en and refused.zh)


def test_messages_and_errors_do_not_load_aiohttp() -> None:
    code = (
        "import sys, dingbell.dingtalk.messages, dingbell.dingtalk.errors, dingbell.dingtalk;"
        "assert 'aiohttp' not in sys.modules;"
        "from dingbell.dingtalk import Client; assert 'aiohttp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
