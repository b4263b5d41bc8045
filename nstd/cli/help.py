"""`nstd help`: the pages of the manual, which are Markdown files in `nstd/manual`."""

from __future__ import annotations

import io
import re
import shutil
from importlib.resources import files
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from nstd.cli.app import app
from nstd.errors import did_you_mean, nearest

TOPICS = {
    "sidecar": "the small file that describes a job: every key, masks, series, grids",
    "folders": "a recipe for all pictures that come into a folder",
    "styles": "strength, colours and presets; the networks, and the theory behind them",
    "film": "films and animations: what is read, what comes out, and in which formats",
    "results": "what is in the outbox, and the gallery",
    "commands": "every command, exit codes, shell completion",
    "compare": "compare settings on your own pictures; measure speed and memory",
    "service": "run nstd under systemd: install, rights, GPU, hooks, upgrade, uninstall",
    "container": "run nstd in a container: build, start, health, GPUs",
    "monitoring": "what to watch: alerts, jq, the journal, Prometheus, Grafana",
    "log": "every event of the log, and every error code",
    "cluster": "run the jobs on several machines, and how far that goes",
    "backend": "write a backend of your own",
    "design": "how it works: a job's way and states, and what is promised",
}
"""The pages, in the order in which they are listed."""

MANUAL = Path(str(files("nstd"))) / "manual"
WIDTH = 100  # columns at most: longer lines are hard to read
_LINK = re.compile(r"\[([^]]+)\]\(([^)#]*)[^)]*\)")


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    found = [topic for topic in TOPICS if topic.startswith(incomplete)]
    return [CompletionItem(topic, help=TOPICS[topic]) for topic in found]


@click.command("help")
@click.argument("topic", required=False, shell_complete=_complete)
@click.pass_context
def command(context: click.Context, topic: str | None) -> None:
    """Show the page TOPIC of the manual, or the options of a command; without TOPIC, list them."""
    if topic is None:
        _list_topics()
    elif topic in TOPICS:
        click.echo_via_pager(render((MANUAL / f"{topic}.md").read_text(encoding="utf-8")))
    elif found := app.get_command(context, topic):
        click.echo(found.get_help(click.Context(found, context.parent, info_name=topic)))
    else:
        known = [*TOPICS, *app.list_commands(context)]
        meant = did_you_mean(nearest(topic, known))
        pages = f"the pages are {', '.join(TOPICS)}"
        message = f"there is no page and no command '{topic}'{meant}\n{pages}"
        raise click.UsageError(message, context)


def _list_topics() -> None:
    click.echo("Pages of the manual, shown by `nstd help TOPIC`:\n")
    for topic, text in TOPICS.items():
        click.echo(f"  {topic:12}{text}")
    click.echo("\n`nstd help COMMAND` shows the options of a command; `nstd --help` lists those.")


def render(text: str) -> str:
    """A page as text for a terminal, as wide as the terminal, with colours as escape codes."""
    from rich.console import Console

    from nstd.cli.markdown import ManualPage

    width = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    with console.capture() as capture:
        console.print(ManualPage(_LINK.sub(_in_terminal, text), hyperlinks=False), crop=False)
    return capture.get()


def _in_terminal(link: re.Match[str]) -> str:
    """A link as text, with the command that shows a page, the path of a file, or the address."""
    text, target = link.groups()
    if not target:  # a place on the same page
        return text
    if "://" in target:
        return f"{text} ({target})"
    path = Path(target)
    if path.suffix == ".md":
        return f"{text} (`nstd help {path.stem}`)"
    return f"{text} (`{(MANUAL / path).resolve()}`)"
