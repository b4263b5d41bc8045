"""`nstd notify`: sends the notices that the daemon has written."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from nstd.cli.app import config_option
from nstd.documents.config import find_config, load_config
from nstd.errors import printable
from nstd.queue.notices import Notice, NoticeFolder
from nstd.system.durable import Files
from nstd.system.layout import NOTICES


@click.command("notify")
@config_option
@click.option("--once", is_flag=True, help="Send what waits now, then end; 1 if that fails.")
@click.option("--test", is_flag=True, help="Send a notice that says it is a test, and end.")
@click.option(
    "--notices",
    type=click.Path(path_type=Path),
    help="The folder of the notices; else .notices in the folder work.",
)
def command(config: Path | None, once: bool, test: bool, notices: Path | None) -> None:
    """Send notices of the daemon, as `notify` in the config says, until it is ended.

    The daemon itself has no network. Secrets are credentials of systemd, or variables: see `nstd
    help service`.
    """
    from nstd.client.notify.channels import SendError, make_channels  # the daemon needs none
    from nstd.client.notify.sender import NoticeSender

    settings = load_config(find_config(config))
    channels = make_channels(settings.notify)
    if test:
        notice = Notice(root=printable(os.fspath(settings.root)), time=time.time())
        for channel in channels:
            try:
                channel.send(notice)
            except SendError as error:
                click.echo(f"nstd: {channel.name}: not sent: {printable(str(error))}", err=True)
                if error.hint:
                    click.echo(f"      {error.hint}", err=True)
                sys.exit(1)
            click.echo(f"{channel.name}: sent: {printable(notice.title)}")
        return
    folder = NoticeFolder(notices or settings.folder("work") / NOTICES, Files())
    sender = NoticeSender(folder, channels, lambda line: click.echo(line, err=True))
    if not once:
        sender.run()
    sys.exit(0 if sender.send_all() else 1)
