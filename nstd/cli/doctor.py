"""`nstd doctor`: check this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.client.doctor import examine
from nstd.documents.config import find_config, load_config

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command("doctor")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(config: Path | None, as_json: bool) -> None:
    """Check devices, folders, limits, weights and plugins; exit 1 if something must be mended."""
    findings = []
    for finding in examine(load_config(find_config(config))):
        findings.append(finding)
        if not as_json:
            click.echo(f"{_MARKS[finding.level]}  {finding.what}: {finding.message}")
            if finding.hint:
                click.echo(f"        {finding.hint}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    sys.exit(1 if any(finding.level == "fail" for finding in findings) else 0)
