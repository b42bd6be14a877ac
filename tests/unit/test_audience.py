"""Audiences: what may be written, and that nobody is meant by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dingbell.domain.audience import Audience, parse_targets
from dingbell.errors import InputError

userids = st.lists(st.from_regex(r"[A-Za-z0-9_\-.]{1,12}", fullmatch=True), min_size=1, max_size=5)
mobiles = st.lists(
    st.from_regex(r"1[0-9]{10}|\+852[0-9]{8}", fullmatch=True), min_size=1, max_size=5
)
numbers = st.lists(st.integers(1, 10**9), min_size=1, max_size=5)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "users": userids,
            "departments": numbers,
            "roles": userids,
            "mobiles": mobiles,
            "audience": userids,
            "everyone": st.just(True),
        },
    ).filter(bool)
)
def test_targets_mean_the_same_as_the_mapping(parts: dict[str, object]) -> None:
    targets = [
        f"{kind}:{','.join(map(str, values))}" if isinstance(values, list) else kind
        for kind, values in parts.items()
    ]

    assert parse_targets(targets) == Audience.model_validate(parts)


def test_a_kind_may_be_named_several_times_and_with_blanks() -> None:
    assert parse_targets(["users:a, b", " users:c,", "departments:1"]) == Audience(
        users=("a", "b", "c"), departments=(1,)
    )


def test_who_is_named_twice_is_meant_once() -> None:
    audience = parse_targets(["users:a,b,a", "departments:2,2", "roles:主管,主管", "users:b"])

    assert (audience.users, audience.departments, audience.roles) == (("a", "b"), (2,), ("主管",))


@pytest.mark.parametrize(
    "target",
    [
        "",
        "users",
        "users:",
        "users: , ",
        "user:a",
        "everyone:x",
        "alice",
        "users:a b",
        "users:a|b",
        "departments:0",
        f"users:{'a' * 65}",
    ],
)
def test_what_is_no_target_is_refused_by_name(target: str) -> None:
    with pytest.raises(InputError, match="is not a target") as caught:
        parse_targets(["users:ok", target])
    assert repr(target) in str(caught.value)


@pytest.mark.parametrize("target", ["departments:a", "departments:1,x", "departments:²"])
def test_departments_are_numbers(target: str) -> None:
    with pytest.raises(InputError, match="departments are numbers"):
        parse_targets([target])


def test_no_target_at_all_names_nobody() -> None:
    with pytest.raises(InputError, match="names nobody"):
        parse_targets([])


@pytest.mark.parametrize(
    "content", [{}, {"users": []}, {"everyone": False}, {"except": {"users": ["a"]}}]
)
def test_an_audience_that_names_nobody_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="names nobody"):
        Audience.model_validate(content)


@pytest.mark.parametrize(
    "content",
    [
        {"users": [True]},
        {"users": [""]},
        {"users": [1.5]},
        {"users": {"a": 1}},
        {"roles": [""]},
        {"departments": [True]},
        {"departments": [0]},
        {"departments": ["x"]},
        {"userz": ["a"]},
        {"users": ["a"], "except": {}},
    ],
)
def test_what_cannot_be_an_id_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Audience.model_validate(content)


def test_one_value_may_stand_for_a_list_and_a_number_for_an_id() -> None:
    audience = Audience.model_validate(
        {"users": 4220, "departments": 2, "mobiles": [13800000000], "audience": None}
    )

    assert audience.users == ("4220",)
    assert audience.departments == (2,)
    assert audience.mobiles == ("13800000000",)
    assert audience.audience == ()


@pytest.mark.parametrize(
    ("content", "needed"),
    [
        ({"users": ["a"]}, False),
        ({"users": ["a"], "except": {"users": ["b"]}}, False),
        ({"users": ["a"], "except": {"departments": [1]}}, True),
        ({"users": ["a"], "roles": ["主管"]}, True),
        ({"mobiles": ["138"]}, True),
        ({"everyone": True}, True),
        ({"audience": "hangzhou"}, True),
    ],
)
def test_only_userids_need_no_directory(content: dict[str, object], needed: bool) -> None:
    assert Audience.model_validate(content).needs_directory() is needed


def test_saved_audiences_are_found_in_the_exception_too() -> None:
    audience = Audience.model_validate(
        {"audience": ["a", "b"], "except": {"users": ["x"], "except": {"audience": "c"}}}
    )

    assert audience.saved() == {"a", "b", "c"}


def test_the_stored_form_says_what_was_said_and_reads_back() -> None:
    content = {"departments": [2], "except": {"users": ["manager7675"]}}
    audience = Audience.model_validate(content)

    assert audience.to_dict() == content
    assert Audience.model_validate(audience.to_dict()) == audience
