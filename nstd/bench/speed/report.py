"""The measurements, as ratios for programs and as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from nstd.bench.speed.run import WHOLE
from nstd.bench.speed.work import vgg_work

Row = tuple[str, str, str, str]


def make_report(found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, and the ratios of the plain loop's to ours: above 1, the engine is better.

    `projected` marks figures of runs that were not completed but estimated.
    """
    plain, ours = (found["evaluations"][name] for name in ("plain", "ours"))
    race, machine = found["race"], found["machine"]
    whole = race["plain"]["of"] >= WHOLE and race["plain"]["size"] == machine["size"]
    vgg = {
        "seconds_per_evaluation": {"plain": plain["seconds"], "ours": ours["seconds"]},
        "seconds_per_evaluation_ratio": plain["seconds"] / ours["seconds"],
        "race": race,
        "seconds_to_loss_ratio": _over(race["plain"], race["ours"], "seconds"),
        "evaluations_to_loss_ratio": _over(race["plain"], race["ours"], "evaluations"),
        "projected": not whole,
        "peak_memory": {"plain": plain["peak_memory"], "ours": ours["peak_memory"]},
        "peak_memory_ratio": plain["peak_memory"] / ours["peak_memory"],
    }
    pictures = {
        network: {
            "seconds_to_picture": seconds,
            "seconds_to_picture_ratio": WHOLE * plain["seconds"] / seconds,
            "projected": True,  # the plain loop's seconds are those of a few evaluations
        }
        for network, seconds in found["pictures"].items()
    }
    return {
        "machine": machine,
        "vgg19": vgg,
        **pictures,
        "ceiling": _ceiling(found),
        "daemon": found["daemon"],
    }


def _over(plain: Mapping[str, Any], ours: Mapping[str, Any] | None, what: str) -> float | None:
    """The plain loop's figure divided by ours; None when the engine did not reach the aim."""
    return None if ours is None else float(plain[what] / ours[what])


def _ceiling(found: Mapping[str, Any]) -> dict[str, Any]:
    """The best speed of the machine, and the share of it that our convolutions reach."""
    height, width = found["machine"]["pixels"]
    reached = vgg_work(height, width) / found["evaluations"]["ours"]["seconds"] / 1e9
    kind = {"float32": "fp32_gflops", "bfloat16": "bf16_gflops"}[found["machine"]["precision"]]
    return {
        **found["ceiling"],
        "reached_gflops": reached,
        "share": reached / found["ceiling"][kind],
    }


def print_report(report: Mapping[str, Any]) -> None:
    """Print the table, and notes on how to read it."""
    table = Table("", "plain loop", "nstd", "ratio", box=box.SIMPLE)
    for row in _rows(report):
        table.add_row(*row)
    console = Console()
    console.print(table)
    for line in _notes(report):
        console.print(line, highlight=False, soft_wrap=True)


def _rows(report: Mapping[str, Any]) -> Iterator[Row]:
    vgg, race = report["vgg19"], report["vgg19"]["race"]
    size = report["machine"]["size"]
    each, memory = vgg["seconds_per_evaluation"], vgg["peak_memory"]
    yield (
        f"VGG-19, {size} px, an evaluation",
        f"{each['plain']:.2f} s",
        f"{each['ours']:.2f} s",
        _times(vgg["seconds_per_evaluation_ratio"]),
    )
    yield (
        "VGG-19, peak memory",
        f"{memory['plain'] / 2**20:.0f} MiB",
        f"{memory['ours'] / 2**20:.0f} MiB",
        _times(vgg["peak_memory_ratio"]),
    )
    for what, unit in (("seconds", " s"), ("evaluations", "")):
        yield (
            f"VGG-19, {race['plain']['size']} px, {what} to the loss {race['plain']['loss']:.3g}",
            f"{race['plain'][what]:.0f}{unit}",
            f"{race['ours'][what]:.0f}{unit}" if race["ours"] else "not reached",
            _times(vgg[f"{what}_to_loss_ratio"]),
        )
    for network in ("student", "fixed", "fitted"):
        found = report[network]
        yield (
            f"a whole picture, {size} px, {network}",
            f"{WHOLE * each['plain']:.0f} s *",
            f"{found['seconds_to_picture']:.1f} s",
            _times(found["seconds_to_picture_ratio"]),
        )


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}x"


def _notes(report: Mapping[str, Any]) -> Iterator[str]:
    machine, ceiling, daemon = report["machine"], report["ceiling"], report["daemon"]
    yield (
        f"{machine['threads']} threads, {machine['precision']}; convolutions reach "
        f"{ceiling['reached_gflops']:.0f} GFLOP/s, {ceiling['share']:.0%} of the machine's best "
        f"(float32 {ceiling['fp32_gflops']:.0f}, bfloat16 {ceiling['bf16_gflops']:.0f})"
    )
    yield (
        f"the daemon: {daemon['pictures_per_hour']:.0f} drafts of 256 px an hour over "
        f"{daemon['slots']} slots, {1000 * daemon['overhead_seconds']:.0f} ms a job beside its work"
    )
    if scaling := daemon.get("scaling"):
        yield (
            f"{scaling['slots']} slots of one thread make {scaling['ratio']:.2f} times as many an "
            "hour as one"
        )
    yield f"* projected: {WHOLE} evaluations of VGG-19 by the plain loop, from a few of them"
    if machine["weights"] == "random":
        yield "VGG-19 had random weights: install the real ones for losses that mean something"
