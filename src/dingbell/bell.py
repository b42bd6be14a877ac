"""The library: notices from inside any ASGI app, or any asyncio program.

bell = DingBell.from_env()

@bell.daily("16:00", to=users("manager4220"))
def off_work():
    return text("Hello! 下午好!下班奥里给666!")

app = FastAPI(lifespan=bell.lifespan)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from dingbell.bootstrap import Service, open_database, open_desk
from dingbell.dingtalk import messages
from dingbell.domain.audience import Audience
from dingbell.domain.message import Message
from dingbell.domain.schedule import NAME_PATTERN, Policies, ScheduleSpec
from dingbell.errors import InputError, Text
from dingbell.operations import preflight, reports, schedules, sending
from dingbell.operations.desk import Desk
from dingbell.settings import Settings
from dingbell.telemetry import configure_logging
from dingbell.validation import refusal

__all__ = [
    "DingBell",
    "departments",
    "everyone",
    "markdown",
    "mobiles",
    "roles",
    "text",
    "users",
]

F = TypeVar("F", bound=Callable[..., Any])


def users(*userids: str) -> Audience:
    """People by userid."""
    return _audience(users=userids)


def departments(*dept_ids: int) -> Audience:
    """Departments with their sub-departments."""
    return _audience(departments=dept_ids)


def roles(*names: str | int) -> Audience:
    """Everybody who has one of these roles, by name or id."""
    return _audience(roles=tuple(str(name) for name in names))


def mobiles(*numbers: str) -> Audience:
    """People by mobile number."""
    return _audience(mobiles=numbers)


def everyone() -> Audience:
    """Everybody in the directory."""
    return _audience(everyone=True)


def text(content: str) -> messages.Message:
    """A text message."""
    return _made(messages.Text, content)


def markdown(title: str, text: str) -> messages.Message:
    """A markdown message."""
    return _made(messages.Markdown, title, text)


def _made(kind: Callable[..., messages.Message], *fields: str) -> messages.Message:
    try:
        return kind(*fields)
    except messages.MessageError as error:
        raise InputError(Text(error.en, error.zh)) from error


def _message(message: messages.Message | Mapping[str, Any] | str) -> Message:
    if isinstance(message, str):
        return Message({"text": message})
    return Message(message if isinstance(message, Mapping) else message.to_wire())


def _audience(**parts: Any) -> Audience:
    try:
        return Audience(**parts)
    except ValidationError as error:
        raise refusal(error) from None


def _spec(name: str, spec: dict[str, Any]) -> ScheduleSpec:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InputError(
            Text(
                "{name!r} is no name for a schedule: give one of letters, digits, . _ - with name=",
                "{name!r} 不能作日程名称: 请用 name= 给出由文字、数字、. _ - 组成的名称",
            ).format(name=name)
        )
    try:
        return ScheduleSpec.model_validate(spec)
    except ValidationError as error:
        raise InputError(refusal(error).message, where=name) from None


def _policies(given: dict[str, Any]) -> Policies:
    try:
        return Policies.model_validate(given)
    except ValidationError as error:
        raise refusal(error) from None


class DingBell:
    """Schedules functions and sends notices; runs a node while it is open.

    Use it as an ASGI lifespan (`FastAPI(lifespan=bell.lifespan)`) or with `async with bell`.
    Several processes may open it on one database: every occurrence fires once among them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._specs: dict[str, ScheduleSpec] = {}
        self._functions: dict[str, Callable[[], Any]] = {}
        self._stack: AsyncExitStack | None = None
        self._desk: Desk | None = None

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Read `DINGBELL_…` from the environment and `.env`; keyword arguments win.

        Raises:
            InputError: a setting is not valid, or no app is given.
        """
        return cls(Settings.load(**overrides))

    def daily(self, *times: str, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function every day at these times (`"16:00"`, `"09:30:15"`); send its message.

        A function that returns None sends nothing this time; one that raises fails its firing
        with the reason.

        Args:
            times: times of day in the schedule's zone.
            to: the audience.
            options: `name`, `app`, `timezone`, `misfire`, `overlap`, `expires_after`,
                `prepare_ahead` (0 makes the message at the due instant), `on_ambiguous`.
        """
        return self._schedule({"daily": list(times)}, to, options)

    def cron(self, expression: str, *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at the instants of a cron expression of 5 fields, or 6 with seconds."""
        return self._schedule({"cron": expression}, to, options)

    def every(self, interval: str | timedelta, *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at a fixed interval of elapsed time (`"15m"`)."""
        return self._schedule({"every": interval}, to, options)

    def once(self, at: str | datetime, *, to: Audience, **options: Any) -> Callable[[F], F]:
        """Call the function at one instant."""
        when = at if isinstance(at, str) else at.isoformat()
        return self._schedule({"once": when}, to, options)

    def _schedule(
        self, when: dict[str, Any], to: Audience, options: dict[str, Any]
    ) -> Callable[[F], F]:
        def register(function: F) -> F:
            key = f"{function.__module__}:{function.__qualname__}"
            spec = {"when": when, "to": to, "function": key, **options}
            name = spec.pop("name", None) or function.__name__
            if name in self._specs:
                raise InputError(
                    Text(
                        "two functions are scheduled as {name!r}: give one a name=",
                        "有两个函数都叫 {name!r}: 请用 name= 区分",
                    ).format(name=name)
                )
            self._specs[name] = _spec(name, spec)
            self._functions[key] = function
            return function

        return register

    @property
    def desk(self) -> Desk:
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
        to: Audience,
        message: messages.Message | Mapping[str, Any] | str,
        *,
        app: str | None = None,
        request_id: str | None = None,
        **policies: Any,
    ) -> int:
        """Send now; return the firing's id, for `report`.

        Args:
            to: the audience.
            message: one of the eight types, the same as a mapping, or a string.
            app: the app's name, where there are several.
            request_id: makes a repeat harmless: the same id sends once.
            policies: `tracking`, `priority`, `preflight`, `spread`, `finish_by`, `quiet_hours`,
                `on_ambiguous`, as in a schedule.

        Raises:
            InputError: the audience, the message or the app does not work; nothing was sent.
            ConflictError: this request id was used before.
        """
        order = sending.Order(to, _message(message), app=app, policies=_policies(policies))
        if request_id is not None:
            order = replace(order, request_id=request_id)
        found = await sending.outlook(self.desk, order)
        return await sending.send(self.desk, order, people=len(found.userids))

    async def forecast(
        self,
        to: Audience,
        message: messages.Message | Mapping[str, Any] | str,
        *,
        app: str | None = None,
        **policies: Any,
    ) -> dict[str, Any]:
        """What a send would do to each person, and what it would cost; nothing is sent.

        Args:
            to: as for `send`.
            message: as for `send`.
            app: as for `send`.
            policies: as for `send`.

        Returns:
            `{calls, seconds, budget: {used, limit, cost}, totals: {expected: n}, people: [{userid,
            expected, code, reason}]}`.

        Raises:
            InputError: the audience, the message or the app does not work.
        """
        order = sending.Order(to, _message(message), app=app, policies=_policies(policies))
        return preflight.present(await sending.outlook(self.desk, order, thorough=True))

    async def report(self, firing_id: int) -> dict[str, Any]:
        """Where a firing stands: totals, batches and every person."""
        return await reports.show(self.desk, firing_id)

    async def wait(self, firing_id: int) -> dict[str, Any]:
        """Wait until a firing is settled; return its report."""
        async for _ in reports.watch(self.desk, firing_id):
            pass
        return await self.report(firing_id)

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
            desk = await stack.enter_async_context(open_desk(self._settings, database=database))
            for name, spec in self._specs.items():
                await schedules.put(desk, name, spec, source="python")
            keep = timedelta(days=self._settings.keep_people_days)
            service = Service(desk, database, functions=self._functions, keep=keep)
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
