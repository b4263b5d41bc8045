"""`nstd run`: the daemon."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path
from typing import Any

import click

from nstd.cli.app import config_option
from nstd.logs.console import STDERR

_OVERRIDES = {
    "watch_mode": "watch.mode",
    "settle": "watch.settle",
    "devices": "devices",
    "log_level": "log.level",
    "console": "log.console",
}


@click.command("run")
@config_option
@click.option("--once", is_flag=True, help="Work off what is in the inbox, then exit 0.")
@click.option("--watch-mode", type=click.Choice(["auto", "events", "poll"]))
@click.option("--settle", help="How long a file must not change, like 5s.")
@click.option("--devices", help="auto, or a list like cuda:0,cpu.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option("--console", type=click.Choice(["auto", "text", "json", "none"]))
def command(config: Path | None, once: bool, **given: Any) -> None:
    """Watch the inbox and make the pictures. Options override the config."""
    from nstd.system.init_process import continue_in_child

    continue_in_child()
    faulthandler.enable(STDERR)  # systemd's watchdog ends us by SIGABRT: show where we hung
    from nstd.cli.bars import Bars, on_terminal
    from nstd.cli.lines import SHOWN_EVENTS, Lines
    from nstd.daemon.daemon import Daemon
    from nstd.documents.config import find_config, load_config

    if given["devices"] not in {None, "auto"}:
        given["devices"] = given["devices"].split(",")
    overrides = {_OVERRIDES[key]: value for key, value in given.items() if value is not None}
    path = find_config(config)
    settings = load_config(path, overrides)
    is_seen = settings.log.console == "auto" and on_terminal()
    if is_seen:  # bars, and a line for what matters, instead of the log
        overrides["log.console"] = "none"
        settings = load_config(path, overrides)
    daemon = Daemon(settings, once=once, reload=lambda: load_config(path, overrides))
    if not is_seen:
        sys.exit(daemon.run())
    with Bars(visible=True, lines=Lines(SHOWN_EVENTS), keep=False):
        status = daemon.run()
    sys.exit(status)
