"""`nstd bench`: compares and measures the results of the engine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nstd.cli.app import config_option, config_or_defaults
from nstd.errors import BenchError
from nstd.system.units import counted

if TYPE_CHECKING:
    from nstd.bench.columns import Column
    from nstd.bench.comparison import Comparison, Judged
    from nstd.bench.judge import Judge
    from nstd.documents.config import Config


def _assignments(
    _context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> list[tuple[str, str]]:
    """`KEY=VALUE` arguments of the command line as pairs."""
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise click.BadParameter(f"{text!r}: expected {option.metavar}")
        pairs.append((key, value))
    return pairs


@click.group("bench")
def command() -> None:
    """Measure what the engine makes of pictures."""


@command.command("quality")
@config_option
@click.argument("pairs", metavar="PAIRS_DIR", type=click.Path(path_type=Path))
@click.option(
    "--vary",
    multiple=True,
    callback=_assignments,
    metavar="KEY=A,B,...",
    help="A column for each value, and for each combination where it is given again.",
)
@click.option("--size", type=click.IntRange(16, 16384), help="Longest side in pixels.")
@click.option(
    "-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="As `nstd submit` has it."
)
@click.option(
    "--compare",
    multiple=True,
    callback=_assignments,
    metavar="LABEL=DIR",
    help="A column of pictures made elsewhere, called like the sidecars.",
)
@click.option(
    "--judge",
    metavar="COMMAND",
    help="vgg19, which is built in, or called as COMMAND RESULT CONTENT STYLE; prints figures.",
)
@click.option("--blind", is_flag=True, help="A page of unlabelled pairs for a person to judge.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="nstd-quality")
@click.option("--thumb", type=click.IntRange(32, 2048), default=384, help="Pixels on the sheet.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def quality(config: Path | None, pairs: Path, **given: Any) -> None:
    """Make the pictures of all sidecars in PAIRS_DIR and show them side by side.

    OUT (./nstd-quality) gets sheet.png, crops.png, quality.json, and the pictures by variant.
    The variants run one after the other on one slot, so that their times can be compared.
    """
    from nstd.bench.quality import compare, save
    from nstd.bench.table import print_table
    from nstd.cli.bars import Bars

    out, settings = given["out"], config_or_defaults(config)
    columns, judge = _columns_and_judge(given, settings)
    on_terminal = _on_terminal()
    with Bars(visible=on_terminal):
        found = compare(pairs, columns, settings, out, "none" if on_terminal else "text")
    judge_error = None
    try:
        if judge is not None:
            found.judge(judge, _track if on_terminal else iter)
    except BenchError as error:  # keep the pictures
        judge_error = error
    report = save(found, out, settings, given["thumb"])
    if given["as_json"]:
        click.echo(json.dumps(report, indent=2))
    else:
        print_table(found)
    click.echo(f"look at {out / 'sheet.png'} and {out / 'crops.png'}", err=True)
    if given["blind"]:
        _write_blind(found, out / "blind", settings)
    _print_failures(found)
    if judge_error is not None:
        raise judge_error
    sys.exit(1 if found.failed else 0)


@command.command("speed")
@config_option
@click.option("--full", is_flag=True, help="Run the race to its end: about half an hour.")
@click.option("--profile", is_flag=True, help="Where the time goes instead, by stage and kind.")
@click.option(
    "--svg", type=click.Path(path_type=Path), help="With --profile: also draw it, into this file."
)
@click.option("--threads", type=click.IntRange(1), help="Of each process; all cores by default.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def speed(
    config: Path | None,
    full: bool,
    profile: bool,
    svg: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure the engine beside the loop that everybody writes first, on this machine's CPU.

    Both take turns, so that the ratios hold on a busy machine too. About three minutes. With
    --profile: where the time of an evaluation goes, beside the best that this machine can do.
    """
    from nstd.bench.speed.report import make_report, print_report
    from nstd.bench.speed.run import FULL, SHORT, measure
    from nstd.system.cpus import Cpus

    settings = config_or_defaults(config)
    if svg is not None and not profile:
        raise click.UsageError("--svg needs --profile")
    if profile:
        _profile(settings, threads or Cpus.usable().count, svg, as_json=as_json)
        return
    with _status_line() as show_step:
        found = measure(
            FULL if full else SHORT, settings, threads or Cpus.usable().count, show_step
        )
    report = make_report(found)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        print_report(report)


def _profile(settings: Config, threads: int, svg: Path | None, *, as_json: bool) -> None:
    """Measure the profiles, print them, and draw them into the file `svg`."""
    from nstd.bench.speed.profile_report import print_profiles
    from nstd.bench.speed.profile_run import measure_profiles
    from nstd.bench.speed.roofline_svg import roofline_svg

    with _status_line() as show_step:
        found = measure_profiles(settings, threads, show_step)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_profiles(found)
    if svg is not None:
        svg.write_text(roofline_svg(found), encoding="utf-8")


@command.command("large")
@config_option
@click.option("--threads", type=click.IntRange(1), help="All cores by default.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def large(config: Path | None, threads: int | None, as_json: bool) -> None:
    """Measure time and memory of large pictures, up to 8192 pixels. About ten minutes."""
    from nstd.bench.speed.large import measure_large, print_large
    from nstd.system.cpus import Cpus

    settings = config_or_defaults(config)
    with _status_line() as show_step:
        found = measure_large(settings, threads or Cpus.usable().count, show_step)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_large(found)


@command.command("film")
@config_option
@click.argument("pictures", nargs=-1, metavar="[PICTURE]...", type=click.Path(path_type=Path))
@click.option("--style", type=click.Path(path_type=Path), help="A sample by default.")
@click.option("--size", type=click.IntRange(64, 4096), default=256, help="Longest side in pixels.")
@click.option("--frames", type=click.IntRange(4, 1000), default=12, help="Of each scene.")
@click.option("--scene", "only", multiple=True, metavar="WORD", help="Scenes with it in the name.")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    callback=_assignments,
    metavar="KEY=VALUE",
    help="An option of the backend.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="nstd-film")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def film(config: Path | None, pictures: tuple[Path, ...], **given: Any) -> None:
    """Measure how much films flicker: scenes of known motion over PICTURES, or over the samples.

    Each cell of the table has the figure of the film and that of frames made each for itself: the
    mean difference to the frame before in grey levels, moved by the true motion; the style loss;
    seconds and evaluations of a frame. OUT (./nstd-film) gets the frames, and strips of one row
    over time. About half an hour.
    """
    from nstd.bench.film.report import measure_films, print_films
    from nstd.client.samples import PAIRS, sample_path

    samples = [sample_path(name) for pair in PAIRS.values() for name in pair]
    with _status_line() as show_step:
        found = measure_films(
            pictures or samples[::2],
            given["style"] or samples[1],
            dict(given["options"]),
            config_or_defaults(config).folder("networks"),
            given["size"],
            given["frames"],
            given["only"],
            given["out"],
            show_step,
        )
    if given["as_json"]:
        click.echo(json.dumps(found, indent=2))
    else:
        print_films(found)
    click.echo(f"look at the frames and strips in {given['out']}", err=True)


@command.command("gpu")
@config_option
@click.option("--device", default="cuda:0", show_default=True, help="As in the config, or cpu.")
@click.option("--only", multiple=True, metavar="STEP", help="This step; may be given again.")
@click.option("--small", is_flag=True, help="Tiny pictures: to try the steps, not to measure.")
@click.option("--out", type=click.Path(path_type=Path), default="nstd-gpu", show_default=True)
def gpu(config: Path | None, device: str, only: tuple[str, ...], small: bool, out: Path) -> None:
    """Measure one accelerator, step by step, in at most ten minutes.

    Each step is a process of its own with a limit, and prints a line; one that fails does not stop
    the others. The lines are added to OUT.txt, and their figures to OUT.jsonl. Exit code 1 if a
    step was not measured, or found what should not be.
    """
    from nstd.bench.gpu.plan import STEPS
    from nstd.bench.gpu.run import has_problem, line_of, measure_gpu
    from nstd.bench.gpu.setup import setup_for

    names = [step.name for step in STEPS]
    if unknown := [name for name in only if name not in names]:
        raise click.BadParameter(f"{unknown[0]!r}: the steps are {', '.join(names)}")
    steps = [step for step in STEPS if step.name in (only or names)]
    found = []
    with setup_for(device, config_or_defaults(config), small=small) as setup:
        for step, finding in measure_gpu(setup, out, steps):
            click.echo(line_of(step, finding))
            found.append(finding)
    click.echo(f"all lines are in {out}.txt, and the figures in {out}.jsonl", err=True)
    sys.exit(1 if has_problem(found) else 0)


@contextmanager
def _status_line() -> Iterator[Callable[[str], None]]:
    """Shows the current step: in place on a terminal, else line by line."""
    if not _on_terminal():
        yield lambda text: click.echo(text, err=True)
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update


def _on_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _columns_and_judge(
    given: dict[str, Any], settings: Config
) -> tuple[list[Column], Judge | None]:
    """The columns and the judge from the options, before anything is read or made."""
    from nstd.bench.columns import make_columns
    from nstd.bench.judge import Judge

    size = [f"output.size={given['size']}"] if given["size"] else []
    options = [*given["options"], *size]
    try:
        columns = make_columns(given["vary"], given["compare"], options, given["out"])
        line = given["judge"]
        judge = None if line is None else Judge.of(line, settings.folder("networks"))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if given["blind"] and len(columns) < 2:
        raise click.UsageError("--blind needs two columns at least: add --vary or --compare")
    return columns, judge


def _write_blind(found: Comparison, folder: Path, settings: Config) -> None:
    """Write the page for the eye, and say where it is."""
    from nstd.bench.quality import blind

    count, page = blind(found, folder, settings)
    click.echo(f"choose, without labels, in {counted(count, 'pair')}: {page}", err=True)


def _track(cells: Sequence[Judged]) -> Iterable[Judged]:
    """`cells`, with a progress bar for the judge."""
    from rich.console import Console
    from rich.progress import track

    return track(cells, "judging", console=Console(stderr=True))


def _print_failures(found: Comparison) -> None:
    """Print which pictures were not made, and why."""
    for pair, label, reason in found.failed:
        click.echo(f"{pair}, {label}: {reason['message']} [{reason['code']}]", err=True)
        if reason["hint"]:
            click.echo(f"      {reason['hint']}", err=True)
