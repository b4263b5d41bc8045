"""README from the first line to the last, as a new user pastes it; its length and pictures."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.playground import Playground, wait_for

from manual.documents import README, SOURCE, blocks
from manual.session import Session, draw
from manual.test_pages import GATE, pasted

MADE = {
    "large",
    "stronger",
    "gentler",
    "own-colours",
    "draft",
    "in-time",
    "harbour-in-swirls",
    "sunflowers-in-swirls",
    "mixed",
    "sky-and-ground",
}
"""The results of the commands of README."""


def test_readme_is_short() -> None:
    """It is for a person who wants pictures; the rest is in the manual."""
    assert len(README.read_text().splitlines()) <= 200


def test_readme_has_the_line_that_passes_the_tests_as_ci_calls_it() -> None:
    """To the letter."""
    assert GATE in [block.text for block in blocks(README, "sh")]
    assert (SOURCE / ".ci" / "run").read_text().endswith(GATE)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_readme_can_be_pasted_from_the_first_line_to_the_last(playground: Playground) -> None:
    """Every picture that it speaks of is made; the samples are smaller than the real ones."""
    newcomer = Session(playground)
    left = newcomer.clone / "nstd-demo" / "inbox"  # by the demo, whose own test is elsewhere
    left.mkdir(parents=True)
    for sample in (SOURCE / "nstd" / "client" / "samples").glob("*.jpg"):
        with Image.open(sample) as picture:
            picture.reduce(3).save(left / sample.name)
    said = newcomer.paste([*(block.text for block in pasted(README)), "nstd run --once"])
    outbox = newcomer.home / "pictures" / "outbox"
    assert not (outbox / "failed").exists(), said
    made = {path.stem: path for path in outbox.glob("*/*.png")}
    assert set(made) == MADE
    assert (outbox / "stones" / "harbour" / "harbour.png").is_file()
    settings = {
        name: json.loads(path.with_suffix(".json").read_text())["settings"]
        for name, path in made.items()
    }
    assert (settings["large"]["size"], settings["draft"]["size"]) == (768, 512)
    assert settings["in-time"]["options"]["budget"] == 5


@pytest.mark.long
def test_a_daemon_in_a_second_terminal(playground: Playground) -> None:
    """It takes what is submitted in the first, and ends at Ctrl-C."""
    newcomer, root = Session(playground), playground.folder / "home" / "pictures"
    (line,) = (block.text for block in blocks(README, "sh") if block.text.startswith("nstd run"))
    setting = [". ~/../clone/.venv/bin/activate", "export NSTD_CONFIG=~/pictures"]
    newcomer.paste([*setting, "nstd init ~/pictures"])
    draw(root, "harbour.jpg", "mosaic.jpg")
    with newcomer.start(f"{setting[0]}; exec {line}") as daemon:
        wait_for((root / "work" / "daemon.json").exists, 120)
        newcomer.paste([*setting, "nstd submit harbour.jpg mosaic.jpg --wait"], root)
        daemon.send_signal(signal.SIGINT)
        daemon.communicate(timeout=120)
    assert daemon.returncode == 0
    assert (root / "outbox" / "harbour-in-mosaic" / "harbour-in-mosaic.png").is_file()


def shown() -> list[Path]:
    """The files of the pictures that README shows."""
    return [
        README.parent / name for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README.read_text())
    ]


def test_pictures_of_readme_exist_and_are_small() -> None:
    """Each is described for those who do not see it, by the text that is asked for above."""
    assert len(shown()) >= 6
    assert README.read_text().count("![") == len(shown())
    for path in shown():
        with Image.open(path) as picture:
            picture.load()
        assert path.stat().st_size < 150_000


@pytest.mark.slow
def test_readme_shows_what_the_demo_makes(tmp_path: Path) -> None:
    """Pictures of an earlier engine would be a promise that nobody keeps.

    Seen from afar: single strokes and stones lie elsewhere where a CPU computes in float32.
    """
    command = [sys.executable, "-m", "nstd", "demo", "demo"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=900)
    made = [path for path in shown() if "-in-" in path.name]
    assert made
    for path in made:
        today = tmp_path / "demo" / "outbox" / path.stem / f"{path.stem}.png"
        assert sides(path) == sides(today)
        assert np.abs(pixels(path) - pixels(today)).mean() < 7


def sides(path: Path) -> tuple[int, int]:
    """Its width and height."""
    with Image.open(path) as picture:
        return picture.size


def pixels(path: Path) -> Any:
    """Of 0 to 255, each the mean of a sixteenth of the sides of a picture of the demo."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((32, 24), Image.Resampling.BOX), np.float32)
