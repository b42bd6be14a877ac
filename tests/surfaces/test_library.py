"""The library inside other programs: decorators, lifespan, send, and functions that raise."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise

import aiohttp
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

import dingbell
from dingbell import (
    ConflictError,
    DingBell,
    InputError,
    NotFoundError,
    OutsideError,
    departments,
    everyone,
    markdown,
    mobiles,
    roles,
    text,
    users,
)
from dingbell.operations import runs
from dingbell.planning import wakeups
from dingbell.store import jobs
from dingbell.store.connection import transaction

WHO = users("manager4220")


@pytest.fixture
def make_bell(database, sandbox, tmp_path):
    """Make bells on this module's empty database and a sandbox; not open yet."""

    def make(**settings) -> DingBell:
        return DingBell.from_env(
            _env_file=None,
            database_url=database.dsn,
            data_dir=tmp_path,
            oapi_url=sandbox.url,
            api_url=sandbox.url,
            app_key=sandbox.app_key,
            app_secret=sandbox.app_secret,
            agent_id=sandbox.agent_id,
            **settings,
        )

    return make


@pytest.fixture
def bell(make_bell) -> DingBell:
    """One of them."""
    return make_bell()


def soon(seconds: float = 1.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def settled(bell: DingBell, schedule: str):
    """The first run of a schedule, when it is final."""
    async with asyncio.timeout(20):
        found = []
        while not found:
            await asyncio.sleep(0.02)
            found = (await runs.listed(bell.desk, schedule=schedule)).items
        return await bell.wait(found[-1].id)


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


async def test_a_function_that_raises_fails_its_run_with_the_reason_and_stops_nobody(bell):
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
        instants = [one.due_at for one in (await runs.listed(bell.desk, schedule="count")).items]
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

    @bell.workday("16:00", to=WHO)
    def workday():
        """Never called here."""

    @bell.when({"monthly": {"workday": "last", "at": "10:00"}}, to=WHO, unknown_year="hold")
    def closing():
        """Never called here."""

    async with bell:
        found = {one["name"]: one for one in await dingbell_schedules(bell)}
    assert found.keys() == {"daily", "cron", "every", "once", "workday", "closing"}
    assert found["closing"]["spec"]["when"] == {"monthly": {"workday": "last", "at": "10:00"}}
    assert {one["source"] for one in found.values()} == {"python"}
    assert found["cron"]["next_due_at"].endswith("09:00:00+00:00")
    assert found["once"]["next_due_at"] == "2099-01-01T10:00:00+08:00"


async def dingbell_schedules(bell):
    from dingbell.operations import schedules

    return [one.to_json() for one in await schedules.listed(bell.desk)]


async def texts(sandbox, userid):
    """What a phone shows, oldest first."""
    async with (
        aiohttp.ClientSession(sandbox.url) as session,
        session.get(f"/_sandbox/inbox/{userid}") as answer,
    ):
        return [notice["msg"]["text"]["content"] for notice in await answer.json()]


async def test_functions_of_one_name_are_each_their_own_schedules(bell, sandbox):
    people = ("manager4220", "manager7675")
    for userid in people:

        @bell.once(soon(), to=users(userid), name=f"loop-{userid}")
        def report(userid=userid):
            return f"loop {userid}"

    class Operations:
        def __init__(self, userid):
            self.userid = userid

        def report(self):
            return f"method {self.userid}"

        def __call__(self):
            return f"object {self.userid}"

    for userid in people:
        bell.once(soon(), to=users(userid), name=f"method-{userid}")(Operations(userid).report)
        bell.once(soon(), to=users(userid), name=f"object-{userid}")(Operations(userid))
        bell.once(soon(), to=users(userid), name=f"partial-{userid}")(partial(str, f"p {userid}"))
    async with bell:
        for kind in ("loop", "method", "object", "partial"):
            for userid in people:
                assert (await settled(bell, f"{kind}-{userid}"))["totals"] == {"unread": 1}
    for userid in people:
        assert sorted(await texts(sandbox, userid)) == sorted(
            [f"loop {userid}", f"method {userid}", f"object {userid}", f"p {userid}"]
        )


async def test_programs_on_one_database_run_their_own_functions_only(make_bell, sandbox):
    bells = {name: make_bell(program=name) for name in ("billing", "canteen")}
    runs = [f"{name}-{number}" for name in bells for number in range(8)]
    for name, one in bells.items():
        for number in range(8):

            @one.once(soon(2), to=WHO, name=f"{name}-{number}")
            def report(words=f"{name}-{number}"):
                return words

    async with bells["billing"], bells["canteen"]:
        for name in runs:
            await settled(bells["billing"], name)
    assert sorted(await texts(sandbox, "manager4220")) == runs


async def test_a_name_of_another_program_is_refused_and_nothing_is_changed(make_bell):
    mine, theirs, again = (make_bell(program=name) for name in ("mine", "theirs", "mine"))
    mine.daily("16:00", "16:30", to=WHO, name="report")(lambda: "mine")
    theirs.daily("08:00", to=WHO, name="another")(lambda: "theirs")
    theirs.daily("09:00", to=WHO, name="report")(lambda: "theirs")
    again.daily("17:00", to=WHO, name="report")(lambda: "mine, edited")
    async with mine:
        with pytest.raises(ConflictError, match="belongs to another program, mine") as refused:
            await theirs.__aenter__()
        assert "dingbell schedules delete report" in str(refused.value)
        assert "属于另一个程序" in refused.value.in_chinese()
        (found,) = await dingbell_schedules(mine)
        assert found["program"] == "mine"
        assert found["spec"]["when"] == {"daily": ["16:00", "16:30"]}
        async with again:
            (found,) = await dingbell_schedules(mine)
    assert (found["revision"], found["spec"]["when"]) == (2, {"daily": ["17:00"]})


async def test_processes_of_one_program_may_start_at_the_same_moment(make_bell):
    bells = [make_bell() for _ in range(4)]
    for one in bells:
        one.daily("16:00", to=WHO, name="report")(lambda: "x")
        one.daily("17:00", to=WHO, name="another")(lambda: "x")
    async with make_bell(), AsyncExitStack() as opened:  # the first one makes the secret key
        await asyncio.gather(*(opened.enter_async_context(one) for one in bells))
        found = await dingbell_schedules(bells[0])
    assert [(one["name"], one["revision"]) for one in found] == [("another", 1), ("report", 1)]


async def test_a_schedule_whose_function_is_gone_is_orphaned_until_it_is_back(make_bell):
    from dingbell.operations import doctor, schedules

    def with_functions(*names):
        found = make_bell(program="app")
        for name in names:
            found.daily("16:00", to=WHO, name=name)(lambda: "x")
        return found

    async def seen(bell):
        (check,) = [one for one in await doctor.examine(bell.desk) if one.name == "functions"]
        states = {one["name"]: one["state"] for one in await dingbell_schedules(bell)}
        return states, check.status, str(check.detail)

    async with with_functions("kept", "dropped") as old:
        assert await seen(old) == (
            {"kept": "active", "dropped": "active"},
            "ok",
            "2 known to their programs",
        )
        async with with_functions("kept") as new:  # the old process still has it
            assert (await seen(new))[0] == {"kept": "active", "dropped": "active"}
    async with with_functions("kept") as new:
        states, status, said = await seen(new)
        assert (states, status) == ({"kept": "active", "dropped": "orphaned"}, "warn")
        assert "dropped" in said
        with pytest.raises(ConflictError, match="is orphaned"):
            await schedules.run(new.desk, "dropped")
    async with make_bell(program="another") as another:
        states, status, said = await seen(another)
        assert states == {"kept": "active", "dropped": "orphaned"}
        assert "not running, so that their schedules do not fire: app" in said
        with pytest.raises(ConflictError, match="the program app, which is not running"):
            await schedules.run(another.desk, "kept")
        assert (await runs.listed(another.desk)).items == ()
    async with with_functions("kept", "dropped") as back:
        assert (await seen(back))[0] == {"kept": "active", "dropped": "active"}


async def test_who_waits_for_a_program_that_has_gone_is_told(make_bell):
    from dingbell.operations import schedules

    program, other = make_bell(program="app"), make_bell(program="other")
    entered = threading.Event()
    never = threading.Event()

    @program.daily("16:00", to=WHO)
    def blocks():
        entered.set()
        never.wait()

    async with other:
        async with program:
            run_id = await schedules.run(program.desk, "blocks")
            await asyncio.to_thread(entered.wait, 20)
        with pytest.raises(OutsideError, match="waits for a program that is not running: app:bl"):
            await other.wait(run_id)
    never.set()


async def test_a_function_that_ends_the_process_fails_its_run_only(bell):
    at = soon()

    @bell.once(at, to=WHO)
    def leaves():
        sys.exit(3)

    @bell.once(at, to=WHO)
    async def leaves_later():
        sys.exit(4)

    @bell.once(at, to=WHO)
    async def cancels():
        raise asyncio.CancelledError

    async with bell:
        for name, said in (
            ("leaves", "SystemExit: 3"),
            ("leaves_later", "SystemExit: 4"),
            ("cancels", "CancelledError"),
        ):
            found = await settled(bell, name)
            assert (found["state"], found["reason"]) == ("failed", said)
        assert (await bell.wait(await bell.send(WHO, "and it goes on")))["totals"] == {"unread": 1}


async def test_the_end_of_the_traceback_is_kept_and_logged(bell):
    @bell.once(soon(), to=WHO)
    def broken():
        figures = {}
        return f"{figures['today']}"

    async with bell:
        with capture_logs() as lines:
            found = await settled(bell, "broken")
    assert found["reason"] == "KeyError: 'today'"
    assert found["cause"]["kind"] == "function"
    trace = found["cause"]["trace"]
    first, place, *_, last = trace.splitlines()
    assert first.startswith("Traceback")
    assert "test_library.py" in place
    assert last == "KeyError: 'today'"
    assert "figures['today']" in trace
    assert [one["trace"] for one in lines if one["event"] == "run_failed"] == [trace]


async def test_functions_that_block_hold_up_nobody_and_are_not_called_twice(bell):
    opened, entered, called = threading.Event(), threading.Semaphore(0), []
    at = soon()

    def block(number):
        called.append(number)
        entered.release()
        opened.wait()
        return f"{number}"

    for number in range(20):
        bell.once(at, to=WHO, name=f"block-{number}")(partial(block, number))
    bell.once(at, to=WHO, name="free")(lambda: "free")
    try:
        async with bell:
            assert (await settled(bell, "free"))["totals"] == {"unread": 1}
            for _ in range(20):
                await asyncio.to_thread(entered.acquire, timeout=20)
            await plan_again(bell, "block-0")
            assert (await bell.wait(await bell.send(WHO, "x")))["totals"] == {"unread": 1}
            opened.set()
            assert (await settled(bell, "block-0"))["totals"] == {"unread": 1}
    finally:
        opened.set()
    assert sorted(called) == list(range(20))


async def plan_again(bell, schedule):
    """Have a run planned again, as the sweeper does when nobody has touched it for long."""
    (run,) = (await runs.listed(bell.desk, schedule=schedule)).items
    async with transaction(bell.desk.pool) as connection:
        function = await connection.fetchval(
            "update runs set touched_at = touched_at - interval '1 hour' where id = $1 "
            "returning function",
            run.id,
        )
        await jobs.enqueue(connection, [wakeups.plan([run.id], function, alone=True)])

    async def waiting():
        async with bell.desk.pool.acquire() as connection:
            return await connection.fetchval(
                "select count(*) from dingbell_queue.jobs where entrypoint = $1",
                f"plan:{function}",
            )

    async with asyncio.timeout(20):
        left = 1
        while left:
            await asyncio.sleep(0.02)
            left = await waiting()


async def test_a_function_is_called_at_the_due_instant_and_told_it(bell):
    at = soon().replace(microsecond=0) + timedelta(seconds=1)
    seen = []

    @bell.once(at, to=WHO, timezone="America/New_York")
    def punctual(due):
        seen.append((datetime.now(UTC), due))
        return f"{due:%H:%M}"

    async with bell:
        await settled(bell, "punctual")
        (found,) = await dingbell_schedules(bell)
    ((called, due),) = seen
    assert called >= at - timedelta(milliseconds=50)
    assert due == at
    assert str(due.tzinfo) == "America/New_York"
    assert found["spec"]["prepare_ahead"] == "0s"


async def test_what_a_function_returns_is_no_template(bell, sandbox):
    at = soon()
    words = "{{ person.name }} {% if %} {{"
    made = {"string": words, "message": text(words), "mapping": {"text": words}}
    for name, value in made.items():
        bell.once(at, to=users("manager4220", "manager7675"), name=name, misfire={"grace": "1h"})(
            partial(lambda value: value, value)
        )
    async with bell:
        found = [await settled(bell, name) for name in made]
    assert {one["state"] for one in found} == {"settled"}
    assert [len(one["batches"]) for one in found] == [1, 1, 1]
    # The same words on the same day are dropped but once; what arrived is what was written.
    assert await texts(sandbox, "manager4220") == [words]


class Odd(Mapping):
    """A mapping that cannot be read."""

    def __getitem__(self, key):
        raise ZeroDivisionError("odd")

    def __iter__(self):
        return iter(["text"])

    def __len__(self):
        return 1


async def test_what_a_function_returns_wrongly_fails_its_run_at_once(bell):
    at, called = soon(), []

    def giving(value):
        called.append(value)
        return value

    wrong = {"odd": Odd(), "number": 5, "listed": ["x"], "deep": {"text": object()}}
    for name, value in wrong.items():
        bell.once(at, to=WHO, name=name)(partial(giving, value))
    async with bell:
        found = {name: await settled(bell, name) for name in wrong}
    assert {one["state"] for one in found.values()} == {"failed"}
    assert found["odd"]["reason"] == "ZeroDivisionError: odd"
    assert "returned int" in found["number"]["reason"]
    assert len(called) == 4


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
        for run_id in sent:
            assert (await bell.wait(run_id))["totals"] == {"unread": 1}
        for audience, said in ((roles("没有"), "roles"), (mobiles("1"), "mobiles")):
            with pytest.raises(InputError, match=said):
                await bell.send(audience, "x")
        assert everyone().everyone


async def test_the_same_request_id_sends_once_and_is_answered_with_the_first_run(bell):
    async with bell:
        asked = (bell.send(WHO, "一次", request_id="order-1") for _ in range(5))
        first, *same = await asyncio.gather(*asked)
        assert set(same) == {first}
        assert await bell.send(WHO, "一次 (again)", request_id="order-1") == first
        assert await bell.send(WHO, "另一次", request_id="order-2") != first
        assert (await bell.wait(first))["totals"] == {"unread": 1}
        assert len((await runs.listed(bell.desk)).items) == 2
        assert await schedules_run_twice(bell) == 1


async def schedules_run_twice(bell):
    """How many runs two requests of one id make of a schedule."""
    from dingbell.domain.schedule import ScheduleSpec
    from dingbell.operations import schedules

    spec = ScheduleSpec(when={"daily": "16:00"}, to=WHO, message="x")
    await schedules.put(bell.desk, "yaml", spec, source="yaml")
    return len({await schedules.run(bell.desk, "yaml", request_id="r") for _ in range(2)})


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
        assert (await runs.listed(bell.desk)).items == ()
        with pytest.raises(NotFoundError, match="there is no run 99"):
            await bell.report(99)
        with pytest.raises(NotFoundError):
            await bell.wait(99)


@pytest.mark.parametrize(
    "to", ["users:manager4220", ["manager4220"], [users("a")], None, {"users": ["a"]}, 4220]
)
async def test_a_target_of_another_kind_is_refused_in_words(bell, to):
    async with bell:
        for asked in (bell.send(to, "x"), bell.forecast(to, "x")):
            with pytest.raises(InputError, match="is no audience: write users"):
                await asked
    for make in (bell.daily, bell.cron, bell.every, bell.once):
        with pytest.raises(InputError, match="is no audience"):
            make("16:00", to=to)


@pytest.mark.parametrize("message", [["x"], None, 5, b"x", object()])
async def test_a_message_of_another_kind_is_refused_in_words(bell, message):
    async with bell:
        for asked in (bell.send(WHO, message), bell.forecast(WHO, message)):
            with pytest.raises(InputError, match="is no message"):
                await asked


@pytest.mark.parametrize("value", ["7", None, 10**20, -1, True, 1.5])
async def test_an_id_or_name_of_another_kind_is_refused_in_words(bell, value):
    async with bell:
        for asked in (bell.report(value), bell.wait(value)):
            with pytest.raises(InputError, match="is no id of a run"):
                await asked
        if not isinstance(value, str | None):
            for option in ("request_id", "app"):
                with pytest.raises(InputError, match=f"{option} is"):
                    await bell.send(WHO, "x", **{option: value})
        with pytest.raises(InputError, match="request_id is"):
            await bell.send(WHO, "x", request_id="")


def test_a_time_of_day_may_be_a_time():
    bell = DingBell.from_env(_env_file=None)
    bell.daily(time(16, 0), time(9, 30, 15), "8:00", to=WHO, name="s")(lambda: "x")
    assert bell._specs["s"].when == {"daily": ["16:00:00", "09:30:15", "8:00"]}


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (partial(str, "x"), {}, "has no name of its own: give the schedule one with name="),
        (lambda: "x", {}, "is no name for a schedule"),
        ("words", {"name": "s"}, "cannot be called"),
        (None, {"name": "s"}, "cannot be called"),
        (classmethod(lambda cls: "x"), {"name": "s"}, "cannot be called"),
        (lambda person: "x", {"name": "s"}, "person"),
        (lambda due, person: "x", {"name": "s"}, "functools.partial"),
        (lambda due, /: "x", {"name": "s"}, "due"),
        (lambda: "x", {"name": 5}, "is no name"),
        (lambda: "x", {"name": ["a"]}, "is no name"),
    ],
)
def test_what_cannot_be_called_or_has_no_name_is_refused_where_it_is_written(
    function, options, said
):
    bell = DingBell.from_env(_env_file=None)
    with pytest.raises(InputError, match=said):
        bell.daily("16:00", to=WHO, **options)(function)


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
        (("daily", ["16:00", "17:00"]), {}, "no time of day"),
        (("daily", 16), {}, "no time of day"),
        (("daily", time(16, tzinfo=UTC)), {}, "no time of day"),
        (("daily", datetime(2026, 1, 1, 16, tzinfo=UTC)), {}, "no time of day"),
        (("cron", None), {}, "exactly one"),
        (("cron", ["0 9 * * *"]), {}, "in quotes"),
        (("every", [1]), {}, "not a duration"),
        (("once", date(2026, 1, 1)), {}, "no instant"),
        (("once", 5), {}, "no instant"),
        (("cron", "0 0 0 1 1 * 2026"), {}, "7 fields"),
        (("every", "soon"), {}, "not a duration"),
        (("once", "tomorrow"), {}, "not an instant"),
        (("daily", "16:00"), {"timezone": "Mars/Base"}, "unknown time zone"),
        (("daily", "16:00"), {"overlap": "maybe"}, "overlap"),
        (("daily", "16:00"), {"colour": "red"}, "colour"),
        (("daily", "16:00"), {"when": "tomorrow"}, "when: the decorator says when"),
        (("daily", "16:00"), {"message": "x"}, "message"),
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
        lambda: departments("/"),
        lambda: mobiles(""),
        lambda: users(["a", "b"]),
        lambda: departments([1, 2]),
        lambda: roles(["boss"]),
        lambda: roles(None),
        lambda: text(5),
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
