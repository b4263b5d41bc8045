"""`nstd check`: sidecars are validated without a run."""

from __future__ import annotations

import os

import pytest
from support import Playground

GOOD = "content: beach.jpg\nstyle: starry.jpg\n"


def test_check_says_where_and_what_was_meant(playground: Playground) -> None:
    """File, line, column, what is wrong and the nearest right key; exit 1."""
    (playground.folder / "a.yaml").write_text("content: a.jpg\nstlye: b.jpg\noutput: {size: big}\n")
    done = playground.command("check", "a.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "a.yaml:2:1: unknown key 'stlye'; did you mean 'style'?",
        "a.yaml:3:16: size: expected a whole number, got 'big'",
    ]
    assert done.stderr == ""


def test_check_goes_on_after_a_wrong_file(playground: Playground) -> None:
    """Every file is answered; one that is wrong decides the exit code."""
    (playground.folder / "good.yaml").write_text(GOOD)
    (playground.folder / "bad.yaml").write_text("content: [\n")
    done = playground.command("check", "bad.yaml", "absent.yaml", "good.yaml")
    assert done.returncode == 1
    bad, absent, good = done.stdout.splitlines()
    assert bad.startswith("bad.yaml:")
    assert absent == "absent.yaml: No such file or directory"
    assert good == "good.yaml: fine"
    assert playground.command("check", "good.yaml").returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("backend: pupet\n", "did you mean puppet?"),
        ("backend: gatys\noptions: {presett: fine}\n", "did you mean 'preset'?"),
        ("options: {step: 3}\n", "did you mean 'steps'?"),
    ],
)
def test_check_asks_the_backend_too(playground: Playground, text: str, words: str) -> None:
    """An unknown backend, and options that the backend refuses, are found without a run."""
    (playground.folder / "a.yaml").write_text(GOOD + text)
    done = playground.command("check", "a.yaml")
    assert words in done.stdout
    assert done.returncode == 1


def test_check_needs_no_config(playground: Playground) -> None:
    """Where there is none, the defaults count."""
    (playground.folder / "a.yaml").write_text(GOOD)
    done = playground.command("check", "a.yaml", env={"NSTD_CONFIG": ""})
    assert (done.returncode, done.stdout) == (0, "a.yaml: fine\n")


def test_check_survives_odd_files(playground: Playground) -> None:
    """Folders, FIFOs and names that are no text are answered, not opened or choked on."""
    (playground.folder / "folder.yaml").mkdir()
    os.mkfifo(playground.folder / "fifo.yaml")
    odd = playground.folder / os.fsdecode(b"\xff\n.yaml")
    odd.write_text("content: [\n")
    done = playground.command("check", "folder.yaml", "fifo.yaml", str(odd))
    assert done.returncode == 1, done.stderr
    assert "'folder.yaml' is a folder" in done.stdout
    assert "'fifo.yaml' is a FIFO" in done.stdout
    assert "/\\xff\\n.yaml:2:1:" in done.stdout
