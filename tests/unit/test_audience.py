"""Audiences: what may be written, and that nobody is meant by accident."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dingbell import (
    all_of,
    any_of,
    departments,
    everyone,
    managers_of,
    roles,
    saved,
    source,
    users,
)
from dingbell.domain.audience import Audience, parse_targets, without_queries
from dingbell.errors import InputError
from dingbell.written import Decimal, Whole

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


def test_a_department_is_an_id_a_name_or_a_path() -> None:
    audience = parse_targets(["departments:1,研发中心/平台部,²", "only_departments:007"])

    assert audience.departments == (1, "研发中心/平台部", "²")
    assert audience.only_departments == (7,)


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
        {"departments": ["/"]},
        {"departments": [1.5]},
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


def test_targets_may_narrow_name_managers_sources_and_whole_expressions() -> None:
    audience = parse_targets(
        [
            "departments:研发中心/平台部",
            "managers_of:users:a",
            "managers_of:roles:主管",
            "where:title=工程师, 设计师",
            "where:level=3",
            "http:https://hr.example.com/a?b=1,2",
            '{"all": [{"roles": ["x"]}, {"users": ["y"]}]}',
        ]
    )

    assert audience.to_dict() == {
        "departments": ["研发中心/平台部"],
        "managers_of": {"any": [{"users": ["a"]}, {"roles": ["主管"]}]},
        "where": {"title": ["工程师", "设计师"], "level": "3"},
        "http": ["https://hr.example.com/a?b=1,2"],
        "any": [{"all": [{"roles": ["x"]}, {"users": ["y"]}]}],
    }


@pytest.mark.parametrize(
    "target",
    ["where:title", "where:=x", "where:title=", "managers_of:", "http:", "http:ftp://x", "{", "{}",
     '{"users": ["a"], "x": 1}', "managers_of:bad:x"],
)  # fmt: skip
def test_what_is_no_expression_is_refused_in_words(target: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_targets(["users:ok", target])
    assert "pydantic" not in str(caught.value)
    assert caught.value.message.zh != str(caught.value)


conditions = st.dictionaries(
    st.sampled_from(["title", "level", "生日"]),
    st.one_of(
        st.sampled_from(["工程师", "3", "true"]),
        st.lists(st.sampled_from(["a", "b", "3.50"]), min_size=2, max_size=3, unique=True),
        st.fixed_dictionaries({"not": st.just("x"), "gte": st.sampled_from(["1.5", "2024-02-29"])}),
        st.just({"anniversary": True}),
        st.just({"lunar_anniversary": True, "known": True}),
    ),
    min_size=1,
    max_size=2,
)


@given(conditions)
def test_conditions_are_stored_as_they_are_written_and_read_back(where: dict[str, object]) -> None:
    audience = Audience.model_validate({"where": where})

    assert Audience.model_validate(audience.to_dict()) == audience
    assert audience.depends_on_day() is ("anniversary" in str(where))
    assert audience.needs_directory()


def test_a_number_keeps_the_characters_of_its_author() -> None:
    where = {"job_number": Whole("0012"), "share": Decimal("15.60"), "on": True}

    assert Audience.model_validate({"where": where}).to_dict()["where"] == {
        "job_number": "0012",
        "share": "15.60",
        "on": "true",
    }


def test_the_query_of_an_address_is_not_shown() -> None:
    said = {"to": {"any": [{"http": ["https://a.example/x?key=s3cret"]}]}, "http": ["http://b/y"]}

    assert without_queries(said) == {
        "to": {"any": [{"http": ["https://a.example/x?…"]}]},
        "http": ["http://b/y"],
    }


def test_an_audience_of_too_many_parts_is_refused() -> None:
    with pytest.raises(ValidationError, match="nested too deeply or has too many parts"):
        Audience.model_validate({"any": [{"users": ["a"]}] * 501})


def test_the_library_writes_the_same_expressions() -> None:
    both = all_of(departments(2, "研发中心/平台部", children=False), roles("主管"))
    narrowed = any_of(both, saved("x"), where={"title": "工程师"}, except_=managers_of(users("a")))

    assert narrowed.to_dict() == {
        "any": [
            {"all": [{"only_departments": [2, "研发中心/平台部"]}, {"roles": ["主管"]}]},
            {"audience": ["x"]},
        ],
        "where": {"title": "工程师"},
        "except": {"managers_of": {"users": ["a"]}},
    }
    assert source("https://a.example/x").addresses() == {"https://a.example/x"}
    with pytest.raises(InputError, match="compare with a number or a date"):
        everyone(where={"title": {"gte": "x"}})
    with pytest.raises(InputError, match="is no audience"):
        any_of("users:a")
