"""The worker process itself, spoken to as the daemon does."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from support import CHECKOUT
from support.executors import ONE, install_backends, make_config, make_job
from support.playground import wait_for

from nstd.executors.channel import DaemonEnd
from nstd.executors.contract import Assignment
from nstd.executors.messages import FROM_WORKER, Assign, EndAttempt, FromWorker
from nstd.queue.job import Job


class Worker:
    """A worker process and the daemon's end of its channel."""

    def __init__(
        self, process: subprocess.Popen[bytes], end: DaemonEnd[FromWorker], folder: Path
    ) -> None:
        self.process, self.end, self.folder = process, end, folder
        self.jobs: dict[str, Job] = {}
        self.said: list[dict[str, Any]] = []

    def assign(self, name: str, **options: Any) -> None:
        """Give it an attempt at the job `name`, which is made if it is new."""
        if name not in self.jobs:
            self.jobs[name] = make_job(self.folder / name, name, **options)
        job, self.said = self.jobs[name], []
        config = make_config(self.folder)
        assignment = Assignment.of(job, self.folder / name, ONE[0], "cpu", config)
        self.end.send(Assign(assignment=assignment))

    def want(self, job: str, what: Literal["cancel", "stop"]) -> None:
        self.end.send(EndAttempt(job=job, how=what))

    def hear(self, kind: str, job: str = "") -> Any:
        """Wait for a message of a kind, about a job."""

        def find() -> Any:
            self.said += [message.model_dump() for message in self.end.receive()]
            bodies = [told.get(kind, told) for told in self.said if told["kind"] == kind]
            return next((body for body in bodies if not job or body["job"] == job), None)

        return wait_for(find, what=f"{kind} of {job}")


@contextmanager
def serve(folder: Path) -> Iterator[Worker]:
    """A worker as its executor starts it."""
    install_backends(folder / "site")
    ours, theirs = socket.socketpair()
    path = os.pathsep.join([str(folder / "site"), str(CHECKOUT)])
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "nstd.executors.worker.main", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": path},
            )
        with process:
            yield Worker(process, DaemonEnd(ours, FROM_WORKER), folder)
            process.kill()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with serve(tmp_path) as worker:
        yield worker


def test_it_serves_one_job_after_another(worker: Worker) -> None:
    """Ready first; then for each assignment its reports and its outcome."""
    assert worker.hear("ready")["pid"] == worker.process.pid
    for name in ("one", "two", "three"):
        worker.assign(name)
        assert worker.hear("outcome", name)["ending"] == "finished"
        assert worker.hear("report", name)["fraction"] == 1.0


def test_what_was_wanted_of_a_job_that_is_over_is_forgotten(worker: Worker) -> None:
    """Late for the one, and not for the next, nor for another attempt at the same."""
    worker.assign("one")
    worker.hear("outcome", "one")
    worker.want("one", "cancel")
    worker.assign("one")
    assert worker.hear("outcome", "one")["ending"] == "finished"
    worker.want("one", "stop")
    worker.assign("two")
    assert worker.hear("outcome", "two")["ending"] == "finished"


def test_what_is_wanted_of_another_job_is_not_done_to_this_one(worker: Worker) -> None:
    """The message names its job."""
    worker.assign("one", steps=20, pause=0.05)
    worker.hear("report", "one")
    worker.want("another", "cancel")
    assert worker.hear("outcome", "one")["ending"] == "finished"


@pytest.mark.parametrize(("what", "ending"), [("cancel", "cancelled"), ("stop", "stopped")])
def test_what_is_wanted_before_a_job_begins_counts(
    worker: Worker, what: Literal["cancel", "stop"], ending: str
) -> None:
    """The daemon need not wait for the first report."""
    worker.assign("one", steps=10_000, pause=0.02)
    worker.want("one", what)
    assert worker.hear("outcome", "one")["ending"] == ending


def test_it_ends_with_its_channel(worker: Worker) -> None:
    """Without a daemon it must not touch the job any longer: somebody else may have it."""
    worker.assign("one", act="hang")
    worker.hear("report", "one")
    worker.end.close()
    assert worker.process.wait(timeout=120) == 0


def test_it_ignores_the_interrupt_of_a_terminal(worker: Worker) -> None:
    """The daemon decides what ^C means."""
    worker.hear("ready")
    worker.process.send_signal(signal.SIGINT)
    worker.assign("one")
    assert worker.hear("outcome", "one")["ending"] == "finished"


def test_its_channel_is_closed_to_programs_that_a_backend_starts(worker: Worker) -> None:
    """They could keep the daemon from seeing the end of the worker."""
    worker.hear("ready")
    process = Path("/proc", str(worker.process.pid))
    (socket_of,) = (
        fd.name for fd in (process / "fd").iterdir() if str(fd.readlink()).startswith("socket:")
    )
    flags = re.search(r"flags:\s*(\d+)", (process / "fdinfo" / socket_of).read_text())
    assert flags is not None
    assert int(flags[1], 8) & os.O_CLOEXEC
