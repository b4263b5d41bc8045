"""The backend of the manual, about 25 lines, to the letter: built, installed, listed and run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.playground import Playground

from manual.documents import page


def block(name: str) -> str:
    """The fenced block that is marked as the file `name`."""
    marked = re.search(
        rf"<!-- backend: {re.escape(name)} -->\n```\w+\n(.*?)```\n", page("backend"), re.DOTALL
    )
    assert marked is not None, f"the page has no block for {name}"
    return marked[1]


@pytest.fixture
def installed(playground: Playground, tmp_path: Path) -> Playground:
    """A playground beside which pip has installed the distribution of the manual."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("posterize.py", "pyproject.toml"):
        (source / name).write_text(block(name))
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", playground.site, source],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return playground


def test_it_is_listed_and_makes_pictures(installed: Playground) -> None:
    """Four flat tones from the style, at the size of the content; wrong options are refused."""
    listed = installed.command("backends")
    assert re.search(r"posterize.*ok", listed.stdout), listed.stdout + listed.stderr
    Image.linear_gradient("L").convert("RGB").save(installed.inbox / "content.png")
    installed.pair("beach", backend="posterize", options={"tones": 3})
    installed.pair("wrong", backend="posterize", options={"tones": 1})
    installed.pair("unknown", backend="posterize", options={"tone": 3})
    assert installed.once().returncode == 0
    with Image.open(installed.outbox / "beach" / "beach.png") as picture:
        assert picture.size == (256, 256)
        assert len(picture.convert("RGB").getcolors() or []) == 3
    assert installed.record("beach")["settings"]["options"] == {"tones": 3}
    assert installed.events("job.finished")[0]["steps"] == 3
    assert installed.reason("wrong")["code"] == "options_invalid"
    assert "tones" in installed.reason("unknown")["message"]


def test_it_is_as_short_as_it_looks() -> None:
    """A person reads it on one screen."""
    lines = [line for line in block("posterize.py").splitlines() if line.strip()]
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
