"""The directory is searched as people type, listed with its ids, and seen by templates."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.engine.conftest import RunService, Truth, final
from tests.engine.given import send, show

from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.operations import directory, directory_parts, sending
from dingbell.operations.context import Operations
from dingbell.operations.directory import FoundView, PersonView
from dingbell.store import directory as kept
from dingbell.store.connection import acquire


@pytest.fixture
async def company(desk: Operations, truth: Truth) -> Operations:
    """The sandbox's company, with a few people whose names are hard."""
    platform = await truth.post("departments", {"name": "平台部"})
    kernel = await truth.post("departments", {"name": "内核组", "parent_id": platform["dept_id"]})
    other = await truth.post("departments", {"name": "海外部"})
    await truth.post("departments", {"name": "内核组", "parent_id": other["dept_id"]})
    for userid, name, mobile in (
        ("u1", "单小明", "13811112222"),
        ("u2", "曾小萌", "13933334444"),
        ("u3", "O'Neil", "15055556666"),
    ):
        facts = {"userid": userid, "name": name, "mobile": mobile, "manager_userid": "manager4220"}
        await truth.post("people", {**facts, "dept_ids": [kernel["dept_id"]]})
    await directory.synchronise(desk, None)
    return desk


async def found(desk: Operations, query: str) -> list[str]:
    rows = await directory.find(desk, None, query)
    return [one.userid if isinstance(one, PersonView) else one.name for one in rows]


async def test_what_is_typed_finds_who_is_meant_first(company: Operations) -> None:
    wanted = {
        "单小明": "u1", "小明": "u1", "shanxiaoming": "u1", "Shan Xiaoming": "u1",
        "danxiaoming": "u1", "sxm": "u1", "zengxiaomeng": "u2", "zxm": "u2", "2222": "u1",
        "13933334444": "u2", "+86 139-3333-4444": "u2", "U3": "u3", "o'neil": "u3", "oneil": "u3",
        "pingtaibu": "平台部", "平台": "平台部", "hr": "HR",
    }  # fmt: skip
    assert {query: (await found(company, query))[0] for query in wanted} == wanted


async def test_people_of_a_department_are_found_by_its_name_after_all_others(
    company: Operations,
) -> None:
    rows = await found(company, "内核组")
    assert set(rows[:3]) == {"u1", "u2", "u3"}
    assert rows[3:] == ["内核组", "内核组"]


async def test_signs_of_patterns_are_letters_like_others(company: Operations) -> None:
    for query in ("%", "_", "\\", "'", "%%", "100%"):
        assert not [one for one in await found(company, query) if one in ("u1", "u2")]


async def test_departments_and_roles_are_found_with_their_ids(company: Operations) -> None:
    (one,) = [o for o in await directory.find(company, None, "海外部") if isinstance(o, FoundView)]
    again = await directory.find(company, None, str(one.id))
    assert (one.kind, again) == ("department", (one,))


async def test_departments_are_listed_as_a_tree_page_by_page(
    company: Operations, truth: Truth
) -> None:
    whole = (await directory_parts.departments(company, None)).items
    told = {one["dept_id"]: one for one in (await truth.get("people"))["departments"]}
    assert {one.dept_id: one.people for one in whole} == {
        dept_id: len(one["userids"]) for dept_id, one in told.items()
    }
    assert (whole[0].dept_id, whole[0].name) == (1, told[1]["name"])
    places = {one.dept_id: place for place, one in enumerate(whole)}
    for one in whole[1:]:
        assert one.parent_id is not None
        assert places[one.parent_id] < places[one.dept_id]
    paged, cursor = [], None
    for _ in range(len(whole)):
        page = await directory_parts.departments(company, None, after=cursor, limit=3)
        paged += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert tuple(paged) == whole


async def test_roles_are_listed_with_their_groups(company: Operations, truth: Truth) -> None:
    told = {one["role_id"]: one for one in await truth.get("roles")}
    listed = await directory_parts.roles(company, None)
    assert {r.role_id: (r.name, r.group, r.people) for r in listed} == {
        role_id: (one["name"], one["group"], len(one["userids"])) for role_id, one in told.items()
    }


async def test_attributes_have_types_and_examples_that_work(
    company: Operations, truth: Truth
) -> None:
    shown = await directory_parts.show(company, None, " u1 ")
    kinds = {one.name: one.kind for one in shown.attributes}
    assert (kinds["hired_on"], kinds["生日"], kinds["job_number"]) == ("date", "date", "text")
    assert (kinds["departments"], kinds["manager"]) == ("list", "record")
    assert shown.manager is not None
    assert shown.manager.id == "manager4220"
    text = "\n".join(one.example for one in shown.attributes)
    one = sending.Order(Audience(users=("u1",)), Message({"text": text}))
    outlook = await sending.outlook(company, one)
    assert outlook.reasons == {}


async def test_a_number_of_a_companys_own_field_is_a_number(desk: Operations, truth: Truth) -> None:
    own = '{"绩点": 3.50, "年限": 12, "工号": "0012", "生日": "1990-05-17", "日": "2026-02-30"}'
    row = {"userid": "u1", "name": "甲", "active": True, "dept_id_list": [1], "extension": own}
    page = {"result": {"has_more": False, "list": [row]}}
    fault = {"path": "/topapi/v2/user/list", "replace": page}
    await truth.post("faults", fault)
    await directory.synchronise(desk, None)
    shown = {one.name: one for one in (await directory_parts.show(desk, None, "u1")).attributes}
    assert {name: shown[name].kind for name in ("绩点", "年限", "工号", "生日", "日")} == {
        "绩点": "number", "年限": "number", "工号": "text", "生日": "date", "日": "text",
    }  # fmt: skip
    assert (Decimal(shown["绩点"].value), shown["年限"].value) == (Decimal("3.50"), 12)


async def test_templates_see_departments_and_the_manager(company: Operations, truth: Truth) -> None:
    boss = (await truth.get("people?q=manager4220"))["people"][0]["name"]
    text = "{{ person.departments|join('/') }} {{ person.manager.name }}"
    message = Message({"text": text})
    async with acquire(company.pool) as connection:
        also = message.mentions(kept.RELATED)
        seen = await kept.people(connection, "default", ["u1"], also)
        assert also == {"departments", "manager"}
        plain = await kept.people(connection, "default", ["u1"])
    assert f"内核组 {boss}".encode() in message.body({"person": seen["u1"]})
    assert "departments" not in plain["u1"]
    assert Message({"text": "{{ person.name }}"}).mentions(kept.RELATED) == frozenset()


async def test_who_has_left_keeps_the_name_in_old_runs(
    company: Operations, truth: Truth, run_service: RunService
) -> None:
    async with run_service():
        text = "给单小明的旧通知"
        run_id = await send(
            company, sending.Order(Audience(users=("u1",)), Message({"text": text}))
        )
        await final(company, run_id)
    await truth.post("people/u1", {"employed": False})
    await directory.synchronise(company, None)
    assert await found(company, "单小明") == []
    assert [one["name"] for one in (await show(company, run_id))["deliveries"]] == ["单小明"]
