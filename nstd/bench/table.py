"""The table of a comparison, for a terminal or a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nstd.bench.columns import Column
from nstd.bench.comparison import Comparison, describe
from nstd.errors import printable

_ENDLESS = 10_000


def print_table(comparison: Comparison) -> None:
    """Print the table: a row for each pair, a column for each variant, the mean as the last row.

    On a terminal, columns that do not fit are printed below; elsewhere all are in one table.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=_ENDLESS)
    for columns in _blocks(comparison, console.width):
        console.print(make_table(comparison, columns))


def make_table(comparison: Comparison, columns: Sequence[Column]) -> Table:
    """The table: each cell has seconds, then the judge's figures, or without a judge the losses."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("pair", overflow="fold")
    for column in columns:
        table.add_column(_text(column.label.replace(",", ",\n").split("\n")), overflow="fold")
    for pair in comparison.pairs:
        cells = [comparison.cell(pair, column) for column in columns]
        table.add_row(_text([pair.name]), *(_text(describe(cell)) for cell in cells))
    table.add_section()
    means = [comparison.mean(column) for column in columns]
    table.add_row("mean", *(_text(describe(mean)) for mean in means))
    return table


def _blocks(comparison: Comparison, width: int) -> Iterator[list[Column]]:
    """The columns in groups that fit; a single column that does not fit is wrapped."""
    ruler, block = Console(width=_ENDLESS), list[Column]()
    for column in comparison.columns:
        wider = make_table(comparison, [*block, column])
        if block and ruler.measure(wider).maximum > width:
            yield block
            block = []
        block.append(column)
    yield block


def _text(lines: Sequence[str]) -> Text:
    return Text("\n".join(map(printable, lines)) or "-")
