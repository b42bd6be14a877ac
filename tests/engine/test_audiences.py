"""Audiences of running schedules: who joins or leaves at the last moment, and nobody at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from tests.engine.conftest import RunService, Truth, final, until
from tests.engine.given import order, runs_of, send, soon, spec
from tests.engine.test_changes import planned

from dingbell.clock import SHANGHAI
from dingbell.domain.audience import Audience
from dingbell.domain.misfire import Misfire
from dingbell.errors import InputError
from dingbell.operations import audiences, directory, rules, schedules
from dingbell.operations.context import Operations
from dingbell.planning.sources import SourceFailed
from dingbell.store import directory as people
from dingbell.store.connection import transaction
from dingbell.store.directory import Person

STAFF = ("manager4220", "manager7675", "006159955030000018", "006381018640000021")
BELL = Audience.model_validate({"where": {"role": "bell"}})


async def give(desk: Operations, *userids: str, **attributes: object) -> None:
    """Let people of the directory have these attributes and no others."""
    async with transaction(desk.pool) as connection:
        known = [Person(userid, userid, None, True, (1,), attributes) for userid in userids]
        await people.put_people(connection, "default", known)


async def two_seconds_before(desk: Operations, when: dict[str, str]) -> None:
    due = datetime.fromisoformat(when["once"])
    await desk.clock.sleep_until(due - timedelta(seconds=2))


def states(found: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {one["userid"]: (one["state"], one["code"]) for one in found["deliveries"]}


async def test_who_joins_or_leaves_two_seconds_before_the_instant_is_in_or_out(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    """Once with the same words for all, once with everybody's own; once everybody leaves."""
    await directory.synchronise(desk, None)
    first, second, third, denied = STAFF
    await give(desk, first, second, role="bell", other="leaves")
    await rules.put(desk, "deny", {"users": [denied]})
    when = soon(desk, 5)
    async with run_service():
        for name, words, audience in (
            ("alike", "all the same", BELL),
            ("own", "for {{ person.name }}", BELL),
            ("gone", "nobody", Audience.model_validate({"where": {"other": "leaves"}})),
        ):
            await schedules.put(desk, name, spec(when, words, to=audience), source="yaml")
        ids = [await planned(desk, name) for name in ("alike", "own", "gone")]
        await two_seconds_before(desk, when)
        await give(desk, first)
        await give(desk, second, third, denied, role="bell")
        alike, own, gone = [await final(desk, one) for one in ids]
    assert await truth.rung() == {second: 2, third: 2}
    assert gone["totals"] == {"canceled": 2}
    for found in (alike, own):
        assert states(found)[first] == ("canceled", "moved_out")
        assert states(found)[denied] == ("canceled", None)
        assert states(found)[second][0] == states(found)[third][0] == "unread"


async def test_an_occurrence_for_nobody_is_skipped_and_a_send_to_nobody_is_refused(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await directory.synchronise(desk, None)
    today = desk.clock.now().astimezone(SHANGHAI).date()
    born = f"1990-{today:%m-%d}"
    birthday = Audience.model_validate({"where": {"纪念日": {"anniversary": True}}})
    with pytest.raises(InputError, match="empty"):
        await send(desk, order("hello", to=birthday))
    async with run_service():
        await schedules.put(desk, "s", spec(soon(desk, 1), to=birthday), source="yaml")

        async def skipped() -> dict[str, Any] | None:
            found = await runs_of(desk, "s")
            return found[0] if found and found[0]["state"] == "skipped" else None

        found = await until(skipped)
        assert found["cause"] == {"kind": "nobody", "day": today.isoformat()}
        await give(desk, STAFF[0], 纪念日=born)
        await final(desk, await schedules.run(desk, "s"))
    assert await truth.rung() == {STAFF[0]: 1}


async def test_a_saved_audience_with_a_condition_that_changes_reaches_what_is_prepared(
    desk: Operations, truth: Truth, run_service: RunService
) -> None:
    await directory.synchronise(desk, None)
    first, second, *_ = STAFF
    await give(desk, first, role="bell")
    await give(desk, second, role="gong")
    await audiences.put(desk, "inner", BELL)
    await audiences.put(desk, "outer", Audience.model_validate({"all": [{"audience": "inner"}]}))
    async with run_service():
        to = Audience(audience=("outer",))
        await schedules.put(desk, "s", spec(soon(desk, 4), to=to), source="yaml")
        run_id = await planned(desk, "s")
        await audiences.put(desk, "inner", Audience.model_validate({"where": {"role": "gong"}}))
        await final(desk, run_id)
    assert await truth.rung() == {second: 1}


class Company:
    """A server of the company's own that says whom an audience means."""

    def __init__(self) -> None:
        self.answer: Callable[[], web.StreamResponse] = lambda: web.json_response([])
        self.asked = 0

    async def reply(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        return self.answer()


@pytest.fixture
async def company() -> AsyncIterator[tuple[Company, str]]:
    """One that runs, and its address."""
    one = Company()
    app = web.Application()
    app.router.add_get("/people", one.reply)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield one, f"http://127.0.0.1:{port}/people?key=s3cret"
    await runner.cleanup()


async def test_a_source_that_fails_holds_the_run_until_it_answers(
    desk: Operations, truth: Truth, run_service: RunService, company: tuple[Company, str]
) -> None:
    server, address = company
    await directory.synchronise(desk, None)
    server.answer = lambda: web.json_response({"userids": [STAFF[0], STAFF[1]]})
    to = Audience.model_validate({"http": address, "except": {"users": STAFF[1]}})
    await schedules.put(desk, "s", spec(soon(desk, 1), to=to), source="yaml")
    server.answer = lambda: web.Response(status=500)
    async with run_service(replace(desk, sources=type(desk.sources)(desk.clock))):

        async def held() -> dict[str, Any] | None:
            found = await runs_of(desk, "s")
            return found[0] if found and found[0]["state"] == "held" else None

        found = await until(held)
        assert found["cause"]["trouble"] == "status"
        assert "HTTP 500" in found["reason"]
        assert "s3cret" not in str(found)
        server.answer = lambda: web.json_response([STAFF[0], STAFF[1]])
        async with transaction(desk.pool) as connection:
            await connection.execute("update runs set held_until = now() - interval '6 s'")
        await final(desk, found["id"])
    assert await truth.rung() == {STAFF[0]: 1}


async def test_a_source_that_fails_for_longer_than_the_grace_ends_the_run(
    desk: Operations, truth: Truth, run_service: RunService, company: tuple[Company, str]
) -> None:
    server, address = company
    await directory.synchronise(desk, None)
    to = Audience.model_validate({"http": address})
    late = spec(soon(desk, 1), to=to, misfire=Misfire(grace="1s"))
    await schedules.put(desk, "s", late, source="yaml")
    server.answer = lambda: web.Response(status=500)
    async with run_service(replace(desk, sources=type(desk.sources)(desk.clock))):

        async def over() -> dict[str, Any] | None:
            async with transaction(desk.pool) as connection:
                await connection.execute(
                    "update runs set held_until = now() - interval '6 s', "
                    "due_at = due_at - interval '10 s' where state = 'held'"
                )
            found = await runs_of(desk, "s")
            return found[0] if found and found[0]["state"] == "skipped" else None

        found = await until(over)
    assert found["cause"]["kind"] == "audience_source_late"
    assert await truth.calls() == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.Response(status=404), "HTTP 404"),
        (lambda: web.Response(text="<html>"), "list of userids"),
        (lambda: web.json_response({"people": []}), "list of userids"),
        (lambda: web.json_response(["a b"]), "list of userids"),
        (lambda: web.Response(body=b"[" + b"1," * 2_500_000), "more than 4000000 bytes"),
        (lambda: web.Response(status=302, headers={"Location": "http://localhost/x"}),
         "another host"),
        (lambda: web.Response(status=302, headers={"Location": "/people"}), "another host"),
    ],
)  # fmt: skip
async def test_an_answer_that_names_nobody_for_certain_is_refused_in_words(
    desk: Operations,
    company: tuple[Company, str],
    answer: Callable[[], web.StreamResponse],
    said: str,
) -> None:
    server, address = company
    server.answer = answer
    with pytest.raises(SourceFailed, match=said) as caught:
        await desk.sources.ask([address])
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in caught.value.in_chinese()


async def test_a_source_is_asked_once_for_all_who_want_it_at_one_time(
    desk: Operations, company: tuple[Company, str]
) -> None:
    server, address = company
    server.answer = lambda: web.json_response([1, "b", "b"])
    answers = await asyncio.gather(*(desk.sources.ask([address]) for _ in range(20)))
    assert answers[0] == {address: ("1", "b")}
    assert server.asked == 1


async def test_a_preview_names_some_and_tells_who_cannot_be_reached_and_why(
    desk: Operations, truth: Truth
) -> None:
    first, second, third, _ = STAFF
    await truth.post(f"people/{second}", {"active": False})
    await directory.synchronise(desk, None)
    await rules.put(desk, "deny", {"users": [third]})
    to = Audience(users=(first, second, third, "nobody-at-all"))
    found = await audiences.preview(desk, to, on=date(2027, 2, 28))
    assert (found.people, found.reachable, found.day) == (4, 1, date(2027, 2, 28))
    assert [one.userid for one in found.sample] == [first]
    assert found.sample[0].name
    assert found.sample[0].reason is None
    assert found.reasons == {"denied": 1, "inactive": 1, "unknown_person": 1}
    why = {one.userid: str(one.reason) for one in found.unreachable}
    assert why["nobody-at-all"] == "is not in the directory"


async def test_the_deny_list_is_the_same_on_every_day_through_saved_audiences_too(
    desk: Operations,
) -> None:
    await audiences.put(desk, "x", BELL)
    await rules.put(desk, "deny", {"audience": ["x"]})
    birthday = Audience.model_validate({"where": {"生日": {"lunar_anniversary": True}}})
    for one in (birthday, Audience.model_validate({"http": "https://a.example/x"})):
        with pytest.raises(InputError, match="deny-list takes no http"):
            await audiences.put(desk, "x", one)
        await audiences.put(desk, "y", one)
        with pytest.raises(InputError, match="deny-list takes no http"):
            await rules.put(desk, "deny", {"any": [{"audience": "y"}]})
    assert (await audiences.show(desk, "x")).used_by == ("deny",)


async def test_an_audience_cannot_be_saved_into_a_circle_or_taken_from_under_another(
    desk: Operations,
) -> None:
    await audiences.put(desk, "a", BELL)
    await audiences.put(desk, "b", Audience.model_validate({"managers_of": {"audience": "a"}}))
    with pytest.raises(InputError, match="a → b → a contains itself"):
        await audiences.put(desk, "a", Audience.model_validate({"all": [{"audience": "b"}]}))
    with pytest.raises(InputError, match="used by audience:b"):
        await audiences.delete(desk, "a")
    await audiences.delete(desk, "b")
    await audiences.delete(desk, "a")
    assert await audiences.listed(desk) == ()
