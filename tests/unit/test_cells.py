"""Cells of rows in templates: written as they stand, exact numbers wherever one is wanted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dingbell.domain import templates
from dingbell.domain.message import Message
from dingbell.domain.templates import Cell, MissingError, TemplateError, cells_of

ROW = cells_of(
    ("工号", "实发", "应发(元)", "扣除", "级", "日", "空", "备注"),
    ("0012", "8000.10", "1,234.50", "-0.07", "3", "2026-11-05", "", "x"),
)


def rendered(source: str, row: dict[str, Any] = ROW) -> str:
    return templates.read(source).render(templates.Scope({"row": row}))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ row.实发 }} {{ row['应发(元)'] }} {{ row.工号 }}", "8000.10 1,234.50 0012"),
        ("{{ row.实发 * 2 }} {{ row.工号 + 0 }}", "16000.20 12"),
        ("{{ row.实发 + row['应发(元)'] }}", "9234.60"),
        ("{{ row.实发 + row.扣除 }} {{ -row.扣除 }}", "8000.03 0.07"),
        ("{{ row.实发 ~ '元' }} {{ row.备注 + '!' }}", "8000.10元 x!"),
        ("{{ (row.实发 / 3)|round(2) }} {{ row.扣除|abs }}", "2666.70 0.07"),
        ("{{ [row.实发, row['应发(元)'], row.级]|sum }}", "9237.60"),
        ("{{ [row.级, row['应发(元)']]|max }} {{ [row.实发, row.级]|min }}", "1,234.50 3"),
        ("{{ row.实发|int }} {{ row['应发(元)']|float }}", "8000 1234.50"),
        ("{% if row.实发 > 5000 and row.级 < row.实发 %}A{% else %}B{% endif %}", "A"),
        ("{{ row.级 == 3 }} {{ row.级 == '3' }} {{ row.级 == '03' }} {{ row.备注 == 'x' }}",
         "True True False True"),
        ("{{ row.级 != 3.0 }} {{ row.级 in ['3'] }} {{ {'3': 'c'}[row.级] }}", "False True c"),
        ("{{ row.日|date('%-m月%-d日') }} {{ row.工号[-2:] }}", "11月5日 12"),
        ("{{ row.空|default('-') }} {{ row.空 is none }} {{ row.无|default(0) }}", "- True 0"),
        ("{{ row.级 is number }} {{ row.备注 is number }} {{ row.备注|upper }}", "True False X"),
    ],
)  # fmt: skip
def test_a_cell_is_text_and_the_number_it_says(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ row.空 }}", "there is nothing to write"),
        ("{{ row.空 * 2 }}", "takes numbers, not nothing"),
        ("{{ row.备注 * 2 }}", "takes numbers, not text"),
        ("{{ row.实发 + '元' }}", "takes numbers, not text"),
        ("{{ row.实发 + row.备注 }}", "takes numbers, not text"),
        ("{{ row.备注 > 5 }}", "cannot be compared"),
        ("{{ row.实付 }}", "there is no 实付"),
    ],
)
def test_what_is_no_number_is_never_taken_for_one(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        rendered(source)


def test_an_empty_cell_is_missing() -> None:
    with pytest.raises(MissingError):
        rendered("{{ row.空 }}")


@given(st.decimals(-(10**12), 10**12, places=2), st.decimals(-(10**12), 10**12, places=4))
def test_sums_are_exact_to_the_last_digit(one: Decimal, other: Decimal) -> None:
    row = cells_of(("a", "b"), (f"{one:,}", f"{other:f}"))
    assert Decimal(rendered("{{ row.a + row.b }}", row)) == one + other
    assert rendered("{{ row.a > row.b }}", row) == str(one > other)
    assert rendered("{{ row.a }}", row) == f"{one:,}"


@pytest.mark.parametrize(
    "text", ["", ".", "1.2.3", "1,23", "12,34,567", "1e5", "0x1", "１", "NaN", "1 2", "9" * 41]
)
def test_what_only_looks_like_a_number_is_text(text: str) -> None:
    assert Cell(text).number() is None


def test_a_message_with_a_row_is_personal_and_one_without_is_not() -> None:
    assert Message({"text": "{{ row.a }}"}).is_personal
    assert Message({"text": "{{ row.a }}"}).uses_row
    assert not Message({"text": "{{ due }}"}).is_personal
    assert not Message({"text": "{{ person.name }}"}).uses_row
