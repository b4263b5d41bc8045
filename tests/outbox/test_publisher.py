"""Concluded jobs are published, told once and removed, whatever the disk does meanwhile."""

from __future__ import annotations

import errno
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.disk import StepFiles, names_in

from nstd.documents.report_settings import LogSettings
from nstd.logs.events import TERMINAL
from nstd.logs.log import Logging
from nstd.logs.throttle import DiskErrors
from nstd.outbox.outbox import Outbox
from nstd.outbox.publisher import LONGEST, MANY, Publisher
from nstd.queue.ended import EndedJobs, LiveMembers
from nstd.queue.job import Failure, Input, Job
from nstd.queue.store import JobStore
from nstd.system.waits import USUAL

RESULT: dict[str, Any] = {
    "picture": {"sha256": "0", "bytes": 7, "width": 2, "height": 1},
    "network": None,
    "seed": None,
    "stopped": None,
    "device": "cpu",
    "slot": "cpu/0",
    "steps": 1,
    "losses": [{"step": 1, "level": 1, "seconds": 0.1, "total": 2.0}],
    "seconds": {"total": 0.2},
    "peak_memory": {"process": 1},
}


class Press:
    """A publisher with a store, an outbox and a log, on a clock that the test moves."""

    def __init__(self, root: Path) -> None:
        self.outbox, self.work, self.files = root / "outbox", root / "work", StepFiles()
        for folder in (self.outbox, self.work, root / "inbox"):
            folder.mkdir()
        self.store = JobStore(self.work, self.files)
        self.cleared: list[str] = []
        self.hooked: list[tuple[str, Path]] = []
        self.noted: list[tuple[str, str]] = []
        self.now, self._number = 0.0, 0
        self.log = Logging(self.outbox / "logs", LogSettings(console="none"))
        self.publisher = self.started()

    def started(self) -> Publisher:
        """A publisher as a new daemon has it."""
        outbox = Outbox(self.outbox, self.files)
        self.ended = EndedJobs(LiveMembers())
        logs = self.outbox / "logs"
        return Publisher(self.store, outbox, self.ended, logs, DiskErrors(), self.note)

    def note(self, job: Job, failure: Failure | None) -> None:
        """How a job has ended, as its batch is told."""
        self.noted.append((job.id, failure.code if failure else ""))

    def take(self) -> None:
        """Hear of what was published."""
        for job, failure, record, is_new in self.publisher.take():
            self.cleared += [job.id] if failure is None else []
            self.hooked += [(job.id, record)] if is_new else []

    def job(self, name: str = "beach", result: str = json.dumps(RESULT)) -> Job:
        """A job whose worker is done."""
        self._number += 1
        given = Input(role="content", source="b.png", file="content.png", sha256="0", bytes=1)
        job = Job(
            id=f"20260101-120000-{self._number:06x}",
            name=name,
            folder="",
            sidecar=f"{name}.yaml",
            inputs=(given,),
            submitted=0.0,
            claimed=0.0,
            attempt=1,
        )
        paths = self.store.paths(job.id)
        paths.folder.mkdir()
        paths.picture(job).write_bytes(b"picture")
        paths.sidecar(job).write_text("x")
        (paths.folder / "content.png").write_bytes(b"x")
        paths.result.write_text(result)
        return self.store.save(job)

    def work_at(self, seconds: float) -> None:
        """Publish what is due so many seconds later."""
        self.now += seconds
        self.publisher.work(self.now)
        self.take()

    def fail(self, operation: str, number: int, below: str = "") -> None:
        """From now on the disk fails at each such operation below a folder."""
        error = OSError(number, "injected")
        self.files.on_step = lambda at, what: (
            error if what == operation and below in str(self.files.log[-1][1]) else None
        )

    def mend(self) -> None:
        """The disk works again."""
        self.files.on_step = lambda at, what: None

    def ends(self) -> list[tuple[str, str]]:
        """Each terminal event of the log file, with its output."""
        return [(line["event"], line["output"]) for line in self.events(*TERMINAL)]

    def events(self, *events: str) -> list[dict[str, Any]]:
        """The lines of the log file about these events."""
        text = (self.outbox / "logs" / "nstd.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if line["event"] in events]


@pytest.fixture
def press(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    """Nothing to publish yet; one turn does all that is due, however slow the disk is today."""
    monkeypatch.setattr("nstd.outbox.publisher.BUDGET", math.inf)
    press = Press(tmp_path)
    yield press
    press.log.close()


def test_a_finished_job_is_published_told_and_removed(press: Press) -> None:
    """And its pictures may go."""
    job = press.job()
    press.ended.add(job)
    press.work_at(0)
    assert press.ends() == [("job.finished", "beach")]
    assert names_in(press.outbox / "beach") == [
        "beach.json",
        "beach.log",
        "beach.png",
        "beach.yaml",
    ]
    assert names_in(press.work) == [".new"]
    assert press.cleared == [job.id]
    assert (press.publisher.finished, len(press.ended)) == (1, 0)


def test_a_failed_job_is_published_with_its_reason(press: Press) -> None:
    """A reason goes before a result, and its pictures stay."""
    press.ended.add(press.job(), Failure(code="timed_out", message="too late"))
    press.work_at(0)
    assert press.ends() == [("job.failed", "failed/beach")]
    assert press.cleared == []
    assert press.publisher.failed == 1


def test_two_jobs_of_one_name_get_two_folders(press: Press) -> None:
    """Never an overwrite."""
    for _ in range(3):
        press.ended.add(press.job())
    press.work_at(0)
    assert press.ends() == [
        ("job.finished", name) for name in ("beach", "beach-2", "beach-3")
    ]  # fmt: skip


@pytest.mark.parametrize("when", ["published", "told"])
def test_a_restart_after_the_rename_publishes_and_tells_nothing_twice(
    press: Press, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon died between the rename and the line, or between the line and the removal."""
    job = press.job()
    press.ended.add(job)
    if when == "published":
        press.fail("fsync_folder", errno.EIO, "outbox")
        monkeypatch.setattr(press.publisher, "_log_end", None)
    else:
        monkeypatch.setattr(press.store, "remove", _die)
    press.work_at(0)
    monkeypatch.undo()
    press.mend()
    for known, _ in press.store.jobs():
        again = press.started()
        press.ended.add(known)
        again.work(0.0)
    assert press.ends() == [("job.finished", "beach")]
    assert names_in(press.work) == [".new"]


def _die(job: Job) -> None:
    raise OSError(errno.EIO, "injected")


def test_a_full_disk_is_told_once_and_tried_again_until_there_is_space(press: Press) -> None:
    """With longer and longer waits; what it keeps back comes out at once when one got through."""
    for name in ("a", "b", "c"):
        press.ended.add(press.job(name))
    press.fail("create", errno.ENOSPC, ".staging")
    press.work_at(0)
    assert press.publisher.reason_to_pause()
    assert press.publisher.next_event(press.now) == USUAL.publish
    for _ in range(8):
        press.work_at(press.publisher.next_event(press.now) - press.now)
    assert press.publisher.next_event(press.now) - press.now <= LONGEST
    assert len(press.events("disk.full")) == 1
    press.mend()
    next(iter(press.ended)).due = 0.0
    press.work_at(0)
    press.work_at(0)
    assert len(press.ends()) == 3
    assert not press.publisher.reason_to_pause()


def test_a_slow_disk_takes_no_turn_for_itself(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on in between; what is left is due at once."""
    monkeypatch.setattr("nstd.outbox.publisher.BUDGET", 0.2)
    for name in ("a", "b", "c"):
        press.ended.add(press.job(name))
    press.files.on_step = lambda at, what: time.sleep(0.3) if what == "rename" else None
    press.work_at(0)
    assert len(press.ends()) == 1
    assert press.publisher.next_event(press.now) == 0
    press.mend()
    press.work_at(0)
    press.work_at(0)
    assert len(press.ends()) == 3


def test_an_error_of_one_job_holds_up_no_other(press: Press) -> None:
    """And does not stop the intake; one that befalls many jobs does."""
    bad = press.job("bad")
    press.ended.add(bad)
    press.fail("create", errno.EIO, bad.id)
    for number in range(2):
        press.ended.add(press.job(f"good{number}"))
    press.work_at(0)
    assert press.ends() == [("job.finished", "good0"), ("job.finished", "good1")]
    assert not press.publisher.reason_to_pause()
    press.fail("create", errno.EIO, ".staging")
    for number in range(MANY - 1):
        press.ended.add(press.job(f"other{number}"))
    press.work_at(0)
    assert "injected" in press.publisher.reason_to_pause()
    assert len(press.events("disk.failed")) == MANY


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("operation", ["fsync", "fsync_folder"])
def test_fsync_that_failed_with_eio_or_estale_is_never_done(
    press: Press, operation: str, error: int
) -> None:
    """The job is kept, with its inputs, until everything could be synced."""
    job = press.job()
    press.ended.add(job)
    press.fail(operation, error, str(press.outbox))
    for _ in range(3):
        press.work_at(LONGEST)
    assert (press.store.paths(job.id).folder / "content.png").exists()
    assert not (press.outbox / "logs" / "nstd.jsonl").exists() or press.ends() == []
    press.mend()
    press.work_at(LONGEST)
    assert press.ends() == [("job.finished", "beach")]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seconds": 1, "picture": {}}'])
def test_a_result_that_no_worker_would_write_fails_the_job(press: Press, text: str) -> None:
    """It holds up nothing, and nothing of it appears as a result."""
    press.ended.add(press.job("bad", text))
    press.ended.add(press.job("good"))
    press.work_at(0)
    press.work_at(0)
    assert sorted(press.ends()) == [("job.failed", "failed/bad"), ("job.finished", "good")]
    reason = json.loads((press.outbox / "failed" / "bad" / "reason.json").read_text())
    assert reason["code"] == "internal_error"


def test_a_picture_that_went_missing_fails_the_job(press: Press) -> None:
    """Somebody tidied up in the work folder."""
    job = press.job()
    press.store.paths(job.id).picture(job).unlink()
    press.ended.add(job)
    press.work_at(0)
    reason = json.loads((press.outbox / "failed" / "beach" / "reason.json").read_text())
    assert reason["code"] == "io_error"
    assert "picture.png" in reason["message"]


@pytest.mark.parametrize("is_on_disk", [False, True])
def test_a_reason_that_cannot_be_written_becomes_an_internal_error(
    press: Press, is_on_disk: bool
) -> None:
    """The job ends all the same, and holds up nothing."""
    words: Any = "half a letter \ud83d" if is_on_disk else object()
    failure = Failure.model_construct(
        code="backend_failed", message=words, hint="", detail="", device=""
    )
    job = press.job("bad")
    if is_on_disk:  # as an earlier version wrote it
        press.store.paths(job.id).reason.write_text(json.dumps(failure.__dict__))
        press.ended.add(job)
    else:
        press.ended.add(job, failure)
    press.work_at(0)
    press.work_at(0)
    assert press.ends() == [("job.failed", "failed/bad")]
    reason = json.loads((press.outbox / "failed" / "bad" / "reason.json").read_text())
    assert reason["code"] == "internal_error"


def test_a_folder_that_is_half_removed_is_not_asked_how_its_job_has_ended(press: Press) -> None:
    """Its batch is told the same again; without the reason, a failure would look fine."""
    job = press.job()
    press.ended.add(job, Failure(code="timed_out", message="too late", hint="hurry"))
    press.fail("fsync_folder", errno.EIO, ".new")
    press.work_at(0)
    assert not press.store.paths(job.id).folder.exists()
    press.mend()
    press.work_at(LONGEST)
    assert press.publisher.is_idle
    assert press.noted == [(job.id, "timed_out")] * 2
