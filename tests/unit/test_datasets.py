"""Datasets: whose a row is, and what a schedule or a send may say of rows."""

from __future__ import annotations

from typing import Any

import pytest

from dingbell.domain.audience import Audience, parse_targets
from dingbell.domain.datasets import (
    Fault,
    KeyKind,
    assigned,
    checked_name,
    content_digest,
    key_of,
    key_values,
)
from dingbell.domain.message import Message
from dingbell.domain.schedule import ScheduleSpec
from dingbell.errors import InputError
from dingbell.operations.sending import Order
from dingbell.tables import Table, TableError, read


def table(text: str) -> Table:
    return read(text.encode(), "p.csv")


@pytest.mark.parametrize(
    ("columns", "kind", "column"),
    [
        ("姓名,工号,手机号", KeyKind.JOB_NUMBER, "工号"),
        ("姓名,手机 号码,UserID", KeyKind.USERID, "UserID"),
        ("姓名,手机号(必填)x,联系电话", KeyKind.MOBILE, "联系电话"),
        ("Name,Employee No.", KeyKind.JOB_NUMBER, "Employee No."),
        ("姓名,应发", KeyKind.NAME, "姓名"),
    ],
)
def test_the_column_is_found_by_its_header_the_surest_first(
    columns: str, kind: KeyKind, column: str
) -> None:
    key = key_of(table(columns + "\n" + ",".join("x" * (columns.count(",") + 1))))
    assert (key.kind, key.column) == (kind, column)


def test_a_column_that_is_asked_for_has_to_be_there() -> None:
    data = table("姓名,工号\n王芳,1\n")
    assert key_of(data, KeyKind.NAME).column == "姓名"
    with pytest.raises(
        TableError, match=r"no column holds the mobile: name one .*There are 姓名, 工号"
    ):
        key_of(data, KeyKind.MOBILE)


@pytest.mark.parametrize(
    "written", ["13812345678", "+86 138-1234-5678", "86 13812345678", "0086 138 1234 5678"]
)
def test_a_mobile_is_looked_up_by_its_digits(written: str) -> None:
    data = table(f"手机,x\n{written},1\n")
    assert key_values(data, key_of(data)) == ["13812345678"]


OWNERS: Any = {
    "a": (["u1"], False),
    "b": (["u2", "u3"], True),
    "c": ([], True),
    "d": (["u1"], False),
}


def test_a_row_is_somebodys_only_where_one_person_is_called_so() -> None:
    data = table("name,net\na,1\nb,2\nc,3\nx,4\n,5\n")
    found = assigned(data, key_of(data), OWNERS)
    assert [row.userid for row in found.rows] == ["u1", None, None, None, None]
    faults = [Fault.AMBIGUOUS, Fault.LEFT, Fault.UNKNOWN, Fault.EMPTY]
    assert [row.fault for row in found.faulty] == faults
    assert [fault.words("b").zh for fault in faults] == [
        "有多人对应 b",
        "b 已离职",
        "通讯录中没有 b",
        "没有写明是谁",
    ]


def test_two_rows_of_one_person_are_refused_also_where_they_are_called_otherwise() -> None:
    data = table("name,net\na,1\nd,1\n")
    with pytest.raises(TableError, match=r"p.csv, line 3: line 2 is about the same person, d"):
        assigned(data, key_of(data), OWNERS)


def test_what_a_table_says_is_known_again_wherever_it_stands() -> None:
    one, other = table("name,net\na,1\n"), table("\n\nname,net\n\na,1\n")
    assert content_digest(one) == content_digest(other)
    for text in ("name,net\na,1.0\n", "name,ne\na,1\n", "name,net\na,1\na,1\n"):
        assert content_digest(table(text)) != content_digest(one)


@pytest.mark.parametrize("name", ["", " ", "send:x", "x" * 201, "a\u200bb", "https://x.cn/a.csv"])
def test_a_name_of_a_dataset_is_seen_and_nobody_elses(name: str) -> None:
    with pytest.raises(InputError):
        checked_name(name)


def schedule(**said: Any) -> ScheduleSpec:
    return ScheduleSpec.model_validate({"when": {"daily": "10:00"}, **said})


ROW = {"text": "{{ row.net }}"}


def test_rows_without_to_go_to_everybody_who_has_one() -> None:
    found = schedule(rows="pay.csv", message=ROW)
    assert found.to == Audience(lists=("pay.csv",))
    assert schedule(rows="pay.csv", message=ROW, to={"users": ["a"]}).to == Audience(users=("a",))
    assert schedule(**{**found.to_dict(), "when": {"daily": "10:00"}}) == found


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"message": ROW, "to": {"users": ["a"]}}, "the message uses row: say in which file"),
        ({"rows": "p", "function": "f"}, "rows are for a message that is written"),
        ({"rows": "p"}, "rows are for a message|write a message"),
        ({"message": {"text": "x"}}, "Field required"),
        (
            {"rows": "p", "message": ROW, "follow_up": {"unread_after": "1h", "message": ROW}},
            "a follow-up has no rows",
        ),
        ({"rows": "https://x.cn/p.csv", "message": ROW, "to": {"users": ["a"]}}, "is an address"),
    ],
)
def test_rows_that_do_not_fit_are_refused_when_they_are_written(
    said: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        schedule(**said)


def test_an_order_has_the_rows_it_uses() -> None:
    data = table("userid,net\na,1\n")
    order = Order(None, Message(ROW), rows=data, request_id="r1")
    assert (order.dataset, order.to) == ("send:r1", Audience(lists=("send:r1",)))
    assert (order.spec().rows, order.spec().to) == ("send:r1", order.to)
    with pytest.raises(InputError, match="the message uses row"):
        Order(Audience(users=("a",)), Message(ROW))
    with pytest.raises(InputError, match="say whom it goes to"):
        Order(None, Message({"text": "x"}))
    with pytest.raises(InputError, match="no name of a dataset"):
        Order(None, Message(ROW), rows="send:r2")


def test_a_list_is_a_target_and_part_of_an_audience() -> None:
    assert parse_targets(["lists:late,new", "users:a"]) == Audience(
        users=("a",), lists=("late", "new")
    )
    assert Audience(lists=("late",)).needs_directory()
