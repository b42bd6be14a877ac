"""The library inside other programs: decorators, lifespan, send, and functions that raise."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from fastapi import FastAPI

import dingbell
from dingbell import (
    ConflictError,
    DingBell,
    InputError,
    NotFoundError,
    departments,
    everyone,
    markdown,
    mobiles,
    roles,
    text,
    users,
)
from dingbell.operations import reports

WHO = users("manager4220")


@pytest.fixture
async def bell(database, sandbox, tmp_path) -> DingBell:
    """A bell on this module's empty database and a sandbox; not open yet."""
    return DingBell.from_env(
        _env_file=None,
        database_url=database.dsn,
        data_dir=tmp_path,
        oapi_url=sandbox.url,
        api_url=sandbox.url,
        app_key=sandbox.app_key,
        app_secret=sandbox.app_secret,
        agent_id=sandbox.agent_id,
    )


def soon(seconds: float = 1.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def settled(bell: DingBell, schedule: str):
    """The first firing of a schedule, when it is final."""
    async with asyncio.timeout(20):
        found = []
        while not found:
            await asyncio.sleep(0.02)
            found = await reports.listed(bell.desk, schedule=schedule)
        return await bell.wait(found[-1]["id"])


async def test_a_function_is_called_at_its_instant_and_its_message_arrives_once(bell, sandbox):
    @bell.once(soon(), to=users("manager4220", "manager7675"))
    def off_work():
        return text("下班")

    @bell.once(soon().isoformat(), to=WHO, name="later")
    async def asynchronous():
        await asyncio.sleep(0)
        return "一段文字"

    async with bell:
        first, second = await settled(bell, "off_work"), await settled(bell, "later")
    assert [one["state"] for one in first["deliveries"]] == ["unread", "unread"]
    assert second["totals"] == {"unread": 1}
    assert first["schedule"] == "off_work"
    assert off_work() == text("下班")


async def test_a_function_that_raises_fails_its_firing_with_the_reason_and_stops_nobody(bell):
    at = soon()

    @bell.once(at, to=WHO)
    def broken():
        raise RuntimeError("the report is not ready")

    @bell.once(at, to=WHO)
    async def broken_later():
        raise LookupError("nobody knows")

    @bell.once(at, to=WHO)
    def too_long():
        return "x" * 2049

    @bell.once(at, to=WHO)
    def fine():
        return "好"

    async with bell:
        failed = {
            name: await settled(bell, name) for name in ("broken", "broken_later", "too_long")
        }
        well = await settled(bell, "fine")
        assert {one["state"] for one in failed.values()} == {"failed"}
        assert failed["broken"]["reason"] == "RuntimeError: the report is not ready"
        assert failed["broken_later"]["reason"] == "LookupError: nobody knows"
        assert "2048" in failed["too_long"]["reason"]
        assert well["totals"] == {"unread": 1}
        assert await bell.wait(await bell.send(WHO, "and it goes on"))


async def test_a_function_that_returns_nothing_sends_nothing(bell, sandbox):
    @bell.once(soon(), to=WHO)
    def quiet():
        return None

    async with bell:
        report = await settled(bell, "quiet")
    assert (report["state"], report["totals"], report["batches"]) == ("settled", {}, [])


async def test_a_function_is_called_again_and_again(bell):
    called = 0
    enough = asyncio.Event()

    @bell.every("1s", to=WHO, prepare_ahead=0)
    async def count():
        nonlocal called
        called += 1
        if called == 3:
            enough.set()
        return f"第 {called} 次"

    async with bell:
        async with asyncio.timeout(20):
            await enough.wait()
        instants = [
            datetime.fromisoformat(one["due_at"])
            for one in await reports.listed(bell.desk, schedule="count")
        ]
    gaps = {a - b for a, b in pairwise(instants)}
    assert gaps == {timedelta(seconds=1)}


async def test_every_kind_of_rule_becomes_a_schedule(bell):
    @bell.daily("16:00", "09:30:15", to=WHO)
    def daily():
        """Never called here."""

    @bell.cron("0 9 * * 1-5", to=WHO, timezone="UTC")
    def cron():
        """Never called here."""

    @bell.every(timedelta(hours=2), to=WHO)
    def every():
        """Never called here."""

    @bell.once("2099-01-01 10:00", to=WHO)
    def once():
        """Never called here."""

    async with bell:
        found = {one["name"]: one for one in await dingbell_schedules(bell)}
    assert found.keys() == {"daily", "cron", "every", "once"}
    assert {one["source"] for one in found.values()} == {"python"}
    assert found["cron"]["next_due_at"].endswith("09:00:00+00:00")
    assert found["once"]["next_due_at"] == "2099-01-01T10:00:00+08:00"


async def dingbell_schedules(bell):
    from dingbell.operations import schedules

    return await schedules.listed(bell.desk)


async def test_an_asgi_app_opens_the_bell_with_its_lifespan(bell):
    app = FastAPI(lifespan=bell.lifespan)
    async with app.router.lifespan_context(app):
        report = await bell.wait(await bell.send(WHO, text("来自应用")))
        assert (report["state"], report["totals"]) == ("settled", {"unread": 1})
    with pytest.raises(InputError, match="the bell is not open"):
        await bell.send(WHO, "too late")


async def test_the_bell_can_be_opened_again_but_not_twice(bell):
    async with bell:
        with pytest.raises(InputError, match="open already"):
            await bell.__aenter__()
        assert await bell.send(WHO, "still open")
    async with bell:
        assert await bell.send(WHO, "open again")


async def test_everything_asked_of_a_closed_bell_is_refused(bell):
    for asked in (bell.send(WHO, "x"), bell.report(1), bell.wait(1)):
        with pytest.raises(InputError, match="the bell is not open"):
            await asked


async def test_messages_and_targets_of_every_kind_can_be_sent(bell):
    async with bell:
        link = {"title": "t", "text": "x", "message_url": "https://x.cn", "pic_url": "@m"}
        messages = ("文字", text("文本"), markdown("标题", "**内容**"), {"link": link})
        sent = [await bell.send(WHO, message) for message in messages]
        everybody = await bell.wait(await bell.send(departments(1), "全体"))
        assert sum(everybody["totals"].values()) == 40
        for firing_id in sent:
            assert (await bell.wait(firing_id))["totals"] == {"unread": 1}
        for audience, said in ((roles("没有"), "roles"), (mobiles("1"), "mobiles")):
            with pytest.raises(InputError, match=said):
                await bell.send(audience, "x")
        assert everyone().everyone


async def test_the_same_request_id_sends_once(bell):
    async with bell:
        first = await bell.send(WHO, "一次", request_id="order-1")
        with pytest.raises(ConflictError, match="made before"):
            await bell.send(WHO, "一次", request_id="order-1")
        assert (await bell.wait(first))["totals"] == {"unread": 1}


async def test_what_cannot_be_sent_is_refused_and_nothing_is_fired(bell):
    async with bell:
        for audience, message, options in (
            (WHO, "", {}),
            (WHO, "x" * 2049, {}),
            (WHO, {"fax": {}}, {}),
            (departments(9999), "x", {}),
            (WHO, "x", {"app": "nothing"}),
        ):
            with pytest.raises(InputError):
                await bell.send(audience, message, **options)
        assert await reports.listed(bell.desk) == []
        with pytest.raises(NotFoundError, match="there is no firing 99"):
            await bell.report(99)
        with pytest.raises(NotFoundError):
            await bell.wait(99)


def test_two_functions_of_one_name_are_refused_unless_one_is_renamed():
    bell = DingBell.from_env(_env_file=None)

    def remind():
        return "x"

    bell.daily("16:00", to=WHO)(remind)
    with pytest.raises(InputError, match="two functions are scheduled as 'remind'"):
        bell.daily("17:00", to=WHO)(remind)
    bell.daily("17:00", to=WHO, name="remind-again")(remind)


@pytest.mark.parametrize(
    ("rule", "options", "said"),
    [
        (("daily", "25:00"), {}, "not a time of day"),
        (("cron", "0 0 0 1 1 * 2026"), {}, "7 fields"),
        (("every", "soon"), {}, "not a duration"),
        (("once", "tomorrow"), {}, "not an instant"),
        (("daily", "16:00"), {"timezone": "Mars/Base"}, "unknown time zone"),
        (("daily", "16:00"), {"overlap": "maybe"}, "overlap"),
        (("daily", "16:00"), {"colour": "red"}, "colour"),
        (("daily", "16:00"), {"name": "bad name!"}, "name"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_where_it_is_written(rule, options, said):
    kind, value = rule
    bell = DingBell.from_env(_env_file=None)

    def remind():
        """Never called."""

    with pytest.raises(InputError, match=said):
        getattr(bell, kind)(value, to=WHO, **options)(remind)


async def test_a_past_instant_is_refused_when_the_bell_is_opened_and_leaves_nothing(bell):
    @bell.once("2020-01-01 10:00", to=WHO)
    def late():
        """Never called."""

    with pytest.raises(InputError, match="would never fire"):
        await bell.__aenter__()
    with pytest.raises(InputError, match="the bell is not open"):
        await bell.report(1)


async def test_a_database_that_does_not_answer_is_told(tmp_path):
    bell = DingBell.from_env(
        _env_file=None, database_url="postgresql://u:geheim@127.0.0.1:1/x", data_dir=tmp_path
    )
    with pytest.raises(dingbell.DatabaseError, match="cannot be reached") as refused:
        await bell.__aenter__()
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: users("a b"),
        users,
        lambda: departments(0),
        lambda: departments("sales"),
        lambda: mobiles(""),
        lambda: text(""),
        lambda: markdown("", "x"),
    ],
)
def test_a_target_or_message_that_cannot_be_is_refused_where_it_is_written(make):
    with pytest.raises(InputError):
        make()


def test_the_face_names_what_it_gives():
    assert sorted(dingbell.__all__) == dingbell.__all__
    assert all(getattr(dingbell, name) for name in dingbell.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        dingbell.nothing  # noqa: B018
