"""`nstd submit --wait` follows jobs to their ends."""

from __future__ import annotations

import io
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image
from rich.console import Console
from support.playground import Playground, everything_from, wait_for

from nstd.cli import bars
from nstd.cli import wait as waiting
from nstd.client import follow
from nstd.client.follow import Followed, FollowedState
from nstd.client.submit import SubmitRequest, submit
from nstd.errors import StoreError
from nstd.outbox.record import Record


@pytest.fixture
def pair(playground: Playground) -> tuple[str, str]:
    """Two pictures of a person's own."""
    folder = playground.folder / "mine"
    folder.mkdir()
    for name, color in (("beach.png", "teal"), ("pier.png", "brown"), ("starry.png", "navy")):
        Image.new("RGB", (16, 12), color).save(folder / name)
    return ("mine/beach.png", "mine/starry.png")


@pytest.fixture
def daemon(playground: Playground) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that runs."""
    process = playground.start()
    yield process
    if process.poll() is None:
        playground.stop(process)


def submit_before_the_daemon(playground: Playground, *arguments: str) -> subprocess.Popen[str]:
    """A `submit --wait` that has told that no daemon runs, and waits for one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", "submit", "--wait", *arguments],
        env=playground.environment | {"NSTD_CONFIG": str(playground.config_path)},
        cwd=playground.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    while "no daemon runs" not in process.stderr.readline():
        pass
    return process


def test_wait_prints_where_the_picture_is(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """Alone on standard output, so a script can go on with it; the exit code is 0."""
    done = playground.command("submit", "--wait", *pair)
    assert done.returncode == 0, done.stderr
    path = playground.outbox / "beach-in-starry" / "beach-in-starry.png"
    assert done.stdout == f"{path}\n"
    with Image.open(path) as picture:
        picture.load()
    assert "\x1b" not in done.stderr


def test_wait_tells_why_a_job_has_failed(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """Exit code 1, the reason and its path; the other job's picture is printed all the same."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0), b"IDAT": b"no", b"IEND": b""}
    data = b"".join(  # every checksum is right: only a decoder sees that there are no pixels
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks.items()
    )
    (playground.folder / "mine" / "pier.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    done = playground.command("submit", "--wait", "mine/beach.png", "mine/pier.png", pair[1])
    assert done.returncode == 1
    assert "pier-in-starry: " in done.stderr
    assert "[picture_unreadable]" in done.stderr
    assert str(playground.outbox / "failed" / "pier-in-starry" / "reason.json") in done.stderr
    assert done.stdout.splitlines() == [
        str(playground.outbox / "beach-in-starry" / "beach-in-starry.png")
    ]


def test_wait_says_that_no_job_is_started_and_that_the_job_is_held(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """Each once; it goes on after the resume and the release."""
    assert playground.command("pause", "--reason", "a new disk").returncode == 0
    wait_for(lambda: playground.events("starts.paused"))
    said = playground.folder / "said"
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "nstd", "submit", "--wait", *pair],
            env=playground.environment | {"NSTD_CONFIG": str(playground.config_path)},
            stdout=subprocess.DEVNULL,
            stderr=file,
            cwd=playground.folder,
        )
    words = "no job is started: paused until `nstd resume` (a new disk); waiting"
    wait_for(lambda: words in said.read_text())
    wait_for(lambda: playground.events("job.claimed"))
    assert playground.command("hold", "beach-in-starry").returncode == 0
    wait_for(lambda: "held: `nstd release` lets it start" in said.read_text())
    assert said.read_text().count(words) == 1
    for command in (["resume"], ["release", "beach-in-starry"]):
        assert playground.command(*command).returncode == 0
    assert process.wait(timeout=120) == 0


def test_wait_says_that_the_daemon_has_gone(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """In the middle of the job; it goes on with the next daemon."""
    enough, said = playground.folder / "enough", playground.folder / "said"
    options = ("-o", "steps=100000", "-o", "pause=0.05", "-o", f"until={enough}")
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "nstd", "submit", "--wait", *pair, *options],
            env=playground.environment | {"NSTD_CONFIG": str(playground.config_path)},
            stdout=subprocess.DEVNULL,
            stderr=file,
            cwd=playground.folder,
        )
    wait_for(lambda: playground.events("job.started"))
    daemon.kill()
    daemon.wait()
    wait_for(lambda: "no daemon runs on this root" in said.read_text())
    enough.touch()
    playground.start()
    assert process.wait(timeout=120) == 0


def test_wait_follows_its_own_job_and_not_one_of_the_same_name(
    playground: Playground, pair: tuple[str, str]
) -> None:
    """Whatever the outbox and work hold already; the daemon may come later."""
    (playground.outbox / "beach-in-starry").mkdir()
    (playground.outbox / "beach-in-starry" / "beach-in-starry.json").write_text(
        '{"job": "20200101-000000-abcdef", "name": "beach-in-starry", "state": "finished"}'
    )
    process = submit_before_the_daemon(playground, *pair)
    assert playground.once().returncode == 0
    output, _ = process.communicate(timeout=120)
    assert output == f"{playground.outbox / 'beach-in-starry-2' / 'beach-in-starry-2.png'}\n"
    assert process.returncode == 0


def test_wait_ends_with_1_when_the_job_is_cancelled(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """By somebody else, in the middle of it."""
    canceller = threading.Thread(
        target=lambda: (
            wait_for(lambda: playground.events("job.progress")),
            playground.command("cancel", "beach-in-starry"),
        )
    )
    canceller.start()
    long = ("-o", "steps=5000", "-o", "pause=0.02")
    done = playground.command("submit", "--wait", *pair, *long)
    canceller.join()
    assert done.returncode == 1
    assert "[cancelled]" in done.stderr


@pytest.mark.parametrize("width", [60, 80, 200])
def test_bars_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long name is cut off; percentage and time stay whole, each below the other."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(bars, "Console", lambda **_: console)
    with bars.make_progress(visible=True) as progress:
        told = bars.describe("scale 2/3", {"total": 0.00123456}, 300.0)
        for name, note in (("beach" * 20, told), ("pier", bars.STARTING)):
            progress.add_task(name, total=10, completed=3, note=note)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    long, short = [line.rstrip() for line in plain.splitlines() if "30%" in line][-2:]
    assert len(long) == len(short) <= width
    assert long.index("30%") == short.index("30%")
    assert long.endswith("0:00:00")
    assert short.endswith("0:00:00")
    if width >= 80:
        assert "scale 2/3  loss 0.00123  5m left" in long
        assert bars.STARTING in short


@pytest.mark.long
def test_wait_draws_a_bar_on_a_terminal_and_ctrl_c_leaves_the_job(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """With step, loss and time left; the job goes on."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "nstd", "submit", "--wait", *pair),
            *("-o", "steps=300", "-o", "pause=0.05"),
        ],
        env=playground.environment
        | {"NSTD_CONFIG": str(playground.config_path), "TERM": "xterm", "COLUMNS": "120"},
        cwd=playground.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    wait_for(lambda: len(playground.events("job.progress")) > 3)
    process.send_signal(signal.SIGINT)
    seen = everything_from(ours)
    assert process.wait(timeout=120) == 1
    assert b"beach-in-starry" in seen
    assert b"loss" in seen
    assert b"left" in seen
    assert b"Traceback" not in seen
    wait_for(lambda: playground.events("job.finished"))


def test_a_job_is_followed_through_every_place(
    playground: Playground, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inbox, waiting, finished; one that somebody takes away is nowhere."""
    pictures = [playground.folder / name for name in pair]
    config = playground.config
    request = SubmitRequest(pictures[:1], str(pictures[1]), ["backend=color-transfer"])
    (submitted,) = submit(config, request)
    followed = Followed(config, submitted)
    assert followed.read_state().state == "inbox"
    playground.once()
    state = Followed(config, submitted).read_state()
    assert (state.state, followed.read_state().state) == ("finished", "finished")
    assert state.picture.is_file()
    (submitted,) = submit(config, request)
    followed = Followed(config, submitted)
    submitted.sidecar.unlink()
    assert followed.read_state().state == "waiting"
    monkeypatch.setattr(follow, "PATIENCE", 0.0)
    with pytest.raises(StoreError, match="neither in the inbox"):
        followed.read_state()


def test_wait_follows_a_batch(
    playground: Playground, daemon: subprocess.Popen[bytes], pair: tuple[str, str]
) -> None:
    """Its pictures on standard output, one a line; why others failed, and the sheet, beside it."""
    grid = ("--grid", "mine/beach.png", "mine/pier.png", pair[1], "--name", "studies")
    done = playground.command("submit", "--wait", *grid)
    assert done.returncode == 0, done.stderr
    folder = playground.outbox / "studies"
    assert done.stdout.splitlines() == [
        str(folder / f"{name}-starry" / f"{name}-starry.png") for name in ("beach", "pier")
    ]
    assert f"contact sheet: {folder / 'sheet.png'}" in done.stderr
    done = playground.command("submit", "--wait", *grid, "-o", "act=raise,none")
    assert done.returncode == 1
    assert done.stderr.count("[backend_failed]") == 2
    assert len(done.stdout.splitlines()) == 2
    assert str(playground.outbox / "failed" / "studies-2" / "beach-starry-raise") in done.stderr


def test_wait_tells_that_a_grid_was_refused(playground: Playground, pair: tuple[str, str]) -> None:
    """By the daemon, whose config may have changed since."""
    grid = ("--grid", "mine/beach.png", "mine/pier.png", pair[1], "--name", "studies")
    process = submit_before_the_daemon(playground, *grid)
    playground.configure(jobs={"grid_max": 1})
    playground.once()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "[grid_too_large]" in errors


def test_in_a_pipe_something_is_said_every_few_seconds(
    playground: Playground,
    pair: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whenever the state changes, and while it stays the same; in a pipe nothing draws bars."""
    submitted = submit(
        playground.config,
        SubmitRequest(
            (playground.folder / pair[0],),
            str(playground.folder / pair[1]),
            ("backend=color-transfer",),
        ),
    )
    looks = [FollowedState("inbox")] * 3 + [
        FollowedState("running", share / 10) for share in range(10)
    ]
    looks.append(FollowedState("finished", path=playground.folder / "beach.json", end=Record()))
    monkeypatch.setattr(Followed, "read_state", lambda self: looks.pop(0))
    monkeypatch.setattr(waiting, "_POLL", 0.02)
    monkeypatch.setattr(waiting, "_EVERY", 0.06)
    assert waiting.wait(playground.config, submitted)
    told = [line for line in capsys.readouterr().err.splitlines() if "beach-in-starry" in line]
    assert "in the inbox" in told[0]
    assert "0%" in told[1] or "0%" in told[2]
    assert 4 <= len(told) < 14
