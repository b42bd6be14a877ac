"""Ending: signals that end this process, also while its loop hangs.

Handlers of an event loop run in its rounds, and a loop that hangs has none. So the byte that Python
writes for every signal as it arrives is read by a thread. Where not even a thread gets its turn,
because a call into C holds the interpreter, the system itself ends the process: a signal that has
come once has no handler any more.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
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
        _handle_once(name)
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


class _LinuxAction(ctypes.Structure):
    """`struct sigaction` of Linux, as glibc and musl lay it out."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * (1024 // (8 * ctypes.sizeof(ctypes.c_ulong)))),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _MacAction(ctypes.Structure):
    """`struct sigaction` of macOS."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_uint32),
        ("flags", ctypes.c_int),
    )


# By system: the layout, and SA_RESETHAND, which Python does not name.
_ACTIONS: dict[str, tuple[type[_LinuxAction | _MacAction], int]] = {
    "linux": (_LinuxAction, -0x80000000),
    "darwin": (_MacAction, 0x0004),
}


def _handle_once(name: signal.Signals) -> None:
    """Have the system forget the handler of a signal as it is called; elsewhere nothing changes."""
    if sys.platform not in _ACTIONS:
        return
    layout, forget = _ACTIONS[sys.platform]
    action = layout()
    sigaction = ctypes.CDLL(None).sigaction
    if sigaction(int(name), None, ctypes.byref(action)) == 0:
        action.flags |= forget
        sigaction(int(name), ctypes.byref(action), None)
