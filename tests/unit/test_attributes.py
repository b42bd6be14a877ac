"""Attributes of people come back as what they were, through JSON and back."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain.attributes import stored, typed

_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**18), 10**18),
        st.text(max_size=8),
        st.dates(),
        st.datetimes(timezones=st.just(UTC)).map(lambda found: found.replace(fold=0)),
        st.decimals(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


def kept(attributes: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(stored(attributes)))
    return typed(read)


@given(st.dictionaries(st.text("abc", max_size=3), _VALUES, max_size=4))
def test_every_value_comes_back_as_what_it_was(attributes: dict[str, Any]) -> None:
    assert repr(kept(attributes)) == repr(attributes)


def test_money_keeps_its_places_and_a_number_with_a_point_is_exact() -> None:
    found = kept({"salary": Decimal("8000.10"), "rate": 0.1, "id": "007", "hired_on": date.min})
    assert str(found["salary"]) == "8000.10"
    assert found["rate"] == Decimal("0.1")
    assert found["id"] == "007"
    assert found["hired_on"] == date.min
    assert typed({"rate": 0.5, "seen": [1.5]}) == {"rate": Decimal("0.5"), "seen": [Decimal("1.5")]}


def test_what_somebody_else_wrote_under_a_mark_stops_nobody() -> None:
    assert typed({"a": {"$date": "soon"}, "b": {"$decimal": "x"}, "c": {"$date": 5}}) == {
        "a": "soon",
        "b": "x",
        "c": {"$date": 5},
    }
    assert kept({"at": datetime(2026, 1, 1, tzinfo=UTC)})["at"].tzinfo is not None
