"""Starts a floor or a peer beside a scenario."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from company import Company
from options import Options
from processes import Child, child, clean_environment

__all__ = ["baseline", "peer_program", "redis", "run_baseline", "run_peer", "sending"]

_SCRIPT = Path(__file__).with_name("floor.py")
_PEERS = Path(__file__).with_name("peers")
# Peers have an environment of their own: nothing of them is among our requirements.
_PEER_PATIENCE = 400.0
_PYTHON = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"


@asynccontextmanager
async def baseline(name: str, folder: Path, order: dict[str, Any]) -> AsyncIterator[Child]:
    """Run one of the programs of `floor.py` while the context is open."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(order))
    command = (sys.executable, str(_SCRIPT), name, str(file))
    async with child(*command, env=clean_environment(), folder=folder, log="floor.log") as running:
        yield running


async def run_baseline(name: str, folder: Path, order: dict[str, Any]) -> Any:
    """Run one to its end; return what it tells."""
    async with baseline(name, folder, order) as running:
        return await running.told()


async def run_peer(
    script: str, what: str, folder: Path, order: dict[str, Any], options: Options
) -> Any:
    """Run a peer to its end; return what it tells, None where it cannot run here."""
    if not _PYTHON.exists():
        options.remarks.append("the peers are not installed: `make bench` does it")
        return None
    file = folder / f"{script}.json"
    file.write_text(json.dumps(order))
    command = (str(_PYTHON), str(_PEERS / script), what, str(file))
    log = f"{script}.log"
    async with child(*command, env=clean_environment(), folder=folder, log=log) as running:
        return await running.told(within=_PEER_PATIENCE)


@asynccontextmanager
async def redis(folder: Path) -> AsyncIterator[str | None]:
    """Run a Redis that keeps what it is told; None where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    # A free port; Redis cannot choose one itself.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keeping = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
    command = (program, "--port", str(port), "--bind", "127.0.0.1", *keeping)
    async with child(*command, env=clean_environment(), folder=folder, log="redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


def peer_program(name: str) -> str | None:
    """The path of a program from the peers' environment; None where it is not installed."""
    return shutil.which(name, path=str(_PYTHON.parent))


async def sending(company: Company, sends: int, **more: Any) -> dict[str, Any]:
    """The order for a program that sends: to whom, how often, as which apps."""
    return {
        "url": company.url,
        "apps": await company.apps(),
        "userids": [one["userid"] for one in await company.people()],
        "sends": sends,
        **more,
    }
