"""`nstd expire`: lets what is too old go from the outbox."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nstd.cli.app import config_option

if TYPE_CHECKING:
    from nstd.outbox.expiry import DueUnit


@click.command("expire")
@config_option
@click.option("--dry-run", is_flag=True, help="Only list what would go, and what stays and why.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(config: Path | None, dry_run: bool, as_json: bool) -> None:
    """Delete, or move, what is older than `retention` in the config says; a daemon does so itself.

    Nothing goes that has changed within the last hour, or that is not nstd's own.
    """
    from nstd.client.expire import expire, list_due
    from nstd.client.readable import check_readable
    from nstd.documents.config import find_config, load_config
    from nstd.system.layout import EXPIRED
    from nstd.system.units import format_size

    settings = load_config(find_config(config))
    check_readable(settings)
    word = "would go" if dry_run else "moved" if settings.retention.move_to else "deleted"
    told: list[DueUnit] = []

    def tell(unit: DueUnit) -> None:
        told.append(unit)
        if not as_json:
            click.echo(_line(unit, word))

    is_left = (settings.folder("outbox") / EXPIRED).exists()
    is_off = not settings.retention.is_on and (dry_run or not is_left)
    if dry_run:
        for unit in list_due(settings):
            tell(unit)
    elif not is_off:
        expire(settings, tell)
    sizes = [unit.bytes for unit in told if not unit.kept]
    summary = f"{len(sizes)} {word}, {format_size(sum(sizes))}"
    if as_json:
        click.echo(json.dumps([asdict(unit) for unit in told], indent=2))
    if is_off:
        summary = "nothing goes: `retention` in the config has no limit"
    click.echo(summary, err=True)


def _line(unit: DueUnit, word: str) -> str:
    import time

    from nstd.errors import printable
    from nstd.system.units import format_size

    day = time.strftime("%Y-%m-%d", time.localtime(unit.changed))
    what = f"{unit.kind:8} {day}  {format_size(unit.bytes):>8}  {printable(unit.path)}"
    return f"stays     {what}: {printable(unit.kept)}" if unit.kept else f"{word:9} {what}"
