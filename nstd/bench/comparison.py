"""A comparison: rows of pairs, columns of variants and other pictures, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from nstd import __version__
from nstd.bench.columns import Column
from nstd.bench.judge import Judge
from nstd.bench.pairs import Pair


@dataclass
class Cell:
    """A picture and its figures, or why there is none.

    `seconds` has the time of each phase, `peak_memory` is in bytes by place, `losses` are those
    of the last step, and `figures` are the judge's.
    """

    picture: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: dict[str, int] = field(default_factory=dict)
    steps: int | None = None
    stopped: str | None = None
    losses: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] | None = None


_FIRST = ("style", "content")  # the most important losses
Cells = dict[tuple[str, str], Cell]
"""By the name of the pair and the label of the column."""
Judged = tuple[Pair, Cell]
Track = Callable[[Sequence[Judged]], Iterable[Judged]]
"""Iterates over the pictures to judge, and may show the progress."""


@dataclass(frozen=True)
class Comparison:
    """Rows, columns, and a cell where they meet."""

    pairs: Sequence[Pair]
    columns: Sequence[Column]
    cells: Cells

    def cell(self, pair: Pair, column: Column) -> Cell:
        """The cell in the row of `pair` and the column `column`."""
        return self.cells[pair.name, column.label]

    @property
    def failed(self) -> list[tuple[str, str, dict[str, str]]]:
        """Pair, label and reason of every picture that was not made."""
        return [(*place, cell.failed) for place, cell in self.cells.items() if cell.failed]

    def judge(self, judge: Judge, track: Track) -> None:
        """Judge every picture. Raises BenchError at the first failure."""
        cells = [(pair, self.cell(pair, column)) for pair in self.pairs for column in self.columns]
        for pair, cell in track([(pair, cell) for pair, cell in cells if cell.picture]):
            assert cell.picture is not None  # the others were left out
            cell.figures = judge.figures(cell.picture, pair.content, pair.style)

    def mean(self, column: Column) -> Cell:
        """The means of a column: of each number, over the pictures that have it."""
        cells = [self.cell(pair, column) for pair in self.pairs]
        return Cell(
            seconds=_means([cell.seconds for cell in cells]),
            losses=_means([cell.losses for cell in cells]),
            figures=_means([cell.figures for cell in cells]),
        )

    def report(self) -> dict[str, Any]:
        """Everything, ready to be printed as JSON."""
        return {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "nstd": __version__,
            "columns": [
                {"label": c.label, "options": c.options, "folder": c.folder and str(c.folder)}
                for c in self.columns
            ],
            "pairs": [self._row(pair) for pair in self.pairs],
            "means": {column.label: self._describe_mean(column) for column in self.columns},
        }

    def _row(self, pair: Pair) -> dict[str, Any]:
        cells = {column.label: asdict(self.cell(pair, column)) for column in self.columns}
        for cell in cells.values():
            cell["picture"] = cell["picture"] and str(cell["picture"])
        return {
            "name": pair.name,
            "content": str(pair.content),
            "style": str(pair.style),
            "cells": cells,
        }

    def _describe_mean(self, column: Column) -> dict[str, Any]:
        mean = self.mean(column)
        made = [pair for pair in self.pairs if self.cell(pair, column).picture]
        return {
            "pictures": len(made),
            "seconds": mean.seconds,
            "losses": mean.losses,
            "figures": mean.figures,
        }


def describe(cell: Cell) -> list[str]:
    """The lines of text for a cell: seconds, then the judge's figures, else the last losses."""
    if cell.failed:
        return [cell.failed["code"]]
    lines = [f"{cell.seconds['total']:.1f} s"] if cell.seconds else []
    losses = {name: cell.losses[name] for name in _FIRST if name in cell.losses} or cell.losses
    numbers = cell.figures or losses
    return lines + [f"{name} {_number(value)}" for name, value in numbers.items()]


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def _means(numbers: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in numbers for name in each)
    return {name: round(fmean(each[name] for each in numbers if name in each), 6) for name in names}
