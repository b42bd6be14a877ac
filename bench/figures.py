"""Figures: what one run of a scenario measured, and the medians of several runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Figure", "Row", "Spread", "percentile", "summarize"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured in one run.

    Attributes:
        name: what was measured, with its unit.
        value: DingBell's.
        floor: the same without durability, or computed, in the same run.
        peers: the same with what a user would take instead, by name.
    """

    name: str
    value: float
    floor: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return self.value / self.floor if self.floor else None


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several runs, and their extremes."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        middle = _short(self.median)
        if self.least == self.most:
            return middle
        return f"{middle} ({_short(self.least)}–{_short(self.most)})"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure over several runs."""

    name: str
    value: Spread
    floor: Spread | None
    ratio: Spread | None
    peers: Mapping[str, Spread]

    def cells(self, peers: Iterable[str]) -> tuple[str, ...]:
        """The row as it is shown, with a column for each peer."""
        shown = (self.value, self.floor, self.ratio, *(self.peers.get(name) for name in peers))
        return self.name, *("–" if one is None else str(one) for one in shown)


def _short(value: float) -> str:
    """Three digits that count."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(median(known), min(known), max(known)) if known else None


def summarize(runs: Iterable[list[Figure]]) -> list[Row]:
    """Put the same figure of several runs into one row, in the order of their first appearance."""
    by_name: dict[str, list[Figure]] = {}
    for figure in (figure for run in runs for figure in run):
        by_name.setdefault(figure.name, []).append(figure)
    rows = []
    for name, figures in by_name.items():
        value = _spread(figure.value for figure in figures)
        assert value is not None
        floor = _spread(figure.floor for figure in figures)
        ratio = _spread(figure.ratio for figure in figures)
        named = {peer for figure in figures for peer in figure.peers}
        peers = {peer: _spread(figure.peers.get(peer) for figure in figures) for peer in named}
        known = {peer: spread for peer, spread in peers.items() if spread is not None}
        rows.append(Row(name, value, floor, ratio, known))
    return rows


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the values lies; the nearest one that occurred."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
