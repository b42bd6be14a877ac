"""The running sandbox: one port for both of DingTalk's hosts, the control API and the page."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from dingbell.sandbox.cloud import Cloud
from dingbell.sandbox.company.apps import App
from dingbell.sandbox.rules import faults as scripts
from dingbell.sandbox.wire import media
from dingbell.sandbox.wire.gateway import Gateway
from dingbell.sandbox.wire.refusals import MisuseError

_MOST_BODY = media.MOST_BYTES + 1_048_576
_SHUTDOWN_SECONDS = 0.5
_BACKLOG = 1_024


class Sandbox:
    """A pretend DingTalk that listens while the context is open.

    Args:
        people: How many people work in the company.
        seed: The same people and seed give the same company and credentials.
        host: Where to listen.
        port: Where to listen; 0 picks a free port.
        apps: How many apps exist, each counted as an organisation of its own.
        departments: How many departments lie below the root; as the people need, if left out.
        faults: Fault rules in force from the start, as the control API takes them.
    """

    def __init__(
        self,
        people: int = 300,
        seed: int = 1,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        apps: int = 1,
        faults: Any = None,
        departments: int | None = None,
    ) -> None:
        if people < 0 or apps < 1:
            raise ValueError("people must be zero or more, apps one or more")
        self.people = people
        self._host = host
        self._port = port
        self._cloud = Cloud(people, seed, apps, departments)
        self._rules = scripts.parse(faults) if faults is not None else []
        self._runner: web.ServerRunner | None = None

    @property
    def apps(self) -> tuple[App, ...]:
        """Every app, with its credentials."""
        return self._cloud.apps

    @property
    def app_key(self) -> str:
        """AppKey of the first app."""
        return self.apps[0].app_key

    @property
    def app_secret(self) -> str:
        """AppSecret of the first app."""
        return self.apps[0].app_secret

    @property
    def agent_id(self) -> int:
        """AgentId of the first app."""
        return self.apps[0].agent_id

    @property
    def corp_id(self) -> str:
        """Corp id of the first app's organisation."""
        return self.apps[0].org

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        return int(self._runner.addresses[0][1])

    @property
    def url(self) -> str:
        """The base URL of both API hosts, the control API and the inbox page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def env(self) -> dict[str, str]:
        """The settings that point DingBell at this sandbox."""
        return {
            "DINGBELL_OAPI_URL": self.url,
            "DINGBELL_API_URL": self.url,
            "DINGBELL_APP_KEY": self.app_key,
            "DINGBELL_APP_SECRET": self.app_secret,
            "DINGBELL_AGENT_ID": str(self.agent_id),
        }

    async def __aenter__(self) -> Self:
        self._cloud.faults.add(self._rules)
        server = web.Server(Gateway(self._cloud).handle, request_factory=_request, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, backlog=_BACKLOG).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._cloud.hub.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MOST_BODY
    )


async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    people: int = 300,
    seed: int = 1,
    faults_file: Path | None = None,
    apps: int = 1,
    announce: Callable[[Sandbox], None],
) -> None:
    """Run a sandbox until SIGINT or SIGTERM; `announce` is called once it listens.

    Raises:
        OSError: The port is taken, or the faults file cannot be read.
        MisuseError: The faults file says something that is not a rule.
    """
    rules = _rules(faults_file) if faults_file is not None else None
    sandbox = Sandbox(people, seed, host=host, port=port, apps=apps, faults=rules)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with sandbox:
        with suppress(NotImplementedError):  # Windows has no loop signals; Ctrl-C raises there
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(name, stop.set)
        announce(sandbox)
        await stop.wait()


def _rules(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise MisuseError(str(file), f"is not JSON: {error}") from None
