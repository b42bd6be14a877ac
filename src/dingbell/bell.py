"""The library: notices from inside any ASGI app, or any asyncio program.

bell = DingBell.from_env()

@bell.daily("16:00", to=users("manager4220"))
def off_work():
    return text("Hello! 下午好!下班奥里给666!")

app = FastAPI(lifespan=bell.lifespan)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from dingbell import arguments
from dingbell.bootstrap import Service, open_database, open_desk
from dingbell.dingtalk import messages
from dingbell.domain.audience import Audience
from dingbell.domain.message import Fillable, Message
from dingbell.domain.schedule import Policies, ScheduleSpec
from dingbell.errors import InputError, Text
from dingbell.messages import (
    action_card,
    file,
    image,
    link,
    markdown,
    oa,
    saved_template,
    template,
    text,
    voice,
)
from dingbell.operations import forecasts, programs, runs, sending
from dingbell.operations.actor import LIBRARY
from dingbell.operations.context import Operations
from dingbell.settings import Settings
from dingbell.telemetry import configure_logging
from dingbell.validation import refusal

__all__ = [
    "DingBell",
    "action_card",
    "all_of",
    "any_of",
    "departments",
    "everyone",
    "file",
    "image",
    "link",
    "managers_of",
    "markdown",
    "mobiles",
    "oa",
    "roles",
    "saved",
    "saved_template",
    "source",
    "template",
    "text",
    "users",
    "voice",
]

# So many people are in a report.
_MOST = 10_000

# A file, the name of a dataset, or a mapping for each person.
Rows = str | Path | Sequence[Mapping[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])


def users(*userids: str, **narrowed: Any) -> Audience:
    """People by userid.

    Args:
        userids: who.
        narrowed: `where={"title": "工程师"}`, what has to be true of a person, and
            `except_=audience`, whom to leave out; every audience takes both.
    """
    return arguments.audience(users=userids, **narrowed)


def departments(*written: int | str, children: bool = True, **narrowed: Any) -> Audience:
    """Departments by id, name or path (`研发中心/平台部`), with all below them or without."""
    kind = "departments" if children else "only_departments"
    return arguments.audience(**{kind: written}, **narrowed)


def roles(*names: str | int, **narrowed: Any) -> Audience:
    """Everybody who has one of these roles, by name or id."""
    return arguments.audience(roles=names, **narrowed)


def mobiles(*numbers: str, **narrowed: Any) -> Audience:
    """People by mobile number."""
    return arguments.audience(mobiles=numbers, **narrowed)


def everyone(**narrowed: Any) -> Audience:
    """Everybody in the directory."""
    return arguments.audience(everyone=True, **narrowed)


def managers_of(people: Audience, **narrowed: Any) -> Audience:
    """The managers of an audience, each once."""
    return arguments.audience(managers_of=arguments.target(people), **narrowed)


def saved(*names: str, **narrowed: Any) -> Audience:
    """Audiences that are saved under a name."""
    return arguments.audience(audience=names, **narrowed)


def source(*addresses: str, **narrowed: Any) -> Audience:
    """Whom addresses of the company's own answer with: a JSON list of userids."""
    return arguments.audience(http=addresses, **narrowed)


def any_of(*audiences: Audience, **narrowed: Any) -> Audience:
    """Everybody who is in one of these audiences."""
    return arguments.audience(any=[arguments.target(one) for one in audiences], **narrowed)


def all_of(*audiences: Audience, **narrowed: Any) -> Audience:
    """Everybody who is in each of these audiences."""
    return arguments.audience(all=[arguments.target(one) for one in audiences], **narrowed)


def _spec(name: str, spec: dict[str, Any]) -> ScheduleSpec:
    try:
        return ScheduleSpec.model_validate(spec)
    except ValidationError as error:
        raise InputError(refusal(error).message, where=name) from None


def _policies(given: dict[str, Any]) -> Policies:
    try:
        return Policies.model_validate(given)
    except ValidationError as error:
        raise refusal(error) from None


async def _order(
    to: object,
    message: object,
    app: object,
    rows: object,
    values: Mapping[str, Any] | None,
    policies: dict[str, Any],
) -> sending.Order:
    """What is asked for; files are read in a thread."""
    audience = None if to is None and rows is not None else arguments.target(to)
    said = await asyncio.to_thread(arguments.message, message)
    return sending.Order(
        audience,
        Message(said.content),
        app=arguments.optional_text("app", app),
        policies=_policies(policies),
        vars=arguments.values(values),
        files=said.files,
        rows=await asyncio.to_thread(arguments.rows, rows) if rows is not None else None,
    )


class DingBell:
    """Schedules functions and sends notices; runs a node while it is open.

    Use it as an ASGI lifespan (`FastAPI(lifespan=bell.lifespan)`) or with `async with bell`.
    Several processes may open it on one database: every occurrence fires once among them. A
    schedule belongs to the program that has registered it, and only processes of that program call
    its function. A program is known by `DINGBELL_PROGRAM`, or else by the file that makes its bell.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._program = settings.program or arguments.program_of_caller()
        self._specs: dict[str, ScheduleSpec] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._stack: AsyncExitStack | None = None
        self._desk: Operations | None = None

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Read `DINGBELL_…` from the environment and `.env`; keyword arguments win.

        Raises:
            InputError: a setting is not valid, or no app is given.
        """
        return cls(Settings.load(**overrides))

    def daily(self, *times: str | time, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function every day at these times (`"16:00"`, `"09:30:15"`); send its message.

        The function takes nothing, or `due`: the instant of the occurrence in the schedule's zone.
        What it returns is sent as it stands: `{{` in it is no template. One that returns None
        sends nothing this time; one that raises fails its run with the reason. A plain function
        runs in a thread of its own, a coroutine function in the loop. A schedule's function is
        called one call at a time.

        Args:
            times: times of day in the schedule's zone.
            to: the audience.
            options: `name`, `app`, `timezone`, `misfire`, `overlap`, `expires_after`,
                `prepare_ahead` (how long before the due instant the function is called; 0 unless
                it is given), `on_ambiguous`.

        Raises:
            InputError: the rule, the audience, an option or the function does not work.
        """
        return self._schedule({"daily": arguments.times_of_day(times)}, to, options)

    def workday(self, *times: str | time, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at these times of every workday; `calendar=` says whose workdays."""
        return self._schedule({"workday": arguments.times_of_day(times)}, to, options)

    def when(self, rule: dict[str, Any], *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function by any rule that a file may have below `when:`."""
        return self._schedule(dict(rule), to, options)

    def cron(self, expression: str, *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at the instants of a cron expression of 5 fields, or 6 with seconds."""
        return self._schedule({"cron": expression}, to, options)

    def every(self, interval: str | timedelta, *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at a fixed interval of elapsed time (`"15m"`)."""
        return self._schedule({"every": interval}, to, options)

    def once(self, at: str | datetime, *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at one instant."""
        return self._schedule({"once": arguments.instant(at)}, to, options)

    def _schedule(
        self, when: dict[str, Any], to: Audience, options: dict[str, Any]
    ) -> Callable[[F], F]:
        audience = arguments.target(to)
        arguments.check_options(options)

        def register(function: F) -> F:
            called = arguments.checked_function(function)
            name = arguments.schedule_name(options.get("name"), function)
            if name in self._specs:
                raise InputError(
                    Text(
                        "two functions are scheduled as {name!r}: give one a name=",
                        "有两个函数都叫 {name!r}: 请用 name= 区分",
                    ).format(name=name)
                )
            # Not by the function's own name: a loop or two programs make many of one name.
            key = f"{self._program}:{name}"
            spec = {"prepare_ahead": 0, **options, "when": when, "to": audience, "function": key}
            spec.pop("name", None)
            self._specs[name] = _spec(name, spec)
            self._functions[key] = called
            return function

        return register

    @property
    def desk(self) -> Operations:
        """What operations need; there while the bell is open."""
        if self._desk is None:
            raise InputError(
                Text(
                    "the bell is not open: use FastAPI(lifespan=bell.lifespan) or "
                    "`async with bell`",
                    "叮铃尚未启动: 请用 FastAPI(lifespan=bell.lifespan) 或 `async with bell`",
                )
            )
        return self._desk

    async def send(
        self,
        to: Audience | None,
        message: messages.Message | Fillable | Mapping[str, Any] | str,
        *,
        rows: Rows | None = None,
        app: str | None = None,
        request_id: str | None = None,
        vars: Mapping[str, Any] | None = None,  # noqa: A002  as in the file
        **policies: Any,
    ) -> int:
        """Send now; return the run's id, for `report`.

        Args:
            to: the audience; with `rows`, None is everybody who has a row.
            message: one of the eight types, the same as a mapping, or a string. A file is named by
                its path; paths begin in the folder the program runs in.
            rows: what is said of each person, as `{{ row.… }}` of the message: the path of a CSV
                or XLSX file, the name of a dataset, or a list of mappings, each with a `userid`.
            app: the app's name, where there are several.
            request_id: makes a repeat harmless: the same id sends once, and a repeat is answered
                with the first run's id.
            vars: values for its templates, `{{ vars.NAME }}`.
            policies: `tracking`, `priority`, `preflight`, `spread`, `finish_by`, `quiet_hours`,
                `on_ambiguous`, as in a schedule.

        Raises:
            InputError: the audience, the message or the app does not work; nothing was sent.
        """
        order = await _order(to, message, app, rows, vars, policies)
        if arguments.optional_text("request_id", request_id) is not None:
            made = await sending.requested(self.desk, str(request_id))
            if made is not None:
                return made
            order = replace(order, request_id=str(request_id))
        found = await sending.outlook(self.desk, order)
        return await sending.send(self.desk, order, people=len(found.userids))

    async def forecast(
        self,
        to: Audience | None,
        message: messages.Message | Fillable | Mapping[str, Any] | str,
        *,
        rows: Rows | None = None,
        app: str | None = None,
        vars: Mapping[str, Any] | None = None,  # noqa: A002  as in the file
        **policies: Any,
    ) -> dict[str, Any]:
        """What a send would do to each person, and what it would cost; nothing is sent.

        Args:
            to: as for `send`.
            message: as for `send`.
            rows: as for `send`.
            app: as for `send`.
            vars: as for `send`.
            policies: as for `send`.

        Returns:
            `{calls, seconds, budget: {used, limit, cost}, totals: {expected: n}, people: [{userid,
            expected, code, reason}]}`.

        Raises:
            InputError: the audience, the message or the app does not work.
        """
        order = await _order(to, message, app, rows, vars, policies)
        found = await sending.outlook(self.desk, order, thorough=True)
        return forecasts.present(found).to_json()

    async def report(self, run_id: int) -> dict[str, Any]:
        """Where a run stands: totals, and the first 10,000 batches and people.

        Where there are more people, `next` is not None: `dingbell runs export` has all.
        """
        found = await runs.show(self.desk, arguments.run_id(run_id), limit=_MOST)
        return found.to_json()

    async def wait(self, run_id: int) -> dict[str, Any]:
        """Wait until a run is settled; return its report."""
        async for _ in runs.watch(self.desk, arguments.run_id(run_id)):
            pass
        return await self.report(run_id)

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """The lifespan of an ASGI app (FastAPI, Starlette): the bell is open while the app runs."""
        async with self:
            yield

    async def __aenter__(self) -> Self:
        if self._stack is not None:
            raise InputError(Text("the bell is open already", "叮铃已经启动"))
        configure_logging(self._settings.log, unless_configured=True)
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(self._settings))
            desk = await stack.enter_async_context(
                open_desk(self._settings, database=database, actor=LIBRARY)
            )
            await programs.register(desk, self._program, self._specs)
            service = Service(
                desk,
                database,
                functions=self._functions,
                keep=timedelta(days=self._settings.keep_people_days),
                keep_outbox=timedelta(days=self._settings.keep_outbox_days),
            )
            await service.start()
            stack.push_async_callback(service.stop)
            self._stack = stack.pop_all()
        self._desk = desk
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stack, self._stack, self._desk = self._stack, None, None
        if stack is not None:
            await stack.aclose()
