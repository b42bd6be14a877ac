"""Errors: two languages, one place, an answer for the shell and one for HTTP."""

import pytest

from dingbell.errors import (
    ConflictError,
    DatabaseError,
    DingBellError,
    InputError,
    NotFoundError,
    OutsideError,
    Text,
    sentence,
)

FAMILY = [
    (DingBellError, 1, 500),
    (InputError, 2, 422),
    (NotFoundError, 2, 404),
    (ConflictError, 1, 409),
    (OutsideError, 1, 503),
    (DatabaseError, 1, 503),
]


@pytest.mark.parametrize(("kind", "exit_code", "status"), FAMILY)
def test_an_error_answers_the_shell_and_http(
    kind: type[DingBellError], exit_code: int, status: int
) -> None:
    error = kind("what is wrong")

    assert isinstance(error, DingBellError)
    assert (error.exit_code, error.status) == (exit_code, status)
    assert (str(error), error.in_chinese()) == ("what is wrong", "what is wrong")


@pytest.mark.parametrize("kind", [kind for kind, _, _ in FAMILY])
def test_without_a_message_the_class_says_what_it_means(kind: type[DingBellError]) -> None:
    assert kind.__doc__
    assert str(kind()) == kind.__doc__.partition("\n")[0]


def test_what_is_wrong_in_the_input_is_a_value_error_too() -> None:
    assert issubclass(InputError, ValueError)


def test_the_place_stands_in_front_in_both_languages() -> None:
    error = InputError(Text("is missing", "缺少"), where="apps.hr")

    assert str(error) == "apps.hr: is missing"
    assert error.in_chinese() == "apps.hr: 缺少"
    assert error.args == ("apps.hr: is missing",)


def test_values_are_filled_into_both_languages_each_in_its_own() -> None:
    text = Text("{0} of {kind!r}: {why}", "{kind!r} 的 {0}: {why}").format(
        3, kind="a{b}", why=Text("late", "迟")
    )

    assert text == "3 of 'a{b}': late"
    assert text.zh == "'a{b}' 的 3: 迟"


def test_a_plain_string_reads_the_same_in_both_languages() -> None:
    plain, twin = sentence("x"), Text("x", "某")

    assert (plain, plain.zh) == ("x", "x")
    assert sentence(twin) is twin
