"""`nstd demo`: makes two pictures from samples."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="nstd-demo")
@click.option("--size", type=click.IntRange(16, 16384), help="Longest side in pixels.")
@click.option("--preset", help="draft is quick, fine takes its time.")
@click.option("--network", help="Such as vgg19; `nstd networks` lists them.")
def command(folder: Path, size: int | None, preset: str | None, network: str | None) -> None:
    """Make a root in FOLDER (./nstd-demo), drop two drawn sample pairs, and make the pictures."""
    from nstd.backends.weights import require
    from nstd.backends.weights_registry import REGISTRY
    from nstd.cli.bars import Bars, on_terminal
    from nstd.cli.lines import PACED_EVENTS, STARTED_EVENTS, Lines
    from nstd.client import samples
    from nstd.client.init import make_root
    from nstd.daemon.daemon import Daemon
    from nstd.documents.config import load_config
    from nstd.errors import in_shell
    from nstd.system.layout import CONFIG
    from nstd.system.units import counted

    make_root(folder)
    path = (folder / CONFIG).resolve()
    config = load_config(path, {"watch.settle": 0.2, "log.console": "none"})
    if network in REGISTRY:
        require(network, config.folder("networks"))
    sidecars = samples.copy_to(config.folder("inbox"), _extra_keys(size, preset, network))
    click.echo(f"making {len(sidecars)} pictures in {folder}", err=True)
    is_seen = on_terminal()
    marks = {} if is_seen else STARTED_EVENTS | PACED_EVENTS
    with Bars(visible=is_seen, lines=Lines(marks)) as bars:
        status = Daemon(config, once=True).run()
    for ending in bars.endings:
        output = config.folder("outbox") / ending.output
        click.echo(f"{output if ending.failed else _picture(output)}  {ending.words}")
    click.echo(f"look at them:  {config.folder('outbox') / 'index.html'}", err=True)
    left = len(sidecars) - len(bars.endings)
    if left > 0:
        what = counted(left, "picture is", "pictures are")
        run = f"nstd run --once -c {in_shell(path)}"
        click.echo(f"{what} not done; to go on:  {run}", err=True)
    failed = any(ending.failed for ending in bars.endings)
    sys.exit(status or (1 if left > 0 or failed else 0))


def _extra_keys(size: int | None, preset: str | None, network: str | None) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if size is not None:
        keys["output"] = {"size": size}
    given = {"preset": preset, "network": network}
    if options := {name: value for name, value in given.items() if value is not None}:
        keys["options"] = options
    return keys


def _picture(output: Path) -> Path:
    """The picture in the folder of a result."""
    record = json.loads((output / f"{output.name}.json").read_bytes())
    return output / str(record["output"]["file"])
