"""Ending: signals that end this process, also while its loop hangs.

Handlers of an event loop run in its rounds, and a loop that hangs has none. So the byte that Python
writes for every signal as it arrives is read by a thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from contextlib import suppress
from typing import Any

__all__ = ["stop_on_signals"]

_ENDING = (signal.SIGINT, signal.SIGTERM)
_LEFT_AT_ONCE = 130


def stop_on_signals() -> asyncio.Event:
    """The first signal drains; the second one leaves at once and lets others take over."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    for name in _ENDING:
        signal.signal(name, _already_read)
    signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    watching = threading.Thread(
        target=_watch, args=(ours, pythons, loop, stopping), name="dingbell-signals", daemon=True
    )
    watching.start()
    return stopping


def _already_read(*_: Any) -> None:
    """Do nothing: the thread has been told."""


def _watch(
    ours: socket.socket,
    _pythons: socket.socket,  # kept open as long as this runs
    loop: asyncio.AbstractEventLoop,
    stopping: asyncio.Event,
) -> None:
    asked = False
    while True:
        for number in ours.recv(64):
            if number not in _ENDING:
                continue
            if asked:
                os._exit(_LEFT_AT_ONCE)
            asked = True
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stopping.set)
