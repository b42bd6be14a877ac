"""The HTTP server of a node: bound before anything starts, stopped by the node's own signals."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse

from dingbell.api.visitors import PATIENCE, most_at_once, visitors
from dingbell.errors import InputError, Text
from dingbell.telemetry import Metrics
from dingbell.textfile import reason
from dingbell.version import __version__

__all__ = ["ApiServer", "bind", "create_app"]

_LAST_ANSWERS = 3  # seconds for them when the node stops
_PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>DingBell 叮铃</title>
<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}}
code{{background:#eee;padding:.1em .4em;border-radius:4px}}</style>
<h1>DingBell 叮铃 {version}</h1>
<p>{state}</p>
<p><a href="/health/ready">/health/ready</a> · <a href="/metrics">/metrics</a> ·
<code>dingbell runs list</code></p></html>"""


def create_app(
    trouble: Callable[[], str | None], metrics: Metrics, *, console: bool = True
) -> FastAPI:
    """Build the app.

    Args:
        trouble: why the node cannot do its work right now; None when it can.
        metrics: what `/metrics` shows.
        console: whether `/` shows a page.
    """
    app = FastAPI(title="DingBell", version=__version__, openapi_url="/openapi.json")

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "alive", "version": __version__}

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        """The node holds its lease, is connected and can write: it fires schedules."""
        reason = trouble()
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "degraded", "reason": reason}, 503)

    @app.get("/metrics", response_class=Response)
    async def scrape() -> Response:
        """Metrics in the Prometheus text format."""
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    if console:

        @app.get("/", response_class=HTMLResponse, include_in_schema=False)
        async def page() -> str:
            reason = trouble()
            state = "运行中 · running" if reason is None else f"降级 · degraded: {escape(reason)}"
            return _PAGE.format(version=__version__, state=state)

    return app


def bind(host: str, port: int) -> socket.socket:
    """Take the port; 0 takes a free one.

    Raises:
        InputError: the port is in use, or the host is not one of this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(128)
    except (OSError, OverflowError) as error:
        raise InputError(
            Text(
                "cannot listen on {host}:{port}: {reason}. Choose another with --port",
                "无法监听 {host}:{port}: {reason}。请用 --port 换一个",
            ).format(host=host, port=port, reason=reason(error))
        ) from None
    return bound


class _Server(uvicorn.Server):
    """A server that leaves signals to the node."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """Serves an app on a bound socket."""

    def __init__(
        self,
        app: FastAPI,
        bound: socket.socket,
        *,
        most: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Nothing is served before `start`.

        Args:
            app: what answers.
            bound: where it listens.
            most: how many connections there may be; by what this process may open if left out.
            patience: for how many seconds a connection may keep its request back.
        """
        self._bound = bound
        most = most or most_at_once()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=visitors(most=most, patience=patience),
            # So many are accepted at once, before the first is counted.
            backlog=most,
            timeout_graceful_shutdown=_LAST_ANSWERS,
            timeout_keep_alive=min(5, math.ceil(patience)),
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._bound.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._bound]))

    async def stop(self) -> None:
        """Finish the requests in hand and stop."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._bound.close()
