"""The second signal ends a process, whatever its only thread of Python is doing."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# Nothing of Python runs any more: neither a handler nor another thread.
HELD = "from collections import deque; from itertools import repeat; deque(repeat(0), maxlen=0)"
LOOPING = "while True: pass"
DRAINING = "await stopping.wait(); print('draining', flush=True); await asyncio.Event().wait()"

PROGRAM = """
import asyncio
from dingbell.cli.ending import stop_on_signals

async def main():
    stopping = stop_on_signals()
    print("ready", flush=True)
    {body}

asyncio.run(main())
"""


def _begun(body: str) -> subprocess.Popen[str]:
    code = PROGRAM.format(body=body)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_call_that_holds_the_interpreter_is_ended_by_the_second_signal(
    name: signal.Signals,
) -> None:
    with _begun(HELD) as process:
        try:
            process.send_signal(name)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
            process.send_signal(name)
            assert process.wait(10) == -name
        finally:
            process.kill()


@pytest.mark.parametrize("body", [LOOPING, DRAINING], ids=["looping", "draining"])
def test_two_signals_of_two_kinds_end_a_loop_that_hangs_or_drains(body: str) -> None:
    with _begun(body) as process:
        try:
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
        finally:
            process.kill()


def test_the_first_signal_drains() -> None:
    with _begun(DRAINING) as process:
        try:
            process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            assert process.stdout.readline() == "draining\n"
        finally:
            process.kill()
