"""Every command of README is run by a test: here, or in the one that the table below names."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image
from readme_tables import README
from support.playground import Playground

from nstd.cli.app import app

TESTS = Path(__file__).parent
FIRST_MINUTES = (
    "nstd init ROOT",
    "nstd run -c ROOT/config.yaml",
    "export NSTD_CONFIG=ROOT/config.yaml",
    "nstd submit beach.jpg starry.jpg",
    "nstd status --watch",
)
_INSTALL = "python3 -m venv .venv && .venv/bin/pip install"
ELSEWHERE = {
    f"{_INSTALL} . && .venv/bin/nstd demo": "test_cli_demo.py::test_demo_as_people_run_it",
    "nstd networks install vgg19": "test_cli_lists.py::test_networks_installs_a_trusted_file",
    "nstd submit beach.jpg starry.jpg -o network=vgg19": (
        "test_cli_submit.py::test_submit_takes_any_key_of_the_sidecar_and_of_the_options"
    ),
    "nstd bench quality PAIRS_DIR --vary preset=draft,normal --vary content_weight=0.05,0.2 "
    "--size 512": "test_cli_bench.py::test_each_variant_of_each_pair_is_made_and_measured",
    "nstd bench quality PAIRS_DIR --compare before=old/pictures/nstd --judge ./judge.py "
    "--out new": "test_cli_bench.py::test_judge_is_asked_about_every_picture",
    "nstd bench speed": "test_bench_speed.py::test_the_command_prints_json_for_machines",
    "nstd bench large": "test_bench_speed.py::test_large_pictures_in_a_table_or_as_json",
    'eval "$(_NSTD_COMPLETE=bash_source nstd)"': (
        "test_completion.py::test_the_line_of_the_readme_makes_bash_complete"
    ),
    f"{_INSTALL} -e '.[dev]' && .venv/bin/python -m tests": "../.ci/run",
}
SYSTEM = "Run it as a service", "Watch the service"
"""Sections whose commands change the machine, or are run by `test_readme_watch.py`."""


def commands() -> list[tuple[str, str]]:
    """Every command of the shell blocks, without its comment, and the section that it is in."""
    found = []
    for section in re.split(r"^## ", README.read_text(), flags=re.MULTILINE):
        title = section.split("\n", 1)[0]
        for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL):
            lines = [re.sub(r"\s+# .*|^#.*", "", line) for line in block.splitlines()]
            found += [(title, line.strip()) for line in lines if line.strip()]
    return found


def invocations() -> list[str]:
    """The arguments of every `nstd` in a command, and those that follow it in the tables."""
    text = " && ".join(line for _, line in commands() if not line.startswith(("jq", "cat")))
    words = re.findall(r"(?:^|[\s/])nstd ((?!&&|prom|alice)[a-z][^&|]*)", text)
    return [each.strip() for each in words]


def test_each_command_is_run_by_a_test() -> None:
    """A new one in README has to be added here, with what runs it."""
    known = {*FIRST_MINUTES, *ELSEWHERE}
    told = [
        line for title, line in commands() if title not in SYSTEM and not line.startswith("jq ")
    ]
    assert [line for line in told if line not in known] == []
    assert known <= set(told)
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text() if name else (TESTS / file).exists()


@pytest.mark.parametrize("arguments", sorted(set(invocations())))
def test_each_command_line_is_one_that_the_command_takes(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that are not run as they stand: every option and argument is known."""
    monkeypatch.chdir(tmp_path)
    for picture in ("beach.jpg", "starry.jpg"):
        (tmp_path / picture).write_bytes(b"")
    (tmp_path / "PAIRS_DIR").mkdir()
    (tmp_path / "old" / "pictures" / "nstd").mkdir(parents=True)
    command: click.Command = app
    context = click.Context(app, info_name="nstd")
    rest = arguments.split()
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(str(command.name), rest, parent=context.parent)


def test_the_first_minutes_to_the_letter(playground: Playground) -> None:
    """A root, a daemon, a submitted pair and a look at it, as README has them in this order."""
    assert [line for _, line in commands()][1:6] == list(FIRST_MINUTES)
    folder = playground.folder
    for name, color in (("beach.jpg", "teal"), ("starry.jpg", "navy")):
        Image.new("RGB", (48, 32), color).save(folder / name)
    (folder / "bin").mkdir()
    program = folder / "bin" / "nstd"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nstd "$@"\n')
    program.chmod(0o755)
    path = f"{folder / 'bin'}:/usr/bin:/bin"
    environment = playground.environment | {"PATH": path}
    init, run, *rest = FIRST_MINUTES

    def start(line: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    with start(init) as made:
        assert made.wait(timeout=120) == 0
    with start(f"exec {run}") as daemon, start("\n".join(rest)) as look:
        assert look.stdout
        picture = folder / "ROOT" / "outbox" / "beach-in-starry" / "beach-in-starry.png"
        while "finished" not in look.stdout.readline():
            assert look.poll() is None
        assert picture.is_file()
        for process in (look, daemon):
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
    assert daemon.returncode == 0


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
    made = [path for path in shown() if path.parent.name == ".readme"]
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
