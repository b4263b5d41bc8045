"""The worker on a node: an actor that runs one attempt at a time.

Pictures and the checkpoint arrive as bytes, and the files that the attempt writes are sent back as
bytes. On the node there are only a temporary folder with the inputs while the attempt runs, and a
cache of data that backends keep for later jobs.
"""

from __future__ import annotations

import os
import platform
import queue
import shutil
import tempfile
import threading
import traceback
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from nstd import __version__
from nstd.backends.registry import load
from nstd.executors.cluster.messages import FileWritten, FromNode
from nstd.executors.contract import Assignment
from nstd.executors.messages import Ended, Reported
from nstd.executors.worker.attempt import Attempt
from nstd.executors.worker.output import attributed
from nstd.queue.progress import Report
from nstd.system import proc
from nstd.system.durable import Files

_PREFIX = "nstd-node-"


class NodeFiles(Files):
    """Sends the files that an attempt writes to the driver, instead of writing them."""

    def __init__(self, folder: Path, messages: queue.SimpleQueue[FromNode]) -> None:
        self._folder, self._messages = folder, messages

    def write(self, path: Path, data: bytes, *, durable: bool = True) -> None:
        """Send the file; a disk error is noticed later, by the driver."""
        if path.is_relative_to(self._folder):
            self._messages.put(FileWritten(name=path.name, data=data, durable=durable))
        else:
            super().write(path, data, durable=durable)


class NodeWorker:
    """The actor, whose methods the driver calls.

    `take_messages` and `end_attempt` may run while others run.
    """

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[FromNode] = queue.SimpleQueue()
        self._end_requested: tuple[str, str] | None = None  # a job, and "cancel" or "stop"
        self._backend = cache(load)  # an instance may keep its networks loaded
        _sweep()

    def hello(self) -> dict[str, Any]:
        """The process id and the host of this worker."""
        return {
            "version": __version__,
            "python": platform.python_version(),
            "pid": os.getpid(),
            "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }

    def begin(self, assignment: dict[str, Any], names: list[str], *contents: bytes) -> None:
        """Begin an attempt with these files in its folder; `take_messages` returns its reports.

        Raises OSError when the node's disk fails. Ray may free the contents after this call.
        """
        _sweep()
        self._end_requested = None
        me = f"{os.getpid()}-{proc.start_time()}"
        # A folder that cannot be removed now, because a process still uses it, is removed later.
        folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{me}-", ignore_cleanup_errors=True)
        places = {"folder": folder.name, "cache": assignment["cache"] and _cache_folder()}
        here = Assignment.model_validate(assignment | places)
        try:
            for name, content in zip(names, contents, strict=True):
                (here.folder / name).write_bytes(content)
        except OSError:
            folder.cleanup()
            raise
        threading.Thread(target=self._run, args=(here, folder), daemon=True).start()

    def _run(self, here: Assignment, folder: tempfile.TemporaryDirectory[str]) -> None:
        with folder:
            end_request = partial(self._end_request_for, here.job.id)
            files = NodeFiles(here.folder, self._messages)
            try:
                with attributed(here):
                    outcome = Attempt(here, files, self._report, end_request).run(self._backend)
            except BaseException:  # this thread would end without a message
                traceback.print_exc()
                os._exit(1)
        self._messages.put(Ended(outcome=outcome))

    def _report(self, report: Report) -> None:
        self._messages.put(Reported(report=report))

    def _end_request_for(self, job: str) -> str | None:
        """`cancel` or `stop` when the running attempt of `job` is to end; else None."""
        request = self._end_requested
        return request[1] if request is not None and request[0] == job else None

    def take_messages(self, patience: float) -> list[dict[str, Any]]:
        """Wait for messages: those since the last call, or [] after `patience` seconds.

        Each is a `FromNode` as a dict.
        """
        found: list[FromNode] = []
        with suppress(queue.Empty):
            found.append(self._messages.get(timeout=patience))
            while True:
                found.append(self._messages.get_nowait())
        return [each.model_dump() for each in found]

    def end_attempt(self, job: str, how: str) -> None:
        """Ask the attempt of `job` to stop or to cancel itself."""
        self._end_requested = job, how


def _cache_folder() -> Path:
    """The cache folder of the node, in the user's cache folder; all workers share it."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - raises
    return Path(home, "nstd-kept")


def _sweep() -> None:
    """Remove the folders that killed workers have left on this node."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*-*"):
        pid, start_time, *_ = folder.name.removeprefix(_PREFIX).split("-")
        if pid.isdecimal() and start_time != proc.start_time(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
