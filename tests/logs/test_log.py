"""The log: on disk, on standard error, in the job's folder; and what befalls it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars
from support.playground import Playground, everything_from, wait_for

from nstd.documents.report_settings import LogSettings
from nstd.logs.log import Logging, emit, keep_job_log, listen, log_bug
from nstd.logs.reader import has_ended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "logs"


def logging_to(folder: Path, **settings: Any) -> Logging:
    """A log of its own, quiet on standard error."""
    return Logging(folder, LogSettings(**{"console": "none", **settings}))


@pytest.fixture
def log(folder: Path) -> Iterator[Logging]:
    """A log with the default settings."""
    log = logging_to(folder)
    yield log
    log.close()


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log file, parsed as strictly as any other program may."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def tell(number: int = 0, **fields: Any) -> None:
    """Emit some event."""
    emit("job.requeued", **{"job": f"j{number}", "reason": "stopped"} | fields)


# What a line is


def test_a_line_begins_with_time_level_event_and_job(log: Logging, folder: Path) -> None:
    """The fields of a line stand in the order of the table, whatever the call's order was."""
    emit("job.requeued", reason="stopped", job="j1")
    (line,) = lines(folder / "nstd.jsonl")
    assert list(line) == ["timestamp", "level", "event", "job", "reason"]
    assert line["timestamp"].endswith("Z")


def test_a_line_is_one_line_of_strict_json(log: Logging, folder: Path) -> None:
    """Newlines, undecodable bytes and numbers that are none cannot break or forge a line."""
    name = 'a\nb\x1b[2J\udcff"}{'
    emit("inbox.waiting", sidecar=name, missing=[name])
    emit(
        "job.progress",
        **{"job": "j", "slot": "s", "step": 1, "steps": 2, "scale": "1/1", "fraction": 0.5},
        **{"losses": {"total": float("nan")}, "elapsed": float("inf"), "eta": None},
    )
    first, second = lines(folder / "nstd.jsonl")
    assert first["sidecar"] == 'a\nb\x1b[2J\\udcff"}{'
    assert second["losses"] == {"total": None}
    assert second["elapsed"] is None


class NamelessError(Exception):
    """An error of a plug-in that has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class VoicelessError(Exception):
    """An error of a plug-in whose text is None."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307 - what plug-ins do


ODD = {
    "surrogate": ("a\ud800b", "a\\ud800b"),
    "undecodable": ("a\udcffb", "a\\udcffb"),
    "bytes": (b"\xff", "b'\\xff'"),
    "error": (ValueError("a\ud800"), "a\\ud800"),
    "nameless": (NamelessError(), "<NamelessError without a text>"),
    "voiceless": (VoicelessError(), "<VoicelessError without a text>"),
    "group": (ExceptionGroup("two", [NamelessError(), OSError()]), "two (2 sub-exceptions)"),
    "path": (Path("a\udcff"), "a\\udcff"),
    "infinity": (float("-inf"), None),
    "huge": (10**5000, "<int without a text>"),
    "set": ({"a\ud800"}, ["a\\ud800"]),
    "nested": ([("x", {"y": NamelessError()})], [["x", {"y": "<NamelessError without a text>"}]]),
}
"""What plug-ins and disks may hand over, and what is written of it."""


@pytest.mark.parametrize("odd", ODD)
def test_no_value_makes_a_line_that_cannot_be_written(log: Logging, folder: Path, odd: str) -> None:
    """Neither as a value nor deep inside one; the event that ends a job is durable all the same."""
    value, written = ODD[odd]
    emit("intake.paused", reason=value)
    end("j1", message=value, hint={"deep": [value]})
    paused, failed = lines(folder / "nstd.jsonl")
    assert paused["reason"] == failed["message"] == written
    assert failed["hint"] == {"deep": [written]}
    assert has_ended(folder, "j1")


def test_no_key_makes_a_line_that_cannot_be_written(log: Logging, folder: Path) -> None:
    """The losses of a plug-in have names of its own, which need not be texts."""
    emit("intake.paused", reason={"a\udcff": 1, 2: 3, NamelessError: {None: 4}})
    (line,) = lines(folder / "nstd.jsonl")
    assert list(line["reason"]) == ["a\\udcff", "2", str(NamelessError)]
    assert line["reason"][str(NamelessError)] == {"None": 4}


@pytest.mark.parametrize("error", [NamelessError(), VoicelessError(), ValueError("a\ud800")])
def test_an_error_without_a_text_is_told_like_any_other(
    log: Logging, folder: Path, error: Exception
) -> None:
    """The loop of the daemon tells of it and goes on."""
    log_bug(error)
    (line,) = lines(folder / "nstd.jsonl")
    assert type(error).__name__ in line["error"]
    assert type(error).__name__ in line["traceback"]


# What is bound


def test_a_line_bears_what_is_bound_around_it_as_far_as_its_event_has_it(
    log: Logging, folder: Path
) -> None:
    """The job and the slot are said once, around all that is done about them."""
    with bound_contextvars(job="j1", slot="cpu/0", device="cpu"):
        emit("job.requeued", reason="stopped")
        emit("device.up")
        emit("watch.degraded", reason="r")
        with bound_contextvars(job="j2"):
            emit("job.requeued", reason="stopped")
        emit("job.requeued", job="j3", reason="stopped")
    requeued, device, watch, inner, given = lines(folder / "nstd.jsonl")
    assert list(requeued) == ["timestamp", "level", "event", "job", "slot", "reason"]
    assert (requeued["job"], requeued["slot"]) == ("j1", "cpu/0")
    assert list(device) == ["timestamp", "level", "event", "device"]
    assert list(watch) == ["timestamp", "level", "event", "reason"]
    assert (inner["job"], given["job"]) == ("j2", "j3")
    with pytest.raises(TypeError, match="job"):
        emit("job.requeued", reason="stopped")


def test_text_for_a_terminal_cannot_be_forged(playground: Playground) -> None:
    """A folder's name with a newline and terminal commands in it stays on the line of its job."""
    folder = "x\n2026 [error] forged \x1b[2J"
    playground.pair(f"{folder}/beach")
    done = playground.once("--console", "text")
    assert playground.ended() == 1
    assert "\x1b" not in done.stderr
    assert not any(line.startswith("2026 [error] forged") for line in done.stderr.splitlines())


# Levels, job logs, listeners


def test_the_level_keeps_lesser_events_out_of_the_file(folder: Path) -> None:
    """`log.level: warning` keeps warnings and errors; what listens in the process hears all."""
    log, heard = logging_to(folder, level="warning"), []
    unlisten = listen(lambda event, line: heard.append(event))
    tell()
    emit("watch.degraded", reason="r")
    unlisten()
    tell()
    log.close()
    assert [line["event"] for line in lines(folder / "nstd.jsonl")] == ["watch.degraded"]
    assert heard == ["job.requeued", "watch.degraded"]


def test_the_lines_of_a_job_are_in_its_own_log_too(
    log: Logging, folder: Path, tmp_path: Path
) -> None:
    """A job's log has the job's lines, as long as it is kept, and no other's."""
    path = tmp_path / "job.log"
    keep_job_log("j1", path)
    for number in (1, 2, 1):
        tell(number)
    keep_job_log("j1", None)
    tell(1)
    assert [line["job"] for line in lines(path)] == ["j1", "j1"]
    assert len(lines(folder / "nstd.jsonl")) == 4


def test_a_job_log_that_cannot_be_written_stops_nothing(
    log: Logging, folder: Path, tmp_path: Path
) -> None:
    """The line is in the daemon's log all the same."""
    keep_job_log("j1", tmp_path / "absent" / "job.log")
    tell(1)
    assert len(lines(folder / "nstd.jsonl")) == 1


def test_the_end_of_a_job_is_found_in_rotated_files_too(folder: Path) -> None:
    """After a crash between publication and its line, the log itself says whether it was told."""
    log = logging_to(folder, size=1, keep=5)
    words = {"name": "n", "output": "o", "backend": "b", "message": "m", "hint": "h", "attempt": 1}
    emit("job.failed", job="j1", code="cancelled", **words)
    tell(2)
    tell(3)
    log.close()
    assert has_ended(folder, "j1")
    assert not has_ended(folder, "j2")


def end(job: str, **fields: Any) -> None:
    """Emit the terminal event of a job."""
    words = {"name": "n", "output": "o", "backend": "b", "message": "m", "hint": "h", "attempt": 1}
    emit("job.failed", job=job, code="cancelled", **words | fields)


def test_an_ending_that_a_power_cut_has_torn_is_told_again(log: Logging, folder: Path) -> None:
    """A line that is cut short is no line, whatever words it still has."""
    end("j1")
    path = folder / "nstd.jsonl"
    os.truncate(path, path.stat().st_size - 3)
    assert '"event": "job.failed", "job": "j1"' in path.read_text()
    assert not has_ended(folder, "j1")


def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is fsynced from now on."""
    names: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: names.append(Path(f"/proc/self/fd/{fd}").readlink().name)
    )
    return names


def test_an_ending_is_durable_with_the_name_of_its_file(
    log: Logging, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new log, or a rotated one, could lose its name in a power cut; an old one could not."""
    names = synced(monkeypatch)
    end("j1")
    assert names[-3:] == ["nstd.jsonl", "logs", folder.parent.name]
    before = len(names)
    end("j2")
    assert names[before:] == ["nstd.jsonl"]


def test_an_ending_that_is_found_is_made_durable(
    log: Logging, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that wrote it may have died before its fsync; the job is removed after this."""
    end("j1")
    names = synced(monkeypatch)
    assert has_ended(folder, "j1")
    assert names == ["nstd.jsonl", "logs", folder.parent.name]


@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_only_regular_files_are_looked_at_for_an_ending(folder: Path, kind: str) -> None:
    """A FIFO or a link that somebody put beside the log neither blocks nor is followed."""
    folder.mkdir()
    path = folder / "nstd.jsonl.0"
    os.mkfifo(path) if kind == "fifo" else path.symlink_to("/dev/zero")
    assert not has_ended(folder, "j1")


# Rotation


def test_the_file_is_rotated_by_size_and_no_line_is_cut(folder: Path) -> None:
    """Files stay below the size, hold whole lines in order, and only so many are kept."""
    log = logging_to(folder, size=1000, keep=3)
    for number in range(60):
        tell(number)
    log.close()
    names = ["nstd.jsonl.3", "nstd.jsonl.2", "nstd.jsonl.1", "nstd.jsonl"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert all((folder / name).stat().st_size <= 1000 for name in names)
    numbers = [int(line["job"][1:]) for name in names for line in lines(folder / name)]
    assert numbers == list(range(numbers[0], 60))


def test_fewer_rotated_files_are_kept_after_a_change_of_the_config(folder: Path) -> None:
    """A lower `log.keep` takes effect at the next rotation."""
    log = logging_to(folder, size=1, keep=6)
    for number in range(8):
        tell(number)
    log.reconfigure(LogSettings(console="none", size=1, keep=2))
    tell(8)
    log.close()
    assert len(list(folder.iterdir())) == 3


def test_a_log_that_is_removed_or_moved_away_is_made_again(log: Logging, folder: Path) -> None:
    """Somebody who tidies up, or another rotation tool, does not silence the daemon."""
    tell(1)
    (folder / "nstd.jsonl").rename(folder / "moved")
    tell(2)
    shutil.rmtree(folder)
    tell(3)
    assert [line["job"] for line in lines(folder / "nstd.jsonl")] == ["j3"]


def test_a_torn_last_line_does_not_swallow_the_next(folder: Path) -> None:
    """After a power cut in the middle of a line, the next line begins on its own."""
    folder.mkdir()
    (folder / "nstd.jsonl").write_text('{"event": "job.fin')
    log = logging_to(folder)
    tell(1)
    log.close()
    torn, whole = (folder / "nstd.jsonl").read_text().splitlines()
    assert torn == '{"event": "job.fin'
    assert json.loads(whole)["job"] == "j1"


def test_a_disk_that_takes_no_line_stops_nothing(log: Logging, folder: Path) -> None:
    """A log that cannot be written costs lines; it goes on when it can be written again."""
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")
    tell(1)
    folder.unlink()
    tell(2)
    assert [line["job"] for line in lines(folder / "nstd.jsonl")] == ["j2"]


# The real process


def test_a_full_log_disk_keeps_no_result_back_and_loses_no_ending(playground: Playground) -> None:
    """With no room for a line, jobs are published; they are over when their last line is there."""
    playground.pair("beach")
    filler = playground.outbox / "logs" / "filler"
    filler.parent.mkdir(exist_ok=True)
    script = (
        f"mount -t tmpfs -o size=4k tmpfs {filler.parent} || exit 9; "
        f"head -c 100k /dev/zero > {filler} 2>/dev/null; "
        f"{sys.executable} -m nstd run --once -c {playground.config_path} & "
        f"until [ -e {playground.outbox}/beach/beach.json ]; do sleep 0.1; done; sleep 1; "
        f"cat {filler.parent}/nstd.jsonl; echo ROOM; rm {filler}; wait $!; status=$?; "
        f"cat {filler.parent}/nstd.jsonl; exit $status"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        env=playground.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode in {1, 9} and '"event"' not in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.split("ROOM")
    assert "job.finished" not in before
    assert after.count('"event": "job.finished"') == 1
    assert done.stderr.count('"event": "job.finished"') == 1
    assert done.stderr.count('"event": "disk.full"') == 1
    assert playground.record("beach")["state"] == "finished"


def run_with_stderr(playground: Playground, stderr: int | None) -> subprocess.Popen[bytes]:
    """`run --once` with this descriptor as its standard error; closed for None."""
    command = [sys.executable, "-m", "nstd", "run", "--once", "-c", str(playground.config_path)]
    if stderr is None:
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    return subprocess.Popen(command, env=playground.environment, stderr=stderr)


def test_log_reader_stalled(playground: Playground) -> None:
    """A pipe that nobody reads fills up; jobs go on, and the daemon still ends cleanly."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    playground.pair("beach")
    process = run_with_stderr(playground, writing)
    try:
        assert process.wait(timeout=90) == 0
    finally:
        os.close(reading)
        os.close(writing)
    assert len(playground.events("job.finished")) == 1


def test_an_error_that_ends_a_thread_is_a_line_of_the_log(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With its traceback; nothing is printed, where it could block or be no JSON."""
    logging = logging_to(folder)
    thread = threading.Thread(target=int, args=("no number",))
    thread.start()
    thread.join()
    logging.close()
    told = json.loads(folder.joinpath("nstd.jsonl").read_text())
    assert (told["event"], told["level"]) == ("daemon.error", "error")
    assert "ValueError" in told["error"]
    assert "no number" in told["traceback"]
    assert capfd.readouterr().err == ""


def test_a_warning_of_a_library_is_a_line_of_the_log(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may name a file of the inbox: what is in a name is escaped as everywhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging = logging_to(folder)
        warnings.warn("a name\nand {another}", RuntimeWarning, stacklevel=1)
        logging.close()
    told = json.loads(folder.joinpath("nstd.jsonl").read_text())
    assert (told["event"], told["level"]) == ("library.warning", "warning")
    assert told["warning"] == "RuntimeWarning: a name\nand {another}"
    assert Path(__file__).name in told["source"]
    assert capfd.readouterr().err == ""


def test_log_pipe_closed_by_its_reader(
    playground: Playground,
) -> None:
    """Writing to a broken pipe is no reason to end."""
    reading, writing = os.pipe()
    os.close(reading)
    playground.pair("beach")
    process = run_with_stderr(playground, writing)
    os.close(writing)
    assert process.wait(timeout=90) == 0
    assert len(playground.events("job.finished")) == 1


def test_log_pipe_closed_from_the_start(playground: Playground) -> None:
    """No file of the daemon takes the place of the closed stream."""
    playground.pair("beach")
    assert run_with_stderr(playground, None).wait(timeout=90) == 0
    assert len(playground.events("job.finished")) == 1


def test_standard_error_is_json_unless_it_is_a_terminal(playground: Playground) -> None:
    """Under systemd every line is JSON; on a terminal it is for people."""
    playground.configure(log={"console": "auto"})
    done = playground.once()
    assert {json.loads(line)["event"] for line in done.stderr.splitlines()} >= {"daemon.started"}
    ours, theirs = pty.openpty()
    process = run_with_stderr(playground, theirs)
    os.close(theirs)
    seen = everything_from(ours)
    assert process.wait(timeout=120) == 0
    assert b"works in" in seen
    assert b"\x1b[" in seen
    assert b"{" not in seen


def test_the_lines_of_a_job_are_published_with_it(playground: Playground) -> None:
    """The job's own log in the outbox has its whole life, the canonical line included."""
    playground.pair("beach")
    playground.once()
    told = [line["event"] for line in lines(playground.outbox / "beach" / "beach.log")]
    assert told[0] == "job.claimed"
    assert told[-1] == "job.finished"
    wait_for(lambda: len(playground.events("job.finished")) == 1)
