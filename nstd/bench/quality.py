"""`nstd bench quality`: results of the engine for a folder of pairs, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any, Literal

from nstd.bench.batch import BenchBatch
from nstd.bench.blind import PAGE, write_blind
from nstd.bench.columns import Column, variants
from nstd.bench.comparison import Cell, Cells, Comparison
from nstd.bench.pairs import read_pairs
from nstd.bench.sheet import Sheets
from nstd.documents.config import Config

PICTURES = "pictures"


def compare(
    folder: Path,
    columns: Sequence[Column],
    config: Config,
    out: Path,
    console: Literal["text", "none"],
) -> Comparison:
    """Make every variant in `columns` of the pairs in `folder`; the pictures go below `out`.

    Raises the errors of `read_pairs` and `BenchBatch` before anything is made or written.
    """
    pairs = read_pairs(folder, config.folder("styles"))
    batch = BenchBatch(config, pairs, variants(columns))
    cells: Cells = {
        (pair.name, column.label): Cell(picture=column.find(pair.name))
        for pair in pairs
        for column in columns
    }
    return Comparison(pairs, columns, cells | batch.run(out.resolve() / PICTURES, console))


def save(comparison: Comparison, out: Path, config: Config, thumb: int) -> dict[str, Any]:
    """Write `quality.json`, which is returned, the contact sheet and the crops."""
    report = comparison.report()
    text = json.dumps(report, indent=2) + "\n"
    (out / "quality.json").write_text(text, encoding="utf-8")
    sheets = Sheets(comparison, config.limits)
    sheets.contact_sheet(thumb).save(out / "sheet.png")
    sheets.crops().save(out / "crops.png")
    return report


def blind(comparison: Comparison, folder: Path, config: Config) -> tuple[int, Path]:
    """Write the blind test below `folder`: the number of its questions, and its page."""
    return write_blind(comparison, folder, config.limits, SystemRandom()), folder / PAGE
