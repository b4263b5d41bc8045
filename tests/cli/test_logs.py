"""`nstd logs`: the structured log for people, across rotations."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from support.playground import Playground, everything_from

from nstd.documents.report_settings import LogSettings
from nstd.logs.events import EVENTS
from nstd.logs.log import Logging, emit
from nstd.logs.reader import LogReader
from nstd.logs.text import TextRenderer
from nstd.system.layout import LOG
from nstd.system.nofollow import Folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder for the log."""
    return tmp_path / "logs"


@pytest.fixture
def logging(logs: Path) -> Iterator[Logging]:
    """A log that is rotated after every few lines."""
    logging = Logging(logs, LogSettings(size=400, keep=50, console="none"))
    yield logging
    logging.close()


def numbers(lines: Iterator[dict[str, Any]]) -> list[int]:
    """What `write` counted."""
    return [int(line["reason"]) for line in lines]


def write(first: int, last: int) -> None:
    """Some numbered lines."""
    for number in range(first, last):
        emit("intake.paused", reason=str(number))


# The reader


def test_every_line_is_read_once_in_order_across_rotations(logging: Logging, logs: Path) -> None:
    """At first all that there is, then what came since, however often the log was rotated."""
    reader = LogReader(logs, LOG)
    assert numbers(reader.read()) == []
    write(0, 20)
    assert len(list(logs.iterdir())) > 4
    assert numbers(reader.read()) == list(range(20))
    assert numbers(reader.read()) == []
    for number in range(20, 60):
        write(number, number + 1)
        assert numbers(reader.read()) == [number]
    write(60, 80)
    assert numbers(reader.read()) == list(range(60, 80))


def test_rotations_in_the_middle_of_a_look_lose_nothing(
    logging: Logging, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that move while they are opened are read all the same, and once."""
    write(0, 12)
    reader = LogReader(logs, LOG)
    opened, count = Folder.open, itertools.count(100)

    def moving(folder: Folder, name: str) -> BinaryIO:
        try:
            return opened(folder, name)
        finally:
            number = next(count)
            write(number, number + 1)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "open", moving)
        read = numbers(reader.read())
    read += numbers(reader.read())
    assert read == sorted(set(read))
    assert set(range(12)) <= set(read)


def test_what_is_no_line_is_passed_over(logs: Path) -> None:
    """A torn line, other JSON, a link, a FIFO; a line that is being written comes when it ends."""
    logs.mkdir()
    good = json.dumps({"timestamp": "x", "level": "info", "event": "e", "reason": "1"}).encode()
    path = logs / LOG
    path.write_bytes(b'{"timest\n[1]\n3\n\xff\n{"event": 3}\n' + good + b"\n" + good[:20])
    (logs / f"{LOG}.1").symlink_to("/etc/passwd")
    os.mkfifo(logs / f"{LOG}.2")
    reader = LogReader(logs, LOG)
    assert numbers(reader.read()) == [1]
    with path.open("ab") as file:
        file.write(good[20:] + b"\n")
    assert numbers(reader.read()) == [1]
    path.write_bytes(good + b"\n")  # somebody has emptied it
    assert numbers(reader.read()) == [1]


# How a line looks


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_any_event_with_any_values_is_rendered_on_printable_lines(event: str) -> None:
    """Also one whose fields are not what its kind has."""
    odd: list[Any] = ["x\n\x1b[2J", None, 3, 0.5, [], ["a", 1], {"total": 1.0}, {}, True]
    for value in odd:
        line: dict[str, Any] = {"timestamp": "2026-11-23T08:15:00Z", "level": "info"}
        line |= {"event": event} | dict.fromkeys(EVENTS[event].order, value)
        text = TextRenderer().render(line)
        text = text.replace("\x1b[2m", "").replace("\x1b[0m", "").replace("\x1b[32m", "")
        assert all(part.isprintable() for part in text.split("\n")), text


@pytest.mark.parametrize(
    ("event", "fields", "words"),
    [
        (
            "recipe.invalid",
            {
                "recipe": "a/recipe.yaml",
                "code": "x",
                "message": "a/recipe.yaml:2: no",
                "hint": "do",
            },
            "x: a/recipe.yaml:2: no\n    do",
        ),
        (
            "recipe.held",
            {"recipe": "a/recipe.yaml", "held": 800, "taken": 200, "hint": "do"},
            "a/recipe.yaml: 200 are taken, 800 are held\n    do",
        ),
        (
            "recipe.loaded",
            {"recipe": "a/recipe.yaml", "jobs": 2},
            "a/recipe.yaml, 2 jobs a picture",
        ),
        ("recipe.released", {"folder": "a"}, "a/"),
        ("picture.passed_over", {"path": "a/b.cr2", "reason": "is no picture"}, "a/b.cr2 is no pi"),
        (
            "outbox.expired",
            {"path": "a/b", "kind": "result", "bytes": 2048, "moved_to": "/old"},
            "result a/b, 2KiB, moved to /old",
        ),
        (
            "request.refused",
            {"action": "hold", "name": "b", "reason": "it runs already"},
            "hold b: it runs already",
        ),
    ],
)
def test_events_of_folders_and_requests_read_as_sentences(
    event: str, fields: dict[str, Any], words: str
) -> None:
    """Not key by key; a hint stands below."""
    head = {"timestamp": "2026-11-23T08:15:00Z", "level": "info", "event": event}
    assert f" {words}" in TextRenderer(colors=False).render(head | fields)


def test_a_job_goes_by_its_name_once_this_was_told() -> None:
    """Before, and where it never was, by its id."""
    renderer = TextRenderer()
    head = {"timestamp": "2026-11-23T08:15:00.000Z", "level": "info", "job": "20261123-081500-3f9a"}
    assert "20261123-081500-3f9a" in renderer.render({**head, "event": "job.recovered"})
    renderer.render({**head, "event": "job.started", "name": "beach", "attempt": 1, "slot": "cpu"})
    text = renderer.render({**head, "event": "job.requeued", "reason": "stopped"})
    assert "beach  waits again: stopped" in text
    assert "3f9a" not in text


# The command


def shown(playground: Playground, *arguments: str) -> list[str]:
    """The lines that `nstd logs` prints."""
    done = playground.command("logs", *arguments)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    return done.stdout.splitlines()


def test_logs_tells_what_has_happened_to_all_and_to_one(playground: Playground) -> None:
    """In words; of a job by name, sidecar, output, id or its beginning; from some level on."""
    playground.pair("sub/beach")
    playground.pair("pier", options={"act": "raise"})
    playground.once()
    text = "\n".join(shown(playground))
    assert "daemon.started" in text
    assert "beach  attempt 1 on cpu/0" in text
    assert "beach  32x24 in " in text
    assert " on cpu: sub/beach" in text
    assert "pier  backend_failed: " in text
    job = playground.events("job.finished")[0]["job"]
    for wanted in ("beach", "sub/beach.yaml", "sub/beach", job, job[:17]):
        lines = shown(playground, wanted)
        assert "job.claimed" in lines[0]
        assert "job.finished" in lines[-1]
        assert not [line for line in lines if "pier" in line or "daemon." in line]
    assert not [line for line in shown(playground) if "job.progress" in line]
    assert [line for line in shown(playground, "--level", "debug") if "job.progress" in line]
    (error, *below) = shown(playground, "--level", "error")
    assert "job.failed" in error
    assert all(line.startswith("    ") for line in below)
    assert len(shown(playground, "-n", "1")) == 1
    assert "daemon.stopped" in shown(playground, "-n", "1")[0]


@pytest.mark.parametrize("name", ["logs", "logs/nstd.jsonl"])
def test_logs_that_cannot_be_there_are_an_error_that_doctor_explains(
    playground: Playground, name: str
) -> None:
    """A file in the place of the folder, a folder in that of the log: nothing is no answer."""
    path = playground.outbox / name
    if name == "logs":
        path.rmdir()
        path.touch()
    else:
        path.mkdir()
    done = playground.command("logs")
    assert done.returncode == 1
    kind = "a file" if name == "logs" else "a folder"
    assert f"nstd: {path} cannot be read: it is {kind} [io_error]" in done.stderr
    assert "`nstd doctor` says what to do" in done.stderr


def test_logs_of_a_result_with_a_number_are_those_of_its_job(playground: Playground) -> None:
    """A name that was taken: the lines of the start tell the name of before."""
    for sidecar in ("one", "two"):
        playground.pair(sidecar, output={"name": "sea"})
    playground.once()
    done = playground.command("logs", "sea-2")
    assert [done.stdout.count(word) for word in ("claimed", "started", "finished")] == [1, 1, 1]


def test_logs_of_a_batch_are_those_of_all_its_jobs(playground: Playground) -> None:
    """By its name, its sidecar or its id, from its first line to its last; jobs by their names."""
    playground.pair("beach")
    playground.picture("grid.png")
    playground.sidecar("studies", content="grid.png", style="grid.png", options={"steps": [1, 2]})
    playground.once()
    (batch,) = {line["batch"] for line in playground.events("batch.started")}
    for wanted in ("studies", "studies.yaml", batch):
        first, *between, last = shown(playground, wanted)
        assert "batch.started  studies  2 jobs from studies.yaml" in first
        assert "batch.finished studies  2 done, 0 failed in " in last
        assert sum("job.finished" in line for line in between) == 2
        assert not [line for line in between if " beach " in line]
    assert "  grid-grid-2  " in shown(playground, "-n", "5", "--level", "debug")[0]


def test_logs_of_a_job_that_was_rotated_away_come_from_its_own_log(playground: Playground) -> None:
    """And one that nobody knows is an error with what was meant."""
    playground.pair("beach")
    playground.pair("pier", options={"act": "raise"})
    playground.once()
    for path in (playground.outbox / "logs").iterdir():
        path.unlink()
    for name, end in (("beach", "job.finished"), ("pier", "job.failed")):
        assert end in "\n".join(shown(playground, name))
    done = playground.command("logs", "beech")
    assert done.returncode == 1
    assert "did you mean 'beach'?" in done.stderr


def test_logs_says_each_hint_once(playground: Playground) -> None:
    """Below the first job that needs it; the others of its kind have the same."""
    for number in range(3):
        playground.pair(f"bad-{number}", backend="pupet")
    playground.once()
    hints = {playground.reason(f"bad-{number}")["hint"] for number in range(3)}
    (hint,) = hints
    text = playground.command("logs", "--level", "warning").stdout
    assert text.count("backend_unknown") == 3
    assert text.count(hint) == 1


def test_logs_of_a_failed_job_end_with_its_traceback(playground: Playground) -> None:
    """Which the reason alone keeps."""
    playground.pair("bad", options={"act": "raise"})
    playground.once()
    text = playground.command("logs", "bad").stdout
    assert "failed/bad: reason.json keeps this:\n  Traceback (most recent call last):" in text
    assert "keeps this" not in playground.command("logs").stdout


def test_logs_follows_what_comes(playground: Playground) -> None:
    """Line by line, over rotations, until ^C."""
    playground.configure(log={"size": "2kB"})
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "nstd", "logs", "-f"),
            *("--level", "debug", "-c", str(playground.config_path)),
        ],
        env=playground.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for number in range(4):
        playground.pair(f"beach-{number}")
    playground.once()
    assert len(list(playground.outbox.glob("logs/*"))) > 1
    seen: list[str] = []
    while not any("daemon.stopped" in line for line in seen):
        seen.append(process.stdout.readline())
    process.send_signal(2)
    _, errors = process.communicate(timeout=120)
    assert sum("job.finished" in line for line in seen) == 4
    assert len(seen) == len(playground.events())
    assert "Traceback" not in errors


@pytest.mark.parametrize("plain", [False, True], ids=["colours", "NO_COLOR"])
def test_logs_has_colours_on_a_terminal_unless_it_shall_not(
    playground: Playground, plain: bool
) -> None:
    """And none of them elsewhere, which `shown` sees to."""
    playground.pair("pier", options={"act": "raise"})
    playground.once()
    ours, theirs = os.openpty()
    environment = playground.environment | ({"NO_COLOR": "1"} if plain else {})
    command = [sys.executable, "-m", "nstd", "logs", "-c", str(playground.config_path)]
    process = subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = everything_from(ours)
    assert process.wait(timeout=120) == 0
    assert b"job.failed" in seen
    assert (b"\x1b[31m" in seen) is not plain


def test_logs_into_a_pipe_that_nobody_reads(playground: Playground) -> None:
    """`nstd logs | head -1` ends without a traceback."""
    playground.pair("beach", options={"steps": 30})
    playground.once()
    command = f"{sys.executable} -m nstd logs -c {playground.config_path} | head -1"
    done = subprocess.run(
        command, shell=True, env=playground.environment, capture_output=True, text=True, timeout=60
    )
    assert "daemon" in done.stdout or "plugins" in done.stdout
    assert "Traceback" not in done.stderr
