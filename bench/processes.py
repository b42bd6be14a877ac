"""Child processes: started, waited for, measured, and always ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Child", "child", "clean_environment", "cpu_seconds", "dingbell"]

_PATIENCE = 120.0
_STOP_PATIENCE = 20.0
_MEGABYTE = 1_048_576


def dingbell(*words: str) -> tuple[str, ...]:
    """The command line of this interpreter's DingBell."""
    return (str(Path(sys.executable).parent / "dingbell"), *words)


def clean_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment with DingBell's settings replaced by these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DINGBELL_")}
    return kept | dict(settings or {})


class Child:
    """A process that says on standard output how far it is."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    async def line(self, start: str, *, within: float = _PATIENCE) -> str:
        """Wait for the line that starts so; return the rest of it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within):
            async for raw in self._process.stdout:
                text = raw.decode().strip()
                if text.startswith(start):
                    return text.removeprefix(start).strip()
        raise RuntimeError(f"process {self._process.pid} ended before it said {start!r}")

    async def told(self, *, within: float = _PATIENCE) -> Any:
        """Wait for the process to print its result as JSON."""
        return json.loads("{" + await self.line("{", within=within))

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        return cpu_seconds(self._seen)

    @property
    def resident(self) -> float:
        """Resident memory in MB."""
        return self._seen.memory_info().rss / _MEGABYTE

    @property
    def peak(self) -> float:
        """The most memory that was ever resident, in MB (Linux)."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1_024
        return self.resident


def cpu_seconds(process: psutil.Process) -> float:
    """Seconds of CPU a process has used."""
    times = process.cpu_times()
    return times.user + times.system


@asynccontextmanager
async def child(
    *command: str, env: Mapping[str, str], folder: Path, log: str
) -> AsyncIterator[Child]:
    """Run a process while the context is open; its standard error goes to a file."""
    with (folder / log).open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=errors, env=dict(env), cwd=folder
        )
    try:
        yield Child(process)
    finally:
        if process.returncode not in (None, 0):
            print(f"{log}: ended by itself with {process.returncode}", file=sys.stderr)
        await _end(process)


async def _end(process: Process) -> None:
    for step in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        process.send_signal(step)
        try:
            async with asyncio.timeout(_STOP_PATIENCE):
                await process.wait()
        except TimeoutError:
            continue
