"""Spelling: the letters of new names, worked out in a process of its own and kept."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from dingbell.store import directory_search
from dingbell.store.connection import Pool, acquire
from dingbell.telemetry import Event, log

__all__ = ["spell_new"]

_PROGRAM = Path(__file__).with_name("pinyin.py")
# 20,000 names take three seconds.
_PATIENCE = 120.0
_KEPT_AT_ONCE = 1_000


async def spell_new(pool: Pool, org: str) -> int:
    """Work out how new names of an org are typed; return how many there were.

    Where that fails, names are found as they are written, and it is tried again another time.
    """
    async with acquire(pool) as connection:
        names = await directory_search.unspelled(connection, org)
    if not names:
        return 0
    try:
        spelled = await _spelled(names)
    except (OSError, ValueError, TimeoutError) as error:
        log(Event.NAMES_NOT_SPELLED, level=logging.WARNING, org=org, error=repr(error)[:200])
        return 0
    async with acquire(pool) as connection:
        for start in range(0, len(names), _KEPT_AT_ONCE):
            some = slice(start, start + _KEPT_AT_ONCE)
            await directory_search.put_spellings(connection, names[some], spelled[some])
    return len(names)


async def _spelled(names: Sequence[str]) -> list[tuple[str, str]]:
    """Ask the program for spellings.

    Raises:
        OSError: it could not be started.
        ValueError: it did not answer.
        TimeoutError: it took too long.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # what stands beside the program is not what it imports
        str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            answer, _ = await child.communicate(json.dumps(names).encode())
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    found = [
        (str(pinyin), str(initials)) for pinyin, initials in json.loads(answer or "null") or ()
    ]
    if len(found) != len(names):
        raise ValueError(f"{len(found)} spellings of {len(names)} names")
    return found
