"""`nstd doctor`: check this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.client.doctor import examine
from nstd.client.finding import Finding
from nstd.documents.config import Config, find_config, load_config, load_folders
from nstd.errors import ConfigError

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("doctor")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(config: Path | None, as_json: bool) -> None:
    """Check devices, folders, limits, weights and plugins; exit 1 if something must be mended."""
    findings = []
    for finding in _findings(find_config(config)):
        findings.append(finding)
        if not as_json:
            click.echo(f"{_MARKS[finding.level]}  {finding.what}: {finding.message}")
            if finding.hint:
                click.echo(f"        {finding.hint}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    sys.exit(1 if any(finding.level == "fail" for finding in findings) else 0)


def _findings(path: Path) -> Iterator[Finding]:
    """All findings; those about a config that is not valid come first, and its folders are used."""
    try:
        config: Config | None = load_config(path)
    except ConfigError as error:
        config = load_folders(path)
        hint = f"{error.hint}; what follows is checked with the defaults of the other settings"
        yield Finding("fail", "config", error.message, hint if config else error.hint)
    if config is not None:
        yield from examine(config)
