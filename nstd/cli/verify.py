"""`nstd verify`: holds records, pictures, gallery and work folders against each other."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nstd.cli.app import config_option

if TYPE_CHECKING:
    from nstd.client.verify import Damage
    from nstd.client.verify.verification import Progress


@click.command("verify")
@config_option
@click.option("--repair", is_flag=True, help="Mend what a daemon could mend by itself.")
@click.option(
    "--since", metavar="WHEN", help="Only results since then: 7d ago, or a date like 2026-11-28."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(config: Path | None, repair: bool, since: str | None, as_json: bool) -> None:
    """Check every result, failure, batch, gallery entry and work folder; exit 1 if one is wrong.

    Pictures are decoded, and their SHA-256 is held against the record. Nothing is changed without
    --repair, which makes the gallery and contact sheets again and removes what a kill has left.
    """
    from nstd.client.readable import check_readable
    from nstd.client.verify import Verification
    from nstd.documents.config import find_config, load_config

    settings = load_config(find_config(config))
    check_readable(settings)
    run = Verification(settings, _moment(since))
    with _bar(visible=not as_json) as progress:
        damages = run.run(progress)
    left = run.repair(damages) if repair and damages else damages
    repaired = [damage for damage in damages if damage not in left]
    if as_json:
        wrong, mended = ([_as_json(each) for each in part] for part in (left, repaired))
        click.echo(json.dumps({**run.counts, "wrong": wrong, "repaired": mended}, indent=2))
    else:
        _print(left, repaired)
        click.echo(f"{_counts(run.counts)}: {_verdict(len(left), len(repaired))}")
    sys.exit(1 if left else 0)


def _print(left: list[Damage], repaired: list[Damage]) -> None:
    for damage in repaired:
        click.echo(f"repaired  {damage.place} {damage.message}")
    for damage in left:
        click.echo(f"wrong     {damage.place} {damage.message}")
        click.echo(f"          {damage.hint}")


def _counts(counts: dict[str, int]) -> str:
    from nstd.system.units import counted

    words = {"results": "result", "failures": "failure", "batches": "batch"}
    return ", ".join(counted(count, words[name], name) for name, count in counts.items())


def _verdict(wrong: int, repaired: int) -> str:
    said = [f"{repaired} repaired"] if repaired else []
    return ", ".join([*said, f"{wrong} wrong" if wrong else "nothing is wrong"])


def _as_json(damage: Damage) -> dict[str, str]:
    return {key: value for key, value in asdict(damage).items() if key not in {"repair", "unit"}}


def _moment(text: str | None) -> float:
    """Seconds since the epoch, from a duration before now or a date. Raises BadParameter."""
    from nstd.system.units import parse_duration

    if text is None:
        return 0.0
    try:
        return time.time() - parse_duration(text.removesuffix(" ago"))
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        said = f"{text!r} is neither a duration like 7d nor a date like 2026-11-28"
        raise click.BadParameter(said, param_hint="'--since'") from None


@contextmanager
def _bar(*, visible: bool) -> Iterator[Progress]:
    """A bar on a terminal, moved by the function that is given."""
    from nstd.cli.bars import make_progress

    with make_progress(visible=visible) as bar:
        task = bar.add_task("verify", total=None, note="")

        def progress(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, note=f"{done} of {of} folders")

        yield progress
