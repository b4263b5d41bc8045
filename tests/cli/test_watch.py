"""What `nstd status --watch` draws: at any width, with colours or without."""

from __future__ import annotations

import fcntl
import io
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Literal

import pytest
from rich.console import Console
from support.playground import Playground, everything_from, wait_for

from nstd.cli.watch import draw
from nstd.client.status_entries import EndedEntry, RunningEntry, Status, WaitingEntry
from nstd.outbox.record import Reason, Record
from nstd.queue.health import DeviceHealth
from nstd.queue.inbox_note import InboxNote
from nstd.queue.job import Job
from nstd.queue.progress import ProgressNote

EVIL = "x\n\x1b[2J[red]\u202e"


def job(name: str) -> Job:
    """A job that was submitted a moment ago."""
    about = {"folder": "", "sidecar": "a.yaml", "submitted": time.time() - 70, "claimed": 0.0}
    return Job(id="20261123-081500-3f9a1c", name=name, **about)


PROGRESS = ProgressNote(
    job="20261123-081500-3f9a1c",
    step=45,
    steps=100,
    level=2,
    levels=3,
    fraction=0.45,
    losses={"total": 0.0123456},
    elapsed=1.0,
    eta=80.2,
    memory=675_500_000,
    slot="cuda:0/0",
    time=0.0,
)
FULL = Status(
    root="/srv/nstd",
    pid=123,
    state="running",
    paused="no space to publish what is done",
    inbox_lost=True,
    devices=(
        DeviceHealth(device="cpu", state="up", slots=1, failures=0),
        DeviceHealth(device="cuda:0", state="up", slots=1, failures=0),
        DeviceHealth(device="cuda:1", state="down", slots=1, failures=3, retry_at=2_000_000_000),
    ),
    inbox=("a.yaml",),
    waiting=tuple(WaitingEntry(job(f"pier-{'scream' * 20}-{n}")) for n in range(40)),
    running=(
        RunningEntry(job("beach" * 20), "cuda:0/0", PROGRESS),
        RunningEntry(job(EVIL), "cpu/0"),
    ),
    done=10,
    failed=2,
    recent=(
        EndedEntry(Record(job="1", name="a", device="cpu"), f"{'b' * 60}/a"),
        EndedEntry(
            Reason(
                job="2",
                name=EVIL,
                code="picture_missing",
                message=f"never came{' for ages' * 40}\nmore",
            ),
            f"failed/{EVIL}",
        ),
    ),
    notes=(
        InboxNote(
            name="first.yaml",
            kind="waiting",
            message=f"waits for {EVIL!r}",
            since=time.time() - 70,
        ),
    ),
)
EMPTY = Status("/r", None, "not running")


def drawn(status: Status, width: int, height: int = 24, *, color: bool = True) -> str:
    """What a terminal of this size gets."""
    file = io.StringIO()
    system: Literal["standard"] | None = "standard" if color else None
    console = Console(
        file=file, width=width, height=height, force_terminal=True, color_system=system
    )
    console.print(draw(status, width, height))
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_the_width_and_says_all_that_matters(width: int) -> None:
    """No line is longer, none is broken; markup and control characters in names mean nothing."""
    text = drawn(FULL, width, color=False)
    assert all(len(line) <= width and line.isprintable() for line in text.split("\n"))
    assert "45%" in text
    assert "DONE 10, FAILED 2" in text
    assert "WAITING 40, in the inbox 1" in text
    if width >= 80:
        for words in (
            "cuda:0/0",
            "0.01235",
            "1m20s",
            "644MiB",
            "down after 3 failures",
            "starting",
        ):
            assert words in text
        assert "intake is paused: no space to publish" in text
        assert "the inbox cannot be read" in text
        assert "picture_missing: never came" in text
        assert "b/a  cpu" in text
        assert re.search(r"first.yaml \(for \S+\) waits for", text)
    if width >= 200:
        assert "45/100" in text
        assert "x\\n\\x1b[2J[red]\\u202e" in text
        assert "20261123-081500-3f9a1c" in text


@pytest.mark.parametrize("height", [24, 60])
def test_it_fits_the_height(height: int) -> None:
    """What waits is cut short, with a count, so that what has ended stays to be seen."""
    text = drawn(FULL, 80, height, color=False)
    assert len(text.splitlines()) <= height
    assert ("more" in text) is (height == 24)
    assert "failed " in text


def test_colours_add_nothing_that_the_words_do_not_say() -> None:
    """A device that is down and a job that has failed are so in words, too."""
    assert "\x1b[31m" in drawn(FULL, 80)
    plain = drawn(FULL, 80, color=False)
    assert "\x1b" not in plain
    assert "down after" in plain
    assert "failed" in plain


def test_nothing_yet() -> None:
    """A root where nothing has happened."""
    text = drawn(EMPTY, 80, color=False)
    assert "daemon not running" in text
    assert "WAITING 0, in the inbox 0" in text


def watched(
    playground: Playground, environment: dict[str, str], terminal: tuple[int, int], word: bytes
) -> tuple[bytes, int]:
    """What `status --watch` writes until it has said `word` twice, and ^C; its exit status."""
    ours, theirs = terminal
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", "status", "--watch", "-c", str(playground.config_path)],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    while seen.count(word) < 2:
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    seen += everything_from(ours)
    return seen, process.wait(timeout=120)


@pytest.mark.parametrize(("columns", "plain"), [(80, False), (200, False), (80, True)])
def test_the_command_draws_on_a_terminal(playground: Playground, columns: int, plain: bool) -> None:
    """It shows the running job, takes the terminal's width, and gives the screen back at ^C."""
    playground.start()
    playground.pair("beach", options={"steps": 5000, "pause": 0.02})
    wait_for(lambda: len(playground.events("job.progress")) > 1)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = playground.environment | {"TERM": "xterm"} | ({"NO_COLOR": "1"} if plain else {})
    environment.pop("COLUMNS", None)
    seen, status = watched(playground, environment, (ours, theirs), b"DEVICE")
    assert status == 1
    assert b"beach" in seen
    assert (b"SCALE" in seen) is (columns == 200)
    assert (re.search(rb"\x1b\[[39]\d", seen) is not None) is not plain
    assert b"\x1b[?1049l" in seen
    assert b"Traceback" not in seen


def test_on_a_dumb_terminal_looks_come_one_below_the_other(playground: Playground) -> None:
    """Without a single command to it."""
    environment = playground.environment | {"TERM": "dumb"}
    seen, _ = watched(playground, environment, os.openpty(), b"daemon not running")
    assert b"\x1b" not in seen
