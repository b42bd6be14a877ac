"""How long a person waits: for help, for a node, for the import."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from baseline import baseline
from figures import Figure
from options import Options
from processes import child, clean_environment, dingbell
from stage import folder

TITLE = "start"
FLOOR = "`python -c pass`; for `serve`: starting the same PostgreSQL alone; both as new processes"
REPEAT = 1
SAMPLES = 5


async def measure(options: Options) -> list[Figure]:
    """The data directory exists already: making it the first time is not measured."""
    figures: list[Figure] = []
    with folder() as path:
        await _serve(path)
        for _ in range(SAMPLES):
            figures += await _sample(path)
    return figures


async def _sample(path: Path) -> list[Figure]:
    served = await _serve(path)
    alone = await _database(path)
    nothing = _run(sys.executable, "-c", "pass")
    return [
        Figure("dingbell --help (s)", _run(*dingbell("--help")), nothing),
        Figure("import dingbell (s)", _run(sys.executable, "-c", "import dingbell"), nothing),
        Figure("import of all that serve needs (s)", _run(sys.executable, "-c", _ALL), nothing),
        Figure("serve ready, existing data directory (s)", served, alone),
    ]


_ALL = "import dingbell.bootstrap, dingbell.api.server, dingbell.cli.services"


def _run(*command: str) -> float:
    began = time.monotonic()
    subprocess.run(command, env=clean_environment(), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


async def _serve(path: Path) -> float:
    env = clean_environment({"DINGBELL_DATA_DIR": str(path)})
    began = time.monotonic()
    command = dingbell("serve", "--port", "0")
    async with child(*command, env=env, folder=path, log="node.log") as node:
        await node.line("ready")
        return time.monotonic() - began


async def _database(path: Path) -> float:
    began = time.monotonic()
    async with baseline("database", path, {"folder": str(path)}) as running:
        await running.line("ready")
        seconds = time.monotonic() - began
        await running.told()
    return seconds
