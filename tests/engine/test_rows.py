"""Rows: a table with a row for each person, and what of it reaches whose phone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dingbell.clock import SHANGHAI
from dingbell.config.apply import apply, plan
from dingbell.config.document import ProblemsError
from dingbell.config.schema import load
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.errors import ConflictError, InputError, NotFoundError
from dingbell.operations import audiences, datasets, directory, schedules, sending
from dingbell.operations.context import Operations
from dingbell.sandbox import Sandbox
from dingbell.store.connection import acquire
from dingbell.tables import Table, TableError, read

from .conftest import RunService, Truth, final, until
from .given import overview, runs_of, send, soon


@pytest.fixture
async def staff(desk: Operations, truth: Truth) -> list[dict[str, Any]]:
    """Who is there, by job number; the directory has been read."""
    await directory.synchronise(desk, None)
    people = (await truth.get("people"))["people"]
    return sorted((one for one in people if one["active"]), key=lambda one: one["job_number"])


def table(text: str, name: str = "pay.csv") -> Table:
    return read(text.encode("gb18030"), name)


def order(words: dict[str, Any], rows: Table | str | None, *users: str, **more: Any) -> Any:
    to = Audience(users=users) if users else None
    return sending.Order(to, Message(words), rows=rows, **more)


async def texts(truth: Truth, userid: str) -> list[str]:
    return [one["msg"]["text"]["content"] for one in await truth.get(f"inbox/{userid}")]


def failed(found: dict[str, Any]) -> dict[str, str]:
    """Who was not sent to, each with the code of the batch they were set aside in."""
    codes = {one["ordinal"]: one["code"] for one in found["batches"] if one["state"] == "failed"}
    people = [one["userid"] for one in found["deliveries"] if one["state"] == "failed"]
    return dict(zip(people, codes.values(), strict=True))


async def test_who_has_no_row_and_a_row_of_nobodys_are_told_beforehand_and_cost_nobody_else(
    desk: Operations, staff: list[dict[str, Any]], truth: Truth, run_service: RunService
) -> None:
    a, b, c, d = (one["userid"] for one in staff[:4])
    rows = table(f"userid,net\n{a},1.10\n{b},2.20\nghost,3.30\n{d},4\n")
    one = order({"text": "{{ row.net }}"}, rows, a, b, c)
    forecast = await sending.outlook(desk, one)
    assert forecast.totals() == {"delivered": 2, "failed": 1}
    assert str(forecast.why(c)) == "has no row in the data"
    missing, orphans = map(str, forecast.notes)
    assert missing == f"no row in the data for {c}"
    assert orphans == (
        "reach nobody in the data: line 4 (ghost is not in the directory), "
        f"line 5 ({d} is not in the audience)"
    )
    assert "第 4 行 (通讯录中没有 ghost)" in forecast.notes[1].zh
    async with run_service():
        found = await final(desk, await send(desk, one))
    assert failed(found) == {c: "no_row"}
    assert found["totals"]["failed"] == 1
    assert (await texts(truth, a), await texts(truth, b)) == (["1.10"], ["2.20"])
    assert await texts(truth, c) == await texts(truth, d) == []


async def test_an_empty_cell_fails_its_person_only_unless_something_stands_in(
    desk: Operations, staff: list[dict[str, Any]], truth: Truth, run_service: RunService
) -> None:
    a, b = (one["userid"] for one in staff[:2])
    rows = table(f"userid,net,note\n{a},1,x\n{b},,\n")
    words = {"text": "{{ row.note|default('-') }} {{ row.net }}"}
    async with run_service():
        found = await final(desk, await send(desk, order(words, rows)))
    assert failed(found) == {b: "template"}
    assert await texts(truth, a) == ["x 1"]


async def test_a_column_that_is_not_there_is_told_also_where_something_stands_in(
    desk: Operations, staff: list[dict[str, Any]]
) -> None:
    rows = table(f"userid,net\n{staff[0]['userid']},1\n")
    words = {"text": "{{ row.bonus|default(0) }} {{ row['net'] }}{% if row.x %}!{% endif %}"}
    with pytest.raises(InputError, match="there is no x"):
        await sending.outlook(desk, order(words, rows))
    found = await sending.outlook(desk, order({"text": words["text"].partition("{%")[0]}, rows))
    assert found.notes == ("there is no column bonus in the data: there are userid, net",)


async def test_a_new_version_reaches_what_is_prepared_and_a_repeat_is_none(
    desk: Operations, staff: list[dict[str, Any]], truth: Truth, run_service: RunService
) -> None:
    a = staff[0]["userid"]
    old, new = table(f"userid,net\n{a},1\n"), table(f"userid,net\n{a},1.0\n")
    assert (await datasets.put(desk, "pay", old)).version == 1
    again = await datasets.put(desk, "pay", old)
    assert (again.version, again.changed) == (1, False)
    spec = schedules.ScheduleSpec(
        when=soon(desk, 5), rows="pay", message=Message({"text": "net {{ row.net }}"})
    )
    assert spec.to == Audience(lists=("pay",))
    async with run_service():
        await schedules.put(desk, "payday", spec, source="yaml")
        run = (await until(lambda: _planned(desk, "payday")))["id"]
        assert (await overview(desk, run))["rows_version"] == 1
        assert (await datasets.put(desk, "pay", new)).version == 2
        await until(lambda: texts(truth, a))
    assert await texts(truth, a) == ["net 1.0"]
    assert (await overview(desk, run))["rows_version"] == 2


async def _planned(desk: Operations, name: str) -> dict[str, Any] | None:
    found = await runs_of(desk, name)
    return found[0] if found and found[0]["state"] == "planned" else None


async def test_a_list_names_people_and_is_left_out_like_any_audience(
    desk: Operations, staff: list[dict[str, Any]]
) -> None:
    late = "手机号\n" + "\n".join(
        f"+86 {one['mobile'][:3]}-{one['mobile'][3:]}" for one in staff[:3]
    )
    done = await datasets.put(desk, "late", table(late + "\n13000000000\n"))
    assert (done.key, done.people, [one.line for one in done.nobodys]) == ("mobile", 3, [5])
    members = [one["userid"] for one in staff[:3]]
    found = await directory.members(desk, None, Audience(lists=("late",)))
    assert sorted(found.userids) == sorted(members)
    saved = Audience(users=tuple(members), except_=Audience(users=(members[0],)))
    await audiences.put(desk, "some", saved)
    rest = Audience(audience=("some",), except_=Audience(lists=("late",)))
    with pytest.raises(InputError, match="empty"):
        await directory.members(desk, None, rest)
    with pytest.raises(NotFoundError, match="no list 'gone': import it"):
        await directory.members(desk, None, Audience(lists=("gone",)))


async def test_what_is_used_is_not_deleted_and_what_is_deleted_is_told_when_it_is_due(
    desk: Operations, staff: list[dict[str, Any]], run_service: RunService
) -> None:
    rows = table(f"userid,net\n{staff[0]['userid']},1\n")
    await datasets.put(desk, "pay", rows)
    await datasets.put(desk, "late", rows)
    await audiences.put(desk, "all", Audience(everyone=True, except_=Audience(lists=("late",))))
    spec = schedules.ScheduleSpec(
        when={"daily": "09:00"}, rows="pay", message=Message({"text": "{{ row.net }}"})
    )
    await schedules.put(desk, "payday", spec, source="yaml")
    with pytest.raises(ConflictError, match="'pay' is used by schedule payday"):
        await datasets.delete(desk, "pay")
    with pytest.raises(ConflictError, match="audience all"):
        await datasets.delete(desk, "late")
    await schedules.delete(desk, "payday")
    one = order({"text": "{{ row.net }}"}, "pay", cool_down=timedelta(seconds=2))
    run = await send(desk, one)
    await datasets.delete(desk, "pay")
    async with run_service():
        found = await final(desk, run)
    assert found["state"] == "failed"
    assert "there are no rows 'pay'" in found["reason"]


async def test_a_dry_run_keeps_nothing_and_a_repeated_request_keeps_the_first_rows(
    desk: Operations, staff: list[dict[str, Any]]
) -> None:
    a = staff[0]["userid"]
    first = order({"text": "{{ row.net }}"}, table(f"userid,net\n{a},1\n"), request_id="r1")
    await sending.outlook(desk, first)
    assert await _count(desk) == 0
    run = await sending.send(desk, first, people=1)
    other = order({"text": "{{ row.net }}"}, table(f"userid,net\n{a},2\n"), request_id="r1")
    assert await sending.send(desk, other, people=1) == run
    assert await _count(desk) == 1
    assert await datasets.listed(desk) == ()


async def _count(desk: Operations) -> int:
    async with acquire(desk.pool) as connection:
        count: int = await connection.fetchval("select count(*) from datasets")
    return count


REFUSED = {
    "userid,net\n{a},1\n\n{a},2\n": "line 4: line 2 is about the same person",
    "who,net\n{a},1\n": "no column says whose a row is.*There are who, net",
    "userid,UserID,net\n{a},{a},1\n": "two columns may hold the userid: userid, UserID",
}


@pytest.mark.parametrize("text", REFUSED)
async def test_rows_of_which_nobody_knows_whose_they_are_are_refused(
    desk: Operations, staff: list[dict[str, Any]], text: str
) -> None:
    with pytest.raises(TableError, match=REFUSED[text]):
        await datasets.put(desk, "x", table(text.format(a=staff[0]["userid"])))
    assert await _count(desk) == 0


async def test_a_row_that_is_repeated_word_for_word_counts_once(
    desk: Operations, staff: list[dict[str, Any]]
) -> None:
    a = staff[0]["userid"]
    done = await datasets.put(desk, "x", table(f"userid,net\n{a},1\n{a},1\n"))
    assert (done.people, done.repeated) == (1, (3,))


def _file(sandbox: Sandbox, folder: Path, rows: str = "rows: pay.csv") -> Path:
    path = folder / "dingbell.yaml"
    path.write_text(
        f"""
apps:
  hr: {{agent_id: {sandbox.agent_id}, app_key: {sandbox.app_key}, app_secret: {sandbox.app_secret}}}
schedules:
  payday:
    when: {{daily: "10:00"}}
    {rows}
    message: {{text: "{{{{ row.net }}}}"}}
""",
        encoding="utf-8",
    )
    return path


async def test_a_file_beside_dingbell_yaml_is_applied_with_it(
    desk: Operations, staff: list[dict[str, Any]], sandbox: Sandbox, tmp_path: Path
) -> None:
    path = _file(sandbox, tmp_path)
    numbers = [one["job_number"] for one in staff[:2]]
    (tmp_path / "pay.csv").write_bytes(f"工号,net\n{numbers[0]},1\nX9,2\n".encode("gb18030"))
    planned = await plan(desk, load(path))
    assert [(one.action, one.kind, one.name) for one in planned] == [
        ("create", "app", "hr"),
        ("create", "dataset", "pay.csv"),
        ("create", "schedule", "payday"),
    ]
    told = "reach nobody in pay.csv: line 3 (X9 is not in the directory)"
    assert [str(one) for one in planned[2].warnings] == [told]
    assert await _count(desk) == 0
    done = await apply(desk, load(path))
    assert [str(one) for one in done[2].warnings] == [told]
    assert await apply(desk, load(path)) == []
    (tmp_path / "pay.csv").write_text(f"工号,net\n{numbers[0]},1\n{numbers[1]},3\n", "utf-8")
    (change,) = await apply(desk, load(path))
    assert (change.kind, change.fields) == ("dataset", {"rows": (2, 2)})
    (kept,) = await datasets.listed(desk)
    assert (kept.version, kept.people, kept.unmatched) == (2, 2, 0)
    report = await datasets.show(desk, "pay.csv")
    assert (report.used_by, [one.version for one in report.versions]) == (
        ("schedule payday",),
        [2, 1],
    )


async def test_a_file_is_planned_before_the_directory_was_ever_read_and_applied_with_it(
    desk: Operations, truth: Truth, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = _file(sandbox, tmp_path)
    person = (await truth.get("people"))["people"][0]
    (tmp_path / "pay.csv").write_text(f"工号,net\n{person['job_number']},1\n", "utf-8")
    kinds = ["app", "dataset", "schedule"]
    assert [one.kind for one in await plan(desk, load(path))] == kinds
    assert [one.warnings for one in await apply(desk, load(path))] == [(), (), ()]
    (kept,) = await datasets.listed(desk)
    assert (kept.people, kept.unmatched) == (1, 0)


async def test_a_file_that_cannot_be_read_and_rows_that_are_nowhere_are_told_at_their_place(
    desk: Operations, staff: list[dict[str, Any]], sandbox: Sandbox, tmp_path: Path
) -> None:
    path = _file(sandbox, tmp_path)
    (tmp_path / "pay.csv").write_text('userid,net\nu1,"1\n', "utf-8")
    with pytest.raises(ProblemsError, match=r"yaml:7:5: .*pay.csv, line 2: the quotes of this"):
        load(path)
    (tmp_path / "pay.csv").unlink()
    with pytest.raises(NotFoundError, match=r"schedules.payday.rows: there are no rows 'pay.csv'"):
        await plan(desk, load(path))
    with pytest.raises(ProblemsError, match="the message uses row: say in which file"):
        load(_file(sandbox, tmp_path, "to: {users: [a]}"))


async def test_ten_thousand_rows_at_a_time_are_imported_while_another_notice_is_on_time(
    desk: Operations, staff: list[dict[str, Any]], truth: Truth, run_service: RunService
) -> None:
    large = "userid,a,b\n" + "\n".join(f"u{n:06},{n}.10,{'x' * 20}" for n in range(10_000))
    content = large.encode()
    due = desk.clock.now() + timedelta(seconds=2)
    spec = schedules.ScheduleSpec(
        when={"once": due.isoformat()},
        to=Audience(users=(staff[0]["userid"],)),
        message=Message({"text": "on time"}),
    )
    async with run_service():
        await schedules.put(desk, "other", spec, source="yaml")
        read_it = asyncio.to_thread(read, content, "large.csv")
        while desk.clock.now() < due:
            done = await datasets.put(desk, f"large-{desk.clock.now().isoformat()}", await read_it)
            read_it = asyncio.to_thread(read, content, "large.csv")
        await read_it
        run = (await until(lambda: _any(desk, "other")))["id"]
        found = await final(desk, run)
    assert (done.people, done.unmatched) == (0, 10_000)
    (batch,) = found["batches"]
    late = (await _sent_at(desk, run) - due.astimezone(SHANGHAI)).total_seconds()
    assert batch["state"] == "settled"
    assert late < 2, f"{late} s late"


async def _any(desk: Operations, name: str) -> dict[str, Any] | None:
    found = await runs_of(desk, name)
    return found[0] if found else None


async def _sent_at(desk: Operations, run: int) -> Any:
    async with acquire(desk.pool) as connection:
        return await connection.fetchval("select min(sent_at) from batches where run_id = $1", run)
