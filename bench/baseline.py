"""Starts a floor or the peer beside a scenario."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from company import Company
from processes import Child, child, clean_environment

__all__ = ["baseline", "run_baseline", "sending"]

_SCRIPT = Path(__file__).with_name("floor.py")


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


async def sending(company: Company, sends: int, **more: Any) -> dict[str, Any]:
    """The order for a program that sends: to whom, how often, as which apps."""
    return {
        "url": company.url,
        "apps": await company.apps(),
        "userids": [one["userid"] for one in await company.people()],
        "sends": sends,
        **more,
    }
