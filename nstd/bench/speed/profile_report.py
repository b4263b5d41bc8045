"""The profiles as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from nstd.bench.speed.roofline import StagePart, by_stage, read_parts
from nstd.system.units import counted

_COLUMNS = ("stage", "kind", "ms", "share", "GFLOP/s", "GB/s", "of the roof", "bound by")
_RIGHT = ("ms", "share", "GFLOP/s", "GB/s", "of the roof")


def print_profiles(found: Sequence[Mapping[str, Any]]) -> None:
    """A table of each profile, with lines about it."""
    console = Console()
    for one in found:
        table = Table(title=_title(one), box=box.SIMPLE, title_justify="left")
        for name in _COLUMNS:
            table.add_column(name, justify="right" if name in _RIGHT else "left")
        for row in _rows(one):
            table.add_row(*row)
        console.print(table)
        for line in _notes(one):
            console.print(line, highlight=False, soft_wrap=True)


def roofs(one: Mapping[str, Any]) -> tuple[float, float]:
    """The best operations and bytes a second of the machine, in the precision of the profile."""
    kind = {"float32": "fp32_gflops", "bfloat16": "bf16_gflops"}[one["precision"]]
    return one[kind] * 1e9, one["bandwidth"]


def _title(one: Mapping[str, Any]) -> str:
    return f"{one['network']}, {one['size']} px, {one['precision']}: one evaluation"


def _rows(one: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    parts = read_parts(one)
    total = sum(part.seconds for part in parts)
    for part in parts:
        yield _row(part, total, *roofs(one))
    for part in by_stage(parts).values():
        yield _row(part, total, *roofs(one))


def _row(part: StagePart, total: float, ceiling: float, bandwidth: float) -> tuple[str, ...]:
    seconds = max(part.seconds, 1e-9)
    return (
        str(part.stage) if part.stage else "-",
        part.kind or "all of it",
        f"{1000 * part.seconds:.1f}",
        f"{part.seconds / total:.0%}",
        f"{part.work / seconds / 1e9:.0f}" if part.work else "",
        f"{part.moved / seconds / 1e9:.1f}",
        f"{part.roof(ceiling, bandwidth) / seconds:.0%}",
        "memory" if part.is_bound_by_memory(ceiling, bandwidth) else "computing",
    )


def _notes(one: Mapping[str, Any]) -> Iterator[str]:
    parts = read_parts(one)
    least = sum(part.roof(*roofs(one)) for part in parts)
    extra = one["evaluations"] - one["steps"]
    yield (
        f"{one['seconds']:.2f} s an evaluation ({one['traced_seconds']:.2f} s while traced); the "
        f"machine would need {least:.2f} s for the same operations without caches"
    )
    yield (
        f"the line search took {counted(extra, 'evaluation')} more than the "
        f"{counted(one['steps'], 'step')}: {extra * one['seconds']:.2f} s"
    )
    yield (
        f"{counted(one['threads'], 'thread')}; the machine's best: float32 "
        f"{one['fp32_gflops']:.0f}, bfloat16 {one['bf16_gflops']:.0f} GFLOP/s, memory "
        f"{one['bandwidth'] / 1e9:.1f} GB/s"
    )
