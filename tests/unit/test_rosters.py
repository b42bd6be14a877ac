"""A list of people inside a notice is cut to what a notice holds, and nobody of it is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.message import Roster
from dingbell.planning.rosters import shortened, split

MESSAGE = Roster({"text": "未读: {{ unread|map(attribute='name')|join(',') }}"})
people = st.lists(
    st.text("甲乙丙丁ab", min_size=1, max_size=12).map(lambda n: {"userid": n, "name": n}),
    max_size=600,
)


def body(listed: object) -> str:
    return MESSAGE.body({"unread": listed}).decode()


def test_336_names_are_shortened_with_their_count_and_where_all_are() -> None:
    names = [{"userid": f"manager{n:05}", "name": f"王小明{n:05}"} for n in range(336)]
    listed = shortened(MESSAGE, {}, names, run_id=7)
    assert "336" in body(listed)
    assert "7 --state unread" in body(listed)
    assert len(listed) > 80
    assert listed[0] is names[0]


@given(people)
def test_a_shortened_list_fits_and_says_how_many_there_are(names: list[dict[str, str]]) -> None:
    listed = shortened(MESSAGE, {}, names, run_id=1)
    said = body(listed)
    assert listed == names or f"共 {len(names)} 人" in said


@given(people)
def test_the_parts_of_a_split_list_are_the_list(names: list[dict[str, str]]) -> None:
    parts, rest = [], names
    while rest:
        part, rest = split(MESSAGE, {}, rest)
        body(part)
        parts += part
    assert parts == names
