"""Messages: checked when written, rendered per person in a sandbox, always the same bytes."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from dingbell.domain.message import Message, TooLongError
from dingbell.errors import InputError

DUE = datetime(2026, 11, 23, 16, tzinfo=UTC)
PERSON = {"userid": "u1", "name": "王芳", "hired": date(2020, 2, 29), "mobile": None}
VARIABLES: dict[str, Any] = {"person": PERSON, "due": DUE, "schedule": "payslip"}

BAR: dict[str, Any] = {
    "message_url": "https://example.com",
    "head": {"bgcolor": "FFBBBBBB", "text": "头"},
    "body": {"title": "标题"},
}


def rendered(content: dict[str, Any], **variables: Any) -> Any:
    return json.loads(Message(content).body({**VARIABLES, **variables}))


# A database keeps no NUL, UTF-8 no half of a character.
_TEXT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@given(
    st.text(_TEXT, min_size=1, max_size=200).filter(lambda text: text.strip() and "{" not in text)
)
def test_plain_text_goes_out_as_it_was_written_and_always_the_same(text: str) -> None:
    message = Message({"text": text})

    assert not message.is_template
    assert not message.is_personal
    assert json.loads(message.body({})) == {"msgtype": "text", "text": {"content": text}}
    assert message.body({}) == Message({"text": text}).body(VARIABLES)


def test_chinese_is_not_escaped() -> None:
    assert "下班奥里给666!".encode() in Message({"text": "下班奥里给666!"}).body({})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ person.name }}, 你好", "王芳, 你好"),
        ("{{ due|date }}", "2026-11-23"),
        ("{{ due|date('%m/%d') }}", "11/23"),
        ("{{ due|time }}", "16:00"),
        ("{{ person.mobile|date }}{{ person.mobile|time }}x", "x"),
        ("{{ person.hired|date }}", "2020-02-29"),
        ("{{ schedule }}", "payslip"),
        ("{% if person.name == '王芳' %}她{% else %}他{% endif %}", "她"),
        ("{% for n in [1, 2] %}{{ n }}{% endfor %}", "12"),
        ("<b>{{ '<i>' }}</b>", "<b><i></b>"),
    ],
)
def test_a_template_is_filled_in(template: str, text: str) -> None:
    assert rendered({"text": template})["text"]["content"] == text


def test_templates_are_filled_in_wherever_they_stand() -> None:
    oa = BAR | {
        "body": {
            "title": "{{ person.name }}",
            "form": [{"key": "到期", "value": "{{ due|date }}"}, ["工号", "{{ person.userid }}"]],
            "file_count": 3,
        }
    }

    body = rendered({"oa": oa})["oa"]["body"]

    assert body["title"] == "王芳"
    assert body["form"] == [
        {"key": "到期", "value": "2026-11-23"},
        {"key": "工号", "value": "u1"},
    ]
    assert body["file_count"] == "3"


@pytest.mark.parametrize(
    ("content", "personal"),
    [
        ({"text": "{{ due|date }}"}, False),
        ({"text": "{{ person.name }}"}, True),
        ({"text": "{% if person %}x{% endif %}x"}, True),
        ({"text": "{% for person in [due] %}{{ person }}{% endfor %}"}, False),
        ({"text": "person"}, False),
        ({"markdown": {"title": "{{ due }}", "text": "{{ person.name }}"}}, True),
    ],
)
def test_only_a_message_that_asks_for_the_person_is_personal(
    content: dict[str, Any], personal: bool
) -> None:
    assert Message(content).is_personal is personal


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ person['__class__'].__init__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ due.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(due) }}",
        "{% set _ = person.update({'name': 'x'}) %}x",
        "{{ self.__init__ }}",
    ],
)
def test_a_template_reaches_nothing_but_its_variables(template: str) -> None:
    with pytest.raises(InputError, match="the template does not work"):
        Message({"text": template}).body(VARIABLES)
    assert PERSON["name"] == "王芳"


@pytest.mark.parametrize(
    "template",
    [
        "{{ person.nickname }}",
        "{{ person.name.foo }}",
        "{{ 1 / 0 }}",
        "{{ person.name + 1 }}",
        "{{ 5|date }}",
        "{{ due.replace(month=13) }}",
        "{% include 'other' %}",
    ],
)
def test_whatever_a_template_raises_is_an_error_of_the_input(template: str) -> None:
    with pytest.raises(InputError, match="the template does not work: ") as caught:
        Message({"text": template}).body(VARIABLES)
    assert caught.value.message.zh.startswith("模板有误: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"text": "{{ name }}"},
            "unknown template variable name: there are due, person, row, schedule",
        ),
        ({"text": "{{ b }}{{ a }}"}, "variable a, b"),
        ({"text": "{{ person.name"}, "the template does not work"),
        ({"text": "{% if %}"}, "the template does not work"),
        ({"text": "{{ due|nosuchfilter }}"}, "there is no filter nosuchfilter: there are abs,"),
        ({"txt": "{{ due }}"}, "txt is not a message type"),
        ({"text": "{{ due }}", "markdown": {"title": "a", "text": "b"}}, "exactly one of"),
        ({"markdown": {"text": "{{ due }}"}}, "markdown.title is missing"),
        ({"markdown": {"title": "{{ due }}", "txt": "b"}}, "markdown.text is missing"),
        ({"text": ""}, "text.content is empty"),
        ({"text": "字" * 700}, "the limit is 2048"),
        ({"image": "./logo.png"}, "image.media_id is the id that DingTalk gave"),
        ({"image": "https://example.com/logo.png"}, "image.media_id is the id that"),
        ({"file": {"media_id": "C:/a.pdf"}}, "file.media_id is the id that DingTalk gave"),
        ({"voice": {"media_id": "a.amr", "duration": 5}}, "voice.media_id is the id that"),
        ({"voice": {"media_id": "@a", "duration": "9" * 5_000}}, "voice.duration must be a whole"),
        (
            {"link": {"message_url": "https://a", "pic_url": "a.png", "title": "a", "text": "b"}},
            "link.pic_url is the id that DingTalk gave",
        ),
        ({"text": "\ud83d"}, "U\\+D83D, which is not text"),
        ({}, "exactly one of"),
    ],
)
def test_what_is_wrong_whoever_receives_it_is_told_when_it_is_written(
    content: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        Message(content)
    assert caught.value.message.zh != str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"voice": {"media_id": "@m", "duration": "{{ 5 }}"}},
        {"oa": BAR | {"head": {"bgcolor": "{{ 'FF000000' }}", "text": "头"}}},
        {"oa": BAR | {"status_bar": {"value": "{{ due }}", "background": "{{ '0xFF78C06E' }}"}}},
        {"oa": BAR | {"status_bar": {"status_value": "x", "status_bg": "{{ '0xFF78C06E' }}"}}},
        {
            "action_card": {
                "markdown": "{{ due }}",
                "btn_orientation": "{{ 1 }}",
                "buttons": [{"title": "{{ due|date }}", "url": "https://x/{{ person.userid }}"}],
            }
        },
    ],
)
def test_a_field_with_a_form_of_its_own_may_be_a_template(content: dict[str, Any]) -> None:
    assert Message(content).body(VARIABLES)


def test_limits_hold_for_what_was_rendered() -> None:
    message = Message({"text": "{{ schedule }}" * 300})

    assert message.body({"schedule": "a"})
    with pytest.raises(TooLongError, match=r"2.?048"):
        message.body({"schedule": "payslip"})
    with pytest.raises(InputError, match=r"text\.content is empty"):
        message.body({"schedule": ""})


def test_two_thousand_and_forty_eight_bytes_are_not_too_many() -> None:
    frame = len(Message({"text": "x"}).body({})) - 1

    assert len(Message({"text": "x" * (2_048 - frame)}).body({})) == 2_048
    with pytest.raises(InputError, match="has 2049 bytes"):
        Message({"text": "x" * (2_049 - frame)})


@pytest.mark.parametrize(
    ("content", "most"),
    [
        ({"text": "x"}, 100),
        ({"oa": BAR}, 100),
        ({"oa": BAR | {"status_bar": None}}, 100),
        ({"oa": BAR | {"status_bar": {"value": "{{ due }}"}}}, 5),
        ({"oa": BAR | {"status_bar": {}}}, 5),
        ({"msgtype": "oa", "oa": BAR | {"status_bar": {"status_value": "进行中"}}}, 5),
    ],
)
def test_with_a_status_bar_five_people_fit_into_a_call(content: dict[str, Any], most: int) -> None:
    assert Message(content).people_per_call == most


def test_equal_messages_have_equal_hashes_however_they_were_written() -> None:
    one = Message({"markdown": {"title": "a", "text": "b"}, "msgtype": "markdown"})
    other = Message({"msgtype": "markdown", "markdown": {"text": "b", "title": "a"}})

    assert one == other
    assert hash(one) == hash(other)
    assert one != Message({"text": "a"})
    assert one != one.content


def test_the_content_is_shown_in_its_representation() -> None:
    assert repr(Message({"text": "hi"})) == "Message({'text': 'hi'})"


class Releaser(BaseModel):
    message: Message


def test_a_model_reads_and_writes_a_message() -> None:
    held = Releaser.model_validate({"message": {"markdown": {"title": "a", "text": "{{ due }}"}}})

    assert Releaser.model_validate_json(held.model_dump_json()) == held
    assert Releaser(message=held.message) == held
    assert Releaser.model_validate({"message": "hi"}).message == Message({"text": "hi"})


@pytest.mark.parametrize("value", [3, ["text"], {"text": ""}])
def test_a_model_refuses_what_is_no_message(value: object) -> None:
    with pytest.raises(ValidationError):
        Releaser.model_validate({"message": value})


@pytest.mark.parametrize("picture", ["@lADOabc", "$iAEKabc", "https://example.com/a.png"])
def test_a_picture_inside_a_message_is_uploaded_or_has_an_address(picture: str) -> None:
    oa = {
        "message_url": "https://a",
        "head": {"bgcolor": "FFBBBBBB", "text": "x"},
        "body": {"image": picture},
    }
    link = {"message_url": "https://a", "pic_url": picture, "title": "a", "text": "b"}

    assert picture.encode() in Message({"oa": oa}).body({})
    assert picture.encode() in Message({"link": link}).body({})


def test_words_that_are_meant_literally_are_no_template() -> None:
    words = "{{ person.name }} {% if"
    message = Message({"text": words}, literal=True)
    assert not message.is_template
    assert not message.is_personal
    assert json.loads(message.body(VARIABLES))["text"]["content"] == words
    card = {"markdown": "{{ x", "single": {"title": "{%", "url": "https://x/{{"}}
    assert b"{{ x" in Message({"action_card": card}, literal=True).body(VARIABLES)
    assert message.people_per_call == 100


def test_a_message_nested_without_end_is_refused() -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(InputError, match="nested too deeply"):
        Message({"text": deep})


def test_all_templates_of_a_message_together_are_bounded() -> None:
    line = {"key": "k", "value": "{{ due }}" + "x" * 1_000}
    with pytest.raises(InputError, match="10090 characters, the limit is 10000"):
        Message({"oa": BAR | {"body": {"form": [line] * 10}}})
