"""`nstd help`: the pages in the terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from support.playground import Playground, everything_from
from support.tables import table

from manual.documents import MANUAL, PAGES, README, blocks
from nstd.cli.help import TOPICS, render


def test_help_lists_every_page(playground: Playground) -> None:
    """With what it is about; README links to each."""
    said = playground.command("help").stdout
    assert re.findall(r"^  (\w+)  ", said, re.MULTILINE) == list(TOPICS)
    assert sorted(TOPICS) == [path.stem for path in PAGES]
    for topic in TOPICS:
        assert f"](nstd/manual/{topic}.md)" in README.read_text()


@pytest.mark.parametrize("topic", TOPICS)
def test_no_link_is_shown_with_its_raw_target(topic: str) -> None:
    """A place on the same page is only named."""
    shown = render((MANUAL / f"{topic}.md").read_text())
    assert "](" not in shown
    assert not re.search(r"\(#[a-z-]+\)", shown)


def test_help_shows_a_page_as_plain_text_where_there_is_no_terminal(playground: Playground) -> None:
    """Nothing but text, no longer than a line of a screen."""
    done = playground.command("help", "sidecar")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The sidecar" in done.stdout
    assert "content: beach.jpg" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_shows_a_page_in_a_pager_on_a_terminal(playground: Playground) -> None:
    """The one that the person has chosen."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "nstd", "help", "log"],
        env=playground.environment | {"TERM": "xterm", "PAGER": "sed s/^/paged:/"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = everything_from(ours).decode()
    assert done.wait(timeout=60) == 0
    assert "paged:" in seen
    assert "daemon.started" in seen


@pytest.mark.parametrize("topic", TOPICS)
def test_code_and_tables_are_shown_whole(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal too: code can be copied, and no word of a table is cut off."""
    monkeypatch.setenv("COLUMNS", "60")
    path = MANUAL / f"{topic}.md"
    shown = re.sub(r"\x1b\[[\d;]*m", "", render(path.read_text())).splitlines()
    code = [
        text for language in ("sh", "yaml", "ini", "text", "") for text in blocks(path, language)
    ]
    for block in code:
        assert set(block.text.splitlines()) <= set(shown), block.text
    assert "…" not in "".join(shown)


@table("topic", TOPICS)
def test_links_become_what_a_person_can_type(topic: str) -> None:
    """The command that shows the other page, or the path of a file; comments do not show."""
    text = re.sub(r"\x1b\[[\d;]*m", "", render((MANUAL / f"{topic}.md").read_text()))
    assert "](" not in text
    assert ".md" not in text.replace("CHANGELOG.md", "").replace("CONTRIBUTING.md", "")
    assert "<!--" not in text
    named = set(re.findall(r"nstd\s+help\s+([a-z]\w*)", text))
    assert named <= set(TOPICS)


def test_help_of_a_command_is_its_options(playground: Playground) -> None:
    """The same as with `--help`."""
    said = playground.command("help", "submit").stdout
    assert said == playground.command("submit", "--help").stdout


def test_help_of_what_there_is_not_names_what_was_meant(playground: Playground) -> None:
    """And is a wrong command line."""
    done = playground.command("help", "sidcar")
    assert done.returncode == 2
    assert "did you mean 'sidecar'?" in done.stderr


def test_help_of_what_there_is_not_lists_the_pages(playground: Playground) -> None:
    """Whether anything is near or not."""
    done = playground.command("help", "nosuch")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "the pages are" in line]
    assert line.removeprefix("the pages are ").split(", ") == [*TOPICS]
