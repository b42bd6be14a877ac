"""The figures as tables on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from figures import Row
from options import Options
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

__all__ = ["Section", "show", "told"]

_COLUMNS = ("figure", "DingBell", "floor", "DingBell ÷ floor")


@dataclass(frozen=True, slots=True)
class Section:
    """What one scenario found, and what it was compared with."""

    title: str
    floor: str
    peers: Mapping[str, str]
    runs: int
    rows: list[Row]

    @property
    def columns(self) -> tuple[str, ...]:
        """What stands above the rows."""
        return (*_COLUMNS, *self.peers)

    def cells(self) -> Iterator[tuple[str, ...]]:
        """Every row as it is shown."""
        return (row.cells(self.peers) for row in self.rows)


def told(sentences: list[str]) -> list[str]:
    """Sentences, each once, with how often it was said."""
    return [f"{text} (×{n})" if n > 1 else text for text, n in Counter(sentences).items()]


def show(sections: list[Section], options: Options) -> None:
    """Print everything."""
    console = Console()
    for section in sections:
        table = Table(*section.columns, box=SIMPLE_HEAD, title=section.title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for cells in section.cells():
            table.add_row(*cells)
        console.print(table)
        console.print(f"  median (min–max) of {section.runs}; floor: {section.floor}")
        for name, what in section.peers.items():
            console.print(f"  {name}: {what}")
        console.print()
    for text in told(options.remarks):
        console.print(f"remark: {text}", markup=False)
    for text in told(options.wrong):
        console.print(f"WRONG: {text}", style="bold red", markup=False)
