"""Where text enters: what cannot be kept is refused in words, what is harmless is put right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from dingbell import intake
from dingbell.config import message_json
from dingbell.domain.alerting import Alerting
from dingbell.domain.audience import Audience, parse_targets
from dingbell.domain.message import Message
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError
from dingbell.operations.apps import AppSpec
from dingbell.operations.sending import Order

WHOLE = {"when": {"daily": "16:00"}, "to": {"users": ["a"]}, "message": "x"}
OA = {"message_url": "https://a", "head": {"bgcolor": "FFBBBBBB", "text": "x"}}
APP = {"agent_id": 1, "app_key": "k", "app_secret": "s"}


@given(st.text())
def test_text_that_can_be_kept_is_kept_as_it_is_and_all_else_is_refused(text: str) -> None:
    if "\0" in text or any("\ud800" <= mark <= "\udfff" for mark in text):
        return
    assert intake.text(text) == text


@given(st.text(st.characters(min_codepoint=0x10000, max_codepoint=0x10FFFF), min_size=1))
def test_pairs_of_halves_are_joined(text: str) -> None:
    units = text.encode("utf-16-le")
    halves = "".join(
        chr(int.from_bytes(units[at : at + 2], "little")) for at in range(0, len(units), 2)
    )
    assert intake.text(halves) == text


ORDER = (Audience(users=("a",)), Message({"text": "x"}))

ENTRANCES: dict[str, Callable[[str], object]] = {
    "message": lambda text: Message({"text": f"a{text}b"}),
    "template": lambda text: Message({"text": f"{{{{ due|date }}}}{text}"}),
    "name of a field": lambda text: Message({"oa": {**OA, "body": {"form": {f"a{text}": "b"}}}}),
    "userid": lambda text: Audience.model_validate({"users": [f"a{text}b"]}),
    "role": lambda text: Audience.model_validate({"roles": [f"a{text}b"]}),
    "mobile": lambda text: Audience.model_validate({"mobiles": [f"1{text}2"]}),
    "saved audience": lambda text: Audience.model_validate({"audience": f"a{text}b"}),
    "target": lambda text: parse_targets([f"users:a{text}b"]),
    "app of a schedule": lambda text: ScheduleSpec.model_validate({**WHOLE, "app": f"a{text}b"}),
    "instant": lambda text: ScheduleSpec.model_validate(
        {**WHOLE, "when": {"once": f"2026-12-31{text}18:00"}}
    ),
    "app key": lambda text: AppSpec.model_validate({**APP, "app_key": f"a{text}b"}),
    "app secret": lambda text: AppSpec.model_validate({**APP, "app_secret": f"a{text}b"}),
    "org": lambda text: AppSpec.model_validate({**APP, "org": f"a{text}b"}),
    "address": lambda text: AppSpec.model_validate({**APP, "oapi_url": f"https://a{text}b"}),
    "app of a send": lambda text: Order(*ORDER, app=f"a{text}b"),
    "request id": lambda text: Order(*ORDER, request_id=f"a{text}b"),
    "webhook": lambda text: Alerting.model_validate({"webhook": f"https://a/{text}b"}),
}


@pytest.mark.parametrize("point", ["\0", "\ud83d", "a\udc00"])
@pytest.mark.parametrize("entrance", list(ENTRANCES))
def test_what_no_database_keeps_is_refused_at_every_entrance(entrance: str, point: str) -> None:
    with pytest.raises((InputError, ValidationError)):
        ENTRANCES[entrance](point)


@pytest.mark.parametrize(
    "point", ["\u200b", "\u202c", "\ufeff", "\u2060", "\x1b", "\x7f", "\ue000"]
)
@pytest.mark.parametrize(
    "entrance", ["userid", "mobile", "saved audience", "target", "app key", "app secret", "webhook"]
)
def test_an_id_that_has_something_invisible_inside_is_refused(entrance: str, point: str) -> None:
    with pytest.raises((InputError, ValidationError), match=rf"U\+{ord(point):04X}"):
        ENTRANCES[entrance](point)


@pytest.mark.parametrize("role", ["财务 主管", "👨‍👩‍👧 团队", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "می‌خواهم"])
def test_a_name_may_be_held_together_by_joiners_and_have_blanks_inside(role: str) -> None:
    assert Audience.model_validate({"roles": [role]}).roles == (role,)


@pytest.mark.parametrize("around", [" {} ", "{}\n", "\t{}\r\n", "\u3000{}\xa0"])
def test_blanks_and_line_ends_around_ids_and_secrets_are_taken_off(around: str) -> None:
    given = around.format("abc")
    audience = Audience.model_validate({"users": [given], "roles": [given], "audience": [given]})
    app = AppSpec.model_validate({"agent_id": 1, "app_key": given, "app_secret": given})

    assert set(audience.users + audience.roles + audience.audience) == {"abc"}
    assert (app.app_key, app.app_secret) == ("abc", SecretStr("abc"))


@pytest.mark.parametrize(
    "written",
    [
        "13800138000", " 138 0013 8000 ", "138-0013-8000", "+86 138 0013 8000", "+86-13800138000",
        "008613800138000", "8613800138000", "（+86）138-0013-8000",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "entrance", [intake.mobile_number, lambda w: parse_targets([f"mobiles:{w}"]).mobiles[0]]
)
def test_a_mobile_is_one_number_however_it_is_written(
    written: str, entrance: Callable[[str], str]
) -> None:
    assert entrance(written) == "13800138000"


@given(st.from_regex(r"(\+852|00852)?[0-9 -]{0,4}[2-9][0-9]{3}", fullmatch=True))
def test_a_mobile_in_its_form_is_left_as_it_is(written: str) -> None:
    once = intake.mobile_number(written)
    assert intake.mobile_number(once) == once
    assert not set(once) & set(" -")


def test_a_number_of_elsewhere_keeps_its_country() -> None:
    assert intake.mobile_number("+852 1234 5678") == "+85212345678"
    assert intake.mobile_number("00852-12345678") == "+85212345678"


@pytest.mark.parametrize(("mark", "point"), [("，", "FF0C"), ("、", "3001"), ("；", "FF1B")])
@pytest.mark.parametrize("entrance", ["userid", "mobile", "target"])
def test_ids_that_a_full_width_sign_parts_are_refused_with_the_sign(
    mark: str, point: str, entrance: str
) -> None:
    with pytest.raises((InputError, ValidationError), match=rf"full-width {mark} \(U\+{point}\)"):
        ENTRANCES[entrance](mark)


def test_a_secret_with_a_blank_inside_is_refused_unseen() -> None:
    with pytest.raises(ValidationError, match="has a blank or a line end inside") as caught:
        AppSpec.model_validate({**APP, "app_secret": "geheim geheim"})
    assert all(problem["msg"].find("geheim") < 0 for problem in caught.value.errors())


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
@pytest.mark.parametrize("field", ["app_key", "app_secret"])
def test_a_credential_of_blanks_is_none(field: str, blank: str) -> None:
    with pytest.raises(ValidationError):
        AppSpec.model_validate({**APP, field: blank})


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30, "9" * 5_000])
def test_a_department_is_a_number_that_the_database_can_hold(number: object) -> None:
    with pytest.raises(ValidationError):
        Audience.model_validate({"departments": [number]})
    assert Audience.model_validate({"departments": [2**63 - 1]}).departments == (2**63 - 1,)


@pytest.mark.parametrize(
    "argument",
    [
        '{"text": ' + "[" * 100_000,
        '{"text": ' + '{"a":' * 100_000,
        '{"oa": {"body": {"form": ' + "[" * 100 + "]" * 100 + "}}}",
        '{"text": NaN}',
        '{"text": "a\\u0000"}',
        '{"text": "a\\ud83d"}',
        '{"text": ',
        "[]",
        "1",
        "@/nowhere",
        "@\0",
        "@/dev/zero",
    ],
)
def test_a_message_that_is_no_sound_json_is_refused_in_both_languages(argument: str) -> None:
    with pytest.raises(InputError) as caught:
        Message(message_json.read(argument))

    assert len(str(caught.value)) < 300
    assert str(caught.value) != caught.value.in_chinese()


@pytest.mark.parametrize("number", ["15.60", "1e3", "0.10", "-0", "9" * 400])
def test_a_number_in_a_message_is_the_text_that_was_written(number: str) -> None:
    message = Message(message_json.read(f'{{"text": {{"content": {number}}}}}'))

    assert message.content == {"text": {"content": number}}


def test_halves_of_a_pair_in_json_are_joined() -> None:
    assert message_json.read(r'{"text": "\ud83d\ude00"}') == {"text": "😀"}


@given(
    st.recursive(
        st.text() | st.none(), lambda kids: st.lists(kids) | st.dictionaries(st.text(), kids)
    )
)
def test_what_a_directory_says_can_always_be_kept(value: object) -> None:
    found = intake.cleaned({"a\0": value, "b": ["\ud83d", "\ud83d\ude00"]})

    assert intake.content(found) == found
    assert found["b"] == ["\ufffd", "😀"]
