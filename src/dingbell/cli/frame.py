"""What all commands share: running coroutines, exit codes, output for people or programs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import typer

from dingbell.cli.language import say, tr
from dingbell.errors import DingBellError, InputError

__all__ = ["EXIT_FAILED", "EXIT_INPUT", "EXIT_PARTLY", "Json", "fail", "print_json", "run", "table"]

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_PARTLY = 3

T = TypeVar("T")

Json = typer.Option("--json", help=tr("print JSON and nothing else", "只输出 JSON"))


def fail(message: str, code: int = EXIT_INPUT) -> NoReturn:
    """Say what is wrong on standard error and leave."""
    typer.echo(f"{tr('error', '错误')}: {say(message)}", err=True)
    raise typer.Exit(code)


def guard(error: DingBellError) -> NoReturn:
    """Turn an error of ours into a message and an exit code."""
    text = error.in_chinese() if say(error.message) == error.message.zh else str(error)
    typer.echo(f"{tr('error', '错误')}: {text}", err=True)
    raise typer.Exit(error.exit_code)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; errors of ours become exit codes, Ctrl-C becomes 130."""
    try:
        return asyncio.run(work)
    except DingBellError as error:
        guard(error)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def print_json(value: object) -> None:
    """Print one JSON document."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table for people."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as Cell

    shown = Table(*columns, box=SIMPLE_HEAD)
    for row in rows:
        shown.add_row(*(Cell("" if cell is None else str(cell)) for cell in row))
    Console().print(shown)


def totals(counts: dict[str, int]) -> str:
    """Totals in one line."""
    return " ".join(f"{state}={count}" for state, count in counts.items()) or "-"


def positive(value: int, name: str) -> int:
    """Refuse zero and below."""
    if value < 1:
        raise InputError(tr(f"{name} must be at least 1", f"{name} 至少为 1"))
    return value
