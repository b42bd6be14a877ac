"""What all commands share: running coroutines, exit codes, output for people or programs."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from dingbell.cli import screen
from dingbell.cli.language import say, tr
from dingbell.display import visible, zone
from dingbell.errors import DatabaseError, DingBellError, OutsideError, Text

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from dingbell.operations.context import Operations
    from dingbell.operations.run_views import RunView
    from dingbell.operations.views import View

__all__ = [
    "EXIT_FAILED",
    "EXIT_INPUT",
    "EXIT_PARTLY",
    "Account",
    "After",
    "Departments",
    "Json",
    "acting",
    "asked",
    "because",
    "explained",
    "fail",
    "moment",
    "more",
    "on_loop",
    "print_json",
    "print_views",
    "run",
    "table",
    "totals",
    "tune_collector",
]

EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_PARTLY = 3

T = TypeVar("T")

_PIPE_WIDTH = 300
# Objects that are made between two looks of the collector, and its rarer looks: ×20, ×50.
_COLLECTOR = (100_000, 20, 50)

Account = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ACCOUNT",
        help=tr(
            "the account that asks; left out, this command line is the approval",
            "操作账户; 省略则本命令行即为审批",
        ),
    ),
]
After = Annotated[
    str | None,
    typer.Option(
        "--after",
        metavar="CURSOR",
        help=tr("what the page before ended with", "上一页末尾给出的游标"),
    ),
]
Departments = Annotated[
    list[int] | None,
    typer.Option(
        "--department",
        min=1,
        max=2**63 - 1,
        help=tr(
            "only people of this department or below; repeatable",
            "只看此部门及下级部门; 可多次使用",
        ),
    ),
]
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


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the fastest loop there is."""
    import asyncio

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def tune_collector() -> None:
    """Set this process up for long, busy work.

    What a server allocates by the thousand are rows and requests, which refer to one another in no
    rings: the collector of rings looks through them less often. It is a fifth of a busy node's CPU.
    """
    gc.set_threshold(*_COLLECTOR)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; errors become messages and exit codes, Ctrl-C becomes 130.

    The log keeps quiet and away from standard output; `serve` turns it on.
    """
    from asyncio import CancelledError

    from dingbell.telemetry import configure_logging

    configure_logging("critical")
    screen.guard()
    try:
        return on_loop(work)
    except DingBellError as error:
        guard(error)
    except (KeyboardInterrupt, CancelledError):
        raise typer.Exit(130) from None
    except Exception as error:
        outside = _outside(error)
        if outside is None:
            raise
        guard(outside)


async def asked(work: Callable[[Operations], Awaitable[T]], by: str | None = None) -> T:
    """Carry out an operation over surroundings of its own, for an account or this command line."""
    from dingbell.bootstrap import open_desk
    from dingbell.settings import Settings

    async with open_desk(Settings.load()) as desk:
        return await work(await acting(desk, by))


async def acting(desk: Operations, by: str | None) -> Operations:
    """Operations for an account; without one for whoever sits at this command line."""
    if by is None:
        return desk
    from dingbell.operations import accounts

    return desk.as_(await accounts.actor_of(desk, by, "cli"))


def _loop_factory() -> Callable[[], AbstractEventLoop] | None:
    """Uvloop where it is installed: a node makes a fifth more calls a second with it."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _outside(error: Exception) -> OutsideError | None:
    """What went wrong outside DingBell, where it was not told in words on the way."""
    from dingbell.dingtalk.errors import DingTalkError

    if isinstance(error, DingTalkError):
        return OutsideError(Text(error.en, error.zh))
    from dingbell.store import fitness

    said = fitness.explained(error)
    return None if said is None else DatabaseError(said)


def print_views(views: Iterable[View]) -> None:
    """Print views as one JSON list."""
    print_json([one.to_json() for one in views])


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
        shown.add_row(
            *(Cell("" if cell is None else visible(str(cell), one_line=True)) for cell in row)
        )
    # In a pipe nothing is cut off.
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(file=screen.bare(sys.stdout), width=width).print(shown)


def moment(instant: datetime | None) -> str:
    """An instant for people: to the second, in the service's zone, with its offset."""
    return instant.astimezone(zone()).isoformat(" ", "seconds") if instant else ""


def because(run: RunView) -> str:
    """Why a run stands as it does, in the reader's language."""
    return say(run.why) if run.why else ""


def explained(code: str | None, state: str | None = None) -> str:
    """A code with what it means."""
    from dingbell.operations.codes import explain

    meaning = explain(code, state) if code else None
    return f"{code} {tr(*meaning)}" if meaning else code or ""


def totals(counts: dict[str, int]) -> str:
    """Totals in one line."""
    return " ".join(f"{state}={count}" for state, count in counts.items()) or "-"


def more(cursor: object | None, option: str = "--after") -> None:
    """Say on standard error how the next page is asked for."""
    if cursor is not None:
        typer.echo(f"{tr('more', '更多')}: {option} {cursor}", err=True)
