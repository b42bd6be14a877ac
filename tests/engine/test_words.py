"""Words: saved templates and their versions, values of a schedule, files that messages name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dingbell.bootstrap import Service
from dingbell.config.apply import apply, plan
from dingbell.config.schema import load
from dingbell.domain.audience import Audience
from dingbell.domain.media import MediaFile
from dingbell.domain.message import Message
from dingbell.errors import ConflictError, InputError, NotFoundError
from dingbell.messages import image, template
from dingbell.operations import directory as operations_directory
from dingbell.operations import previews, schedules, sending, templates
from dingbell.operations.context import Operations
from dingbell.planning.uploading import KEPT
from dingbell.store import media
from dingbell.store.connection import acquire, transaction
from dingbell.store.ledger import runs as run_rows

from .conftest import RunService, Truth, final, until
from .given import runs_of, send, show, soon, spec

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


def order(content: dict[str, Any], *userids: str, **options: Any) -> sending.Order:
    return sending.Order(Audience(users=userids), Message(content), **options)


async def said(truth: Truth, count: int = 1) -> list[Any]:
    """What was sent, as soon as it is so much."""

    async def there() -> list[Any] | None:
        found = [call["msg"] for call in await truth.calls() if call["accepted"]]
        return found if len(found) >= count else None

    found: list[Any] = await until(there)
    return found


async def uploads(truth: Truth) -> int:
    return int((await truth.get("stats"))["calls"].get("/media/upload", 0))


async def test_a_send_says_what_its_template_says_and_the_run_which_version(
    service: Service, desk: Operations, truth: Truth
) -> None:
    assert await templates.put(desk, "pay", {"text": "{{ vars.month }}: {{ vars.sum|rmb }}"}) == 1
    assert (
        await templates.put(desk, "pay", {"text": "{{ vars.month }}: {{ vars.sum|rmb }}"}) is None
    )
    assert (
        await templates.put(desk, "pay", {"text": "{{ vars.month }}月 {{ vars.sum|money }}"}) == 2
    )
    one = order({"template": "pay"}, "manager4220", vars={"month": 11, "sum": "8000.10"})
    run_id = await send(desk, one)
    assert (await said(truth))[0]["text"]["content"] == "11月 ¥8,000.10"
    done = await show(desk, run_id)
    assert (done["template"], done["template_version"]) == ("pay", 2)
    assert (await templates.show(desk, "pay", 1)).versions == (2, 1)


async def test_a_template_that_is_not_there_is_refused_before_anything_is_sent(
    desk: Operations,
) -> None:
    with pytest.raises(InputError, match="there is no template 'ghost'"):
        await send(desk, order({"template": "ghost"}, "manager4220"))
    with pytest.raises(NotFoundError):
        await templates.show(desk, "ghost")


async def test_a_changed_template_reaches_what_is_prepared(
    service: Service, desk: Operations, truth: Truth
) -> None:
    await templates.put(desk, "news", {"text": "old news"})
    one = spec(soon(desk, 3), prepare_ahead=timedelta(seconds=60)).model_copy(
        update={"message": Message({"template": "news"})}
    )
    await schedules.put(desk, "s", one, source="yaml")

    async def version(wanted: int) -> int | None:
        (run,) = await runs_of(desk, "s") or [{"state": "", "template_version": 0, "id": 0}]
        ready = run["state"] == "planned" and run["template_version"] == wanted
        return int(run["id"]) if ready else None

    await until(lambda: version(1))
    await templates.put(desk, "news", {"text": "new news"})
    # Sooner than the sweeper would wake it.
    run_id = await until(lambda: version(2), seconds=9)
    await said(truth)
    assert (await show(desk, run_id))["template_version"] == 2
    assert [one["text"]["content"] for one in await said(truth)] == ["new news"]


async def test_what_was_drafted_with_an_older_version_is_drafted_again(desk: Operations) -> None:
    await templates.put(desk, "news", {"text": "first"})
    run_id = await send(desk, order({"template": "news"}, "manager4220"))
    async with transaction(desk.pool) as connection:
        await run_rows.note_template(connection, run_id, ("news", 1))
        assert await run_rows.outworded(connection, [run_id]) == set()
    await templates.put(desk, "news", {"text": "second"})
    async with transaction(desk.pool) as connection:
        assert await run_rows.outworded(connection, [run_id]) == {run_id}


async def test_a_template_in_use_is_not_deleted_and_comes_again_with_the_next_version(
    desk: Operations,
) -> None:
    await templates.put(desk, "news", {"text": "one"})
    one = spec({"daily": "16:00"}).model_copy(update={"message": Message({"template": "news"})})
    await schedules.put(desk, "s", one, source="yaml")
    with pytest.raises(ConflictError, match="what schedules say: s"):
        await templates.delete(desk, "news")
    await schedules.delete(desk, "s")
    await templates.delete(desk, "news")
    assert await templates.listed(desk) == ()
    assert await templates.put(desk, "news", {"text": "one"}) == 2


async def test_a_template_may_be_about_those_who_have_not_read(desk: Operations) -> None:
    with pytest.raises(InputError, match="unknown template variable unread"):
        Message({"text": "{{ unread }}"})
    await templates.put(desk, "who", {"text": "{{ unread|length }} of {{ schedule }}"})
    with pytest.raises(InputError, match=r"template who .version 1.: .*unknown template variable"):
        await send(desk, order({"template": "who"}, "manager4220"))


async def test_values_of_a_schedule_stay_exact(desk: Operations, tmp_path: Path) -> None:
    file = tmp_path / "dingbell.yaml"
    file.write_text(
        """
schedules:
  pay:
    when: {daily: "16:00"}
    to: {users: [manager4220]}
    vars: {sum: 15.60, id: 0012, phone: +8613800138000, list: [1, b, 2.50], big: 1e3}
    message:
      text: "{{ vars.sum * 2 }} {{ vars.id }} {{ vars.phone|mask_mobile }} {{ vars.big }}
        {{ vars.list|join(',') }} {{ schedule.name }}/{{ schedule }} {{ schedule.timezone }}"
""",
        encoding="utf-8",
    )
    await apply(desk, load(file))
    found = await previews.preview(desk, await schedules.question(desk, "pay"))
    assert found.renderings[0].message is not None
    assert found.renderings[0].message["text"]["content"] == (
        "31.20 0012 138****8000 1e3 1,b,2.50 pay/pay Asia/Shanghai"
    )
    # What is stored reads back as it was: nothing to change.
    assert await plan(desk, load(file)) == []


def poster(tmp_path: Path, **schedule: str) -> Path:
    (tmp_path / "poster.png").write_bytes(PNG)
    rest = "to: {users: [manager4220]}, message: {image: ./poster.png}"
    rules = "\n".join(f"  {name}: {{when: {when}, {rest}}}" for name, when in schedule.items())
    file = tmp_path / "dingbell.yaml"
    file.write_text(f"schedules:\n{rules}\n", encoding="utf-8")
    return file


async def test_a_picture_is_uploaded_once_for_an_app_and_its_id_is_sent(
    service: Service, desk: Operations, truth: Truth, tmp_path: Path
) -> None:
    when = f'{{once: "{soon(desk, 1)["once"]}"}}'
    file = poster(tmp_path, a=when, b=when)
    await apply(desk, load(file))
    (tmp_path / "poster.png").unlink()

    ids = {one["image"]["media_id"] for one in await said(truth, 2)}
    assert len(ids) == 1
    assert await uploads(truth) == 1


async def test_plan_refuses_a_file_that_is_not_there_with_line_and_column(tmp_path: Path) -> None:
    file = poster(tmp_path, a='{daily: "16:00"}')
    (tmp_path / "poster.png").unlink()
    with pytest.raises(
        InputError, match=r"dingbell.yaml:2:\d+: schedules.a.message: image: cannot "
    ):
        load(file)


async def test_an_upload_that_fails_fails_its_run_only_and_is_tried_again_while_it_may_work(
    service: Service, desk: Operations, truth: Truth
) -> None:
    refused, fine, lost = (MediaFile("image", name, PNG) for name in ("r.png", "f.png", "l.png"))
    await truth.post("faults", {"path": "/media/upload", "times": 1, "errcode": 40009})
    one = order({"image": refused.reference}, "manager4220", files=(refused,))
    failed = await final(desk, await send(desk, one))
    assert failed["state"] == "failed"
    assert "DingTalk did not take the file r.png (40009" in failed["reason"]
    await truth.post("faults", {"path": "/media/upload", "times": 1, "errcode": -1})
    await send(desk, order({"image": fine.reference}, "manager4220", files=(fine,)))
    (sent,) = await said(truth)
    assert sent["msgtype"] == "image"
    async with transaction(desk.pool) as connection:
        await connection.execute("delete from media")
    failed = await final(desk, await send(desk, order({"image": lost.reference}, "manager4220")))
    assert "the file l.png is not kept any more" in failed["reason"]


async def test_an_old_id_is_not_used_and_one_that_dingtalk_forgot_is_asked_for_again(
    service: Service, desk: Operations, truth: Truth
) -> None:
    file = MediaFile("image", "b.png", PNG)

    async def again(*userids: str) -> int:
        return await send(desk, order({"image": file.reference}, *userids, files=(file,)))

    await again("manager4220")
    await said(truth)
    async with acquire(desk.pool) as connection:
        aged = "update media_uploads set uploaded_at = uploaded_at - $1::interval"
        await connection.execute(aged, KEPT)
    await again("manager4220")
    await said(truth, 2)
    assert await uploads(truth) == 2
    async with acquire(desk.pool) as connection:
        await connection.execute("update media_uploads set media_id = '@nothing'")
    failed = await final(desk, await again("manager4220"))
    assert [one["code"] for one in failed["batches"]] == ["40007"]
    await again("manager4220")
    await said(truth, 3)


async def test_plan_and_apply_name_people_for_whom_a_message_cannot_be_made(
    desk: Operations, tmp_path: Path
) -> None:
    file = tmp_path / "dingbell.yaml"
    file.write_text(
        """
templates: {boss: {text: "ask {{ person.manager.userid }}"}}
schedules:
  s: {when: {daily: "16:00"}, to: {users: [manager4220, manager7675]}, message: {template: boss}}
  t: {when: {daily: "17:00"}, to: {users: [manager4220]}, message: "{{ person.name }}"}
""",
        encoding="utf-8",
    )
    await operations_directory.synchronise(desk, None)
    planned = {
        one.name: [str(text) for text in one.warnings] for one in await plan(desk, load(file))
    }
    assert planned["s"][0] == "1 of 2 people are expected to get it (failed 1)"
    assert "manager4220: the template does not work: text line 1" in planned["s"][1]
    assert planned["t"] == []
    applied = await apply(desk, load(file))
    assert [str(text) for one in applied if one.name == "s" for text in one.warnings] == planned[
        "s"
    ]


@pytest.mark.parametrize("path", ["absolute", "none"])
async def test_what_a_function_returns_is_filled_in_where_it_says_so_and_may_name_a_file(
    run_service: RunService, desk: Operations, truth: Truth, tmp_path: Path, path: str
) -> None:
    (tmp_path / "p.png").write_bytes(PNG)
    made: Any = (
        image(tmp_path / "p.png") if path == "absolute" else template("{{ person.userid }}!")
    )
    one = spec(soon(desk, 1)).model_copy(update={"message": None, "function": "f:s"})
    async with run_service(functions={"f:s": lambda: made}):
        await schedules.put(desk, "s", one, source="python")
        (sent,) = await said(truth)
    assert sent.get("text", {}).get("content", "manager4220!") == "manager4220!"
    assert sent["msgtype"] == ("image" if path == "absolute" else "text")


async def test_files_that_nothing_names_are_forgotten_after_a_while(desk: Operations) -> None:
    named, kept, old = (MediaFile("image", f"{n}.png", PNG + n.encode()) for n in "abc")
    await templates.put(desk, "t", {"image": named.reference}, [named, old])
    async with transaction(desk.pool) as connection:
        await connection.execute("update media set kept_at = kept_at - interval '1 day'")
        await media.keep(connection, [kept], desk.clock.now())
        before = desk.clock.now() - timedelta(hours=1)
        assert await media.forget(connection, before) == 1
        digests = [one.digest for one in (named, kept, old)]
        assert await media.missing(connection, digests) == {old.digest}


async def test_a_preview_shows_whom_one_names_the_longest_and_whom_it_fails_for(
    desk: Operations,
) -> None:
    one = sending.Order(
        Audience(everyone=True),
        Message(
            {"markdown": {"title": "t", "text": "{{ person.name }}\n{{ person.manager.userid }}"}}
        ),
    )
    found = await previews.preview(desk, await sending.question(desk, one), ["manager4220", "x"])
    asked, stranger, longest, *problems = found.renderings
    assert (asked.userid, asked.why) == ("manager4220", "asked")
    assert stranger.problem is not None
    assert "the directory does not know x" in str(stranger.problem)
    assert longest.why == "longest"
    assert all(longest.bytes >= one.bytes for one in found.renderings)
    assert found.failing == sum(1 for _ in problems) or found.failing > 3
    assert any("line ends are shown as blanks" in str(words) for words in found.advice)
    assert found.people == found.looked_at > 30
