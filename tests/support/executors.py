"""Job folders to run attempts in, executors to run them, and a backend that misbehaves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from PIL import Image

from nstd.documents.config import Config
from nstd.executors.contract import Begun, Event, Executor
from nstd.queue.job import Input, Job, Outcome
from nstd.queue.paths import JobPaths
from nstd.queue.progress import Report
from nstd.queue.slots import Slot
from support.playground import FAST, merged
from support.plugins import install
from support.puppet import PUPPET

GREMLIN = """
import json, os, signal, sys, time, warnings
from pathlib import Path
from pydantic import BaseModel, ConfigDict
from nstd.backend import Progress, Result

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    act: str = ""
    note: str = ""  # a file to leave something in

class Gremlin:
    '''Does to its process what no backend should.'''

    name = "gremlin"
    size = None
    Options = Options

    def run(self, task, report):
        getattr(self, task.options.act)(task, report)
        report(Progress(step=1, steps=1, fraction=1.0))
        return Result(task.content)

    def environment(self, task, report):
        said = {"threads_at_import": THREADS, "torch": "torch" in sys.modules,
                "oom": Path("/proc/self/oom_score_adj").read_text().strip(),
                "session": os.getsid(0), "pid": os.getpid()}
        Path(task.options.note).write_text(json.dumps(dict(os.environ) | said))

    def say(self, task, report):
        print("hello")
        warnings.warn("oh")

    def print_a_lot(self, task, report):
        for _ in range(3000):
            os.write(1, b"x" * 2**16)
        print("and one last word", flush=True)

    def close_everything(self, task, report):
        os.closerange(0, 256)

    def fork(self, task, report):
        '''The child goes on as if it were the worker.'''
        child = os.fork()
        if child:
            os.waitpid(child, 0)

    def leave_a_child(self, task, report):
        '''A child that outlives the attempt.'''
        child = os.fork()
        if not child:
            time.sleep(600)
            os._exit(0)
        Path(task.options.note).write_text(str(child))

    def forge(self, task, report):
        '''Speaks on the channel of its worker.'''
        for fd in range(3, 64):
            try:
                os.write(fd, b"!!!\\n")
            except OSError:
                pass
        time.sleep(60)

    def lie(self, task, report):
        '''Says that another job is done.'''
        lie = json.dumps({"outcome": {"job": "neighbour", "ending": "finished"}})
        for fd in range(3, 64):
            try:
                os.write(fd, lie.encode() + b"\\n")
            except OSError:
                pass

    def flood(self, task, report):
        '''Far more reports than anybody reads.'''
        for step in range(100_000):
            report(Progress(step=5, steps=5, fraction=1.0, losses={"total": 1.0}))

    def die_with_a_child(self, task, report):
        self.leave_a_child(task, report)
        os._exit(9)

    def reserve(self, task, report):
        '''Reserves a gigabyte until it is stopped, and tells what others have reserved.'''
        from nstd.system import reservations
        with reservations.locked():
            said = {"folder": str(reservations.FOLDER), "others": reservations.outstanding()}
            reservations.reserve(2**30)
        try:
            Path(task.options.note).write_text(json.dumps(said))
            while True:
                report(Progress(step=1, steps=2, fraction=0.5))
                time.sleep(0.05)
        finally:
            reservations.release()

    def keep(self, task, report):
        '''Tells what an earlier job has kept, and keeps something for the next.'''
        said = "nowhere to look"
        if task.cache is not None:
            said = (task.cache.get("key") or b"nothing").decode()
            task.cache.put("key", task.options.note.encode())
        Path(task.options.note).write_text(said)

    def interrupt(self, task, report):
        raise KeyboardInterrupt

    def leave(self, task, report):
        sys.exit("the gremlin leaves")

    def deaf(self, task, report):
        '''Reports nothing and cannot be interrupted.'''
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.1)

    def segfault(self, task, report):
        import ctypes
        ctypes.string_at(0)

import os as _os
THREADS = _os.environ.get("OMP_NUM_THREADS")
"""

ONE = [Slot("cpu", 0)]
TWO = [Slot("cpu", 0), Slot("cpu", 1)]


def install_backends(site: Path) -> None:
    """The puppet and the gremlin, as distributions in `site`."""
    site.mkdir(exist_ok=True)
    install(site, "puppet", PUPPET, attribute="Puppet")
    install(site, "gremlin", GREMLIN, attribute="Gremlin")


def make_config(root: Path, **settings: Any) -> Config:
    """The fast settings of the tests with `settings` over them, without a file."""
    return Config.at(root, **merged(FAST, settings))


def make_job(folder: Path, name: str, backend: str = "puppet", **fields: Any) -> Job:
    """A job in `folder`, which is made with its two pictures; other fields go to its options."""
    folder.mkdir(parents=True)
    kept = {key: fields.pop(key) for key in list(fields) if key in Job.model_fields}
    for file, color in (("content.png", "teal"), ("style-1.png", "orange")):
        Image.new("RGB", (32, 24), color).save(folder / file)
    inputs = (
        Input(role="content", source="beach.png", file="content.png", sha256="", bytes=1),
        Input(role="style", source="starry.png", file="style-1.png", sha256="", bytes=1),
    )
    given = {"inputs": inputs, "submitted": 0.0, "claimed": 0.0, "timeout": 600.0} | kept
    return Job(
        id=name,
        name=name,
        folder="",
        sidecar=f"{name}.yaml",
        backend=backend,
        options=fields,
        **given,
    )


class Bench:
    """An executor with jobs to run, and everything that it has told."""

    def __init__(self, executor: Executor, folder: Path, *, is_open: bool = False) -> None:
        self.executor, self.folder = executor, folder
        self.events: list[Event] = []
        self._started: Counter[str] = Counter()
        if not is_open:
            executor.open()
        self.slots = list(executor.slots())

    def start(self, name: str, backend: str = "puppet", slot: int = 0, **fields: Any) -> JobPaths:
        """Start a new job on one of the slots."""
        job = make_job(self.folder / name, name, backend, **fields)
        return self.start_again(job, slot)

    def start_again(self, job: Job, slot: int = 0) -> JobPaths:
        """Start a job whose folder is there."""
        paths = JobPaths(self.folder / job.id)
        self._started[job.id] += 1
        self.executor.start(job, self.slots[slot], paths.folder)
        return paths

    def look(self) -> None:
        """Take in what the executor tells, waiting a moment for it."""
        wait(self.executor.waitables(), 0.05)
        self.events += self.executor.events()

    def until(self, condition: Callable[[], Any], seconds: float = 120.0) -> None:
        """Look until something is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s; events: {self.events}"
            self.look()

    def begun(self, name: str) -> list[Begun]:
        """How often a worker took the job so far."""
        return [e for e in self.events if isinstance(e, Begun) and e.job == name]

    def outcomes(self, name: str) -> list[Outcome]:
        """The ends of the job so far."""
        return [e for e in self.events if isinstance(e, Outcome) and e.job == name]

    def running(self) -> list[str]:
        """The jobs that have not ended as often as they were started."""
        return [name for name, n in self._started.items() if len(self.outcomes(name)) < n]

    def reports(self, name: str) -> list[Report]:
        """The reports of the job so far."""
        return [e for e in self.events if isinstance(e, Report) and e.job == name]

    def outcome(self, name: str, count: int = 1) -> Outcome:
        """Wait for the `count`th end of the job; there is no other."""
        self.until(lambda: len(self.outcomes(name)) >= count)
        assert len(self.outcomes(name)) == count
        return self.outcomes(name)[-1]

    def run(self, name: str, backend: str = "puppet", slot: int = 0, **fields: Any) -> Outcome:
        """Start a job and wait for its end."""
        self.start(name, backend, slot, **fields)
        return self.outcome(name)
