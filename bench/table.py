"""The figures as tables on a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from figures import Row
from options import Options
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

__all__ = ["COLUMNS", "Section", "show", "told"]

COLUMNS = ("figure", "DingBell", "floor", "DingBell ÷ floor", "peer")


@dataclass(frozen=True, slots=True)
class Section:
    """What one scenario found, and what it was compared with."""

    title: str
    floor: str
    peer: str | None
    runs: int
    rows: list[Row]


def told(sentences: list[str]) -> list[str]:
    """Sentences, each once, with how often it was said."""
    return [f"{text} (×{n})" if n > 1 else text for text, n in Counter(sentences).items()]


def show(sections: list[Section], options: Options) -> None:
    """Print everything."""
    console = Console()
    for section in sections:
        table = Table(*COLUMNS, box=SIMPLE_HEAD, title=section.title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in section.rows:
            table.add_row(*row.cells())
        console.print(table)
        peer = f"; peer: {section.peer}" if section.peer else ""
        console.print(f"  median (min–max) of {section.runs}; floor: {section.floor}{peer}\n")
    for text in told(options.remarks):
        console.print(f"remark: {text}", markup=False)
    for text in told(options.wrong):
        console.print(f"WRONG: {text}", style="bold red", markup=False)
