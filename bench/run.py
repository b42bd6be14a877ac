"""`make bench`: the path measured side by side with the floor, in one run.

bench/run.py                    every scenario, in about ten minutes
bench/run.py herd punctuality   some of them
bench/run.py --full             the large sizes as well, in about half an hour
bench/run.py --write            and write docs/benchmarks.md, with --full docs/capacity.md too
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import time
from dataclasses import replace
from types import ModuleType

import capacity
import page
from figures import Figure, summarize
from options import Options
from rich.console import Console
from table import Section, show

NAMES = (
    "punctuality",
    "herd",
    "nodes",
    "profile",
    "fan_out",
    "loss",
    "planning",
    "ledger",
    "idle",
    "growth",
    "start",
)
_ERRORS = Console(stderr=True)


def main() -> int:
    wanted = _arguments()
    options = Options(full=wanted.full)
    began = time.monotonic()
    sections = [asyncio.run(_run(name, options, wanted.repeat)) for name in wanted.names]
    seconds = time.monotonic() - began
    show(sections, options)
    if wanted.write:
        capacity.write(sections, options)
        page.write(sections, options)
    _ERRORS.print(f"{seconds:.0f} s")
    return 1 if options.wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--full", action="store_true", help="the large sizes as well")
    parser.add_argument("--repeat", type=int, help="how many runs of each scenario")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    wanted = parser.parse_args()
    wanted.names = [name.replace("-", "_") for name in wanted.names] or list(NAMES)
    if unknown := set(wanted.names) - set(NAMES):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if wanted.repeat is not None and wanted.repeat < 1:
        parser.error("--repeat must be at least 1")
    return wanted


async def _run(name: str, options: Options, repeat: int | None) -> Section:
    scenario: ModuleType = importlib.import_module(f"scenarios.{name}")
    runs: list[list[Figure]] = []
    usual = scenario.REPEAT
    times = repeat or (getattr(scenario, "REPEAT_FULL", usual) if options.full else usual)
    for number in range(times):
        began = time.monotonic()
        runs.append(await scenario.measure(replace(options, peers=number == 0)))
        _ERRORS.print(f"{name} {number + 1}/{times}: {time.monotonic() - began:.0f} s", style="dim")
    peers = getattr(scenario, "PEERS", {})
    samples = times * getattr(scenario, "SAMPLES", 1)
    return Section(scenario.TITLE, scenario.FLOOR, peers, samples, summarize(runs))


if __name__ == "__main__":
    sys.exit(main())
