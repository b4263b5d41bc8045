"""Large pictures: time, and measured and predicted memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from nstd.backends.weights_registry import RETRAINED
from nstd.bench.speed.run import Contestant, ShowStep, vgg_weights
from nstd.bench.speed.setup import Setup
from nstd.documents.config import Config


@dataclass(frozen=True)
class Case:
    """A picture with a longest side of `size` pixels: a whole draft, or one evaluation."""

    network: str
    size: int
    whole: bool

    @property
    def title(self) -> str:
        """The case as text."""
        return f"{self.network}, {self.size} px, {'draft' if self.whole else 'one evaluation'}"


CASES = (
    Case("fixed", 512, whole=True),
    Case("fixed", 1024, whole=True),
    Case("fixed", 2048, whole=True),
    Case("fixed", 4096, whole=True),
    Case("fixed", 8192, whole=False),
    Case(RETRAINED, 512, whole=True),
    Case(RETRAINED, 4096, whole=False),
)


def measure_large(
    config: Config, threads: int, show_step: ShowStep, cases: Sequence[Case] = CASES
) -> list[dict[str, Any]]:
    """Measure each case in a separate process: seconds, and measured and predicted peak in
    bytes."""
    with tempfile.TemporaryDirectory() as folder:
        weights, _ = vgg_weights(config.folder("networks"), Path(folder), show_step)
        return [_measured(case, str(weights), threads, show_step) for case in cases]


def _measured(case: Case, weights: str, threads: int, show_step: ShowStep) -> dict[str, Any]:
    show_step(case.title)
    with Contestant("ours", Setup(case.size, weights, threads)) as ours:
        found: dict[str, Any] = ours.ask("whole" if case.whole else "once", network=case.network)
        return asdict(case) | found | {"peak_memory": ours.ask("peak")}


def print_large(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the table."""
    table = Table("", "seconds", "peak memory", "predicted", "ratio", box=box.SIMPLE)
    for row in _rows(found):
        table.add_row(*row)
    Console().print(table)


def _rows(found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for one in found:
        case = Case(one["network"], one["size"], one["whole"])
        peak, predicted = one["peak_memory"], one.get("predicted")
        texts = (f"{predicted / 1e9:.2f} GB", f"{predicted / peak:.2f}") if predicted else ("", "")
        yield case.title, f"{one['seconds']:.1f}", f"{peak / 1e9:.2f} GB", *texts
