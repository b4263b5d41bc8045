"""`nstd submit`: puts pairs into the inbox."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nstd.cli.app import NO_DAEMON, config_option

if TYPE_CHECKING:
    from nstd.client.submit import SubmitRequest


class _Content(click.Path):
    """A picture, a film, a folder of the frames of one, or one frame, like `clip.mp4#0`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; the number of a frame stays at its end."""
        from nstd.client.film_check import file_of

        super().convert(file_of(Path(value)), param, ctx)
        return Path(value)


_CONTENT = _Content(exists=True, readable=True)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)
_OUTPUT = ("size", "format", "frames", "every", "fps")
"""Keys of `output` that have options of their own."""


@click.command("submit")
@config_option
@click.argument("contents", metavar="CONTENT...", type=_CONTENT, nargs=-1)
@click.argument("style")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any key of the sidecar, like output.size=1024 or options.preset=fine.",
)
@click.option(
    "--size", metavar="PIXELS", help="Longest side of the picture: -o output.size=PIXELS."
)
@click.option("--format", help="Format of the result, like jpg or mp4: -o output.format=FORMAT.")
@click.option("--frames", metavar="RANGE", help="Only these frames of a film: 24..240.")
@click.option("--every", metavar="COUNT", help="Only every second, third ... frame of a film.")
@click.option("--fps", metavar="COUNT", help="So many frames of a film in a second.")
@click.option(
    "--grid", is_flag=True, help="One batch: a job of each combination, and a contact sheet."
)
@click.option(
    "--style",
    "styles",
    multiple=True,
    metavar="STYLE",
    help="A style; several are mixed, or with --grid each makes jobs of its own. Then all that "
    "stands before is CONTENT.",
)
@click.option("--name", help="Name of the sidecar and the result; CONTENT-in-STYLE by default.")
@click.option("--init", type=_FILE, help="A picture to start at instead of the content.")
@click.option("--series", is_flag=True, help="Make the results of several contents look alike.")
@click.option("--wait", is_flag=True, help="Follow the jobs, and print where the pictures are.")
def command(config: Path | None, wait: bool, **given: Any) -> None:
    """Copy each CONTENT and the STYLE into the inbox, then a sidecar for each, atomically.

    A CONTENT is a picture, a film, or a folder of the frames of a film. STYLE is a picture file, or
    the name of a style in the library. Both can be one frame of a film, like starry.gif#0. With
    --wait the exit code is 1 when a job has failed; ^C ends the waiting, and not the job.

    With --grid there is one sidecar and a job of each CONTENT in each STYLE with each value of
    each option, such as `-o style_weight=0.5,1,2`.
    """
    from nstd.client.submit import submit
    from nstd.documents.config import find_config, load_config
    from nstd.errors import printable
    from nstd.system.layout import LOCK
    from nstd.system.lock import holder

    request = _request(**given)
    settings = load_config(find_config(config))
    submitted = submit(settings, request)
    if len(request.contents) > 1 or given["styles"]:
        click.echo(printable(request.summary), err=True)
    for each in submitted:
        click.echo(f"submitted {each.sidecar}", err=wait)
    if not wait and holder(settings.folder("work") / LOCK) is None:
        click.echo(NO_DAEMON, err=True)
    if wait:
        from nstd.cli import wait as waiting

        sys.exit(0 if waiting.wait(settings, submitted) else 1)


def _request(
    contents: tuple[Path, ...],
    style: str,
    styles: tuple[str, ...],
    options: tuple[str, ...],
    **others: Any,
) -> SubmitRequest:
    """The request that the arguments describe. Raises UsageError if they contradict each other."""
    from nstd.client.submit import SubmitRequest

    if not contents and not styles:
        raise click.UsageError("Missing argument 'STYLE': say CONTENT and STYLE")
    if styles:  # then the last argument is a content too
        contents = (*contents, _CONTENT.convert(style, None, click.get_current_context()))
        style = styles[0]
    if others["name"] is not None and len(contents) > 1 and not others["grid"]:
        raise click.UsageError("--name names one job, and there are several contents")
    said = [(key, others.pop(key)) for key in _OUTPUT]
    options = (*options, *(f"output.{key}={value}" for key, value in said if value is not None))
    return SubmitRequest(contents, style, options, more_styles=styles[1:], **others)
