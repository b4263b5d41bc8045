"""Commands of nstd in processes of their own that need not import it: each is forked.

The process that they are forked from has imported what a daemon needs, and nothing of the test's.
Each line on its standard input is an order: a command, which is answered with its pid; the pid of
one that is to be waited for, or only looked at, which is answered with its exit status.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from pydantic import BaseModel

from support import CHECKOUT, TESTS, forked

NEEDED = (
    "nstd.backends.color_transfer",
    "nstd.backends.gatys",
    "nstd.cli.bars",
    "nstd.cli.run",
    "nstd.daemon.daemon",
    "nstd.documents.schema",
    "nstd.executors.local",
    "nstd.executors.worker.output",
    "support.hurried",
    *forked.FORKED,
)
"""What a daemon and its children import, sooner or later."""


def serve() -> None:
    """Fork for each order until there are no more."""
    _prepare()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(_answer(**json.loads(line)), flush=True)


def _prepare() -> None:
    """Make what a daemon and its children make once in their life."""
    for name in NEEDED:
        import_module(name)
    from PIL import Image

    from nstd.backends.discovery import discover
    from nstd.executors.worker.provenance import versions
    from nstd.outbox.gallery import page

    Image.init()
    discover()
    versions()
    page.render("")
    for model in _below(BaseModel):
        model.model_rebuild(raise_errors=False)


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)


def _answer(*, wait: int = 0, poll: int = 0, **command: Any) -> str:
    """The pid of a new process; or the exit status of one, empty while it runs."""
    if wait or poll:
        pid, status = os.waitpid(wait or poll, os.WNOHANG if poll else 0)
        return str(os.waitstatus_to_exitcode(status)) if pid else ""
    pid = os.fork()
    if pid == 0:
        _become(**command)
    return str(pid)


def _become(
    arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str, waits: str
) -> NoReturn:
    """Be the process of `nstd ARGUMENTS`, whose outputs go to files; with `waits`, a hurried one"""
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), *((path, os.O_WRONLY | os.O_APPEND) for path in (out, err)))
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    forked.reopen_outputs()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    places = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.path[:] = [*places, *(place for place in sys.path if place != str(TESTS))]
    forked.fork_children(places[0])
    if waits:
        from support import hurried

        sys.argv = ["hurried", waits, *arguments]
        run = hurried.main
    else:
        from nstd.cli import main

        sys.argv = ["nstd", *arguments]
        run = partial(main, arguments)
    _end(run)


def _end(run: Callable[[], int | None]) -> NoReturn:
    """Run to the end as a script does, but for freeing all that was ever imported."""
    try:
        status = run() or 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    # As at the end of every script: wait for threads, then call what was registered.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


class Forked(subprocess.Popen[bytes]):
    """A process that the preloaded one has forked, waited for as others are."""

    def __init__(self, pid: int, preloaded: Preloaded) -> None:
        self.pid, self._preloaded = pid, preloaded
        self.returncode = None
        self.stdin = self.stdout = self.stderr = None
        self._child_created = False  # there is nothing to be told of when it goes

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None:
            self.returncode = self._preloaded.look_at(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; raises TimeoutExpired after `timeout` seconds."""
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("nstd", timeout or 0)
            time.sleep(0.01)
        return status


class Preloaded:
    """The process that commands are forked from; it starts with the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._read = b""
        self._lock = Lock()

    def run(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, wait: float
    ) -> subprocess.CompletedProcess[str]:
        """`nstd ARGUMENTS` to its end; raises TimeoutExpired after `wait` seconds."""
        with self._lock, tempfile.TemporaryDirectory() as place:
            out, err = (Path(place) / name for name in ("out", "err"))
            for path in (out, err):
                path.touch()
            pid = int(self._ask(**_command(arguments, environment, folder, out, err)))
            self._order(wait=pid)
            code = self._answer(wait)
            if code is None:
                os.kill(pid, 9)
                self._answer(60)
                raise subprocess.TimeoutExpired(["nstd", *arguments], wait)
            texts = (path.read_bytes().decode("utf-8", "replace") for path in (out, err))
            return subprocess.CompletedProcess(["nstd", *arguments], int(code), *texts)

    def start(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, waits: str
    ) -> Forked:
        """`nstd ARGUMENTS`, or a hurried daemon; its standard error is added to a file."""
        err = folder / "stderr"
        err.touch()
        order = _command(arguments, environment, folder, Path(os.devnull), err)
        with self._lock:
            return Forked(int(self._ask(**order | {"waits": waits})), self)

    def look_at(self, pid: int) -> int | None:
        """The exit status of a process that was started, None while it runs."""
        with self._lock:
            status = self._ask(poll=pid)
        return int(status) if status else None

    def _ask(self, **order: Any) -> str:
        self._order(**order)
        answer = self._answer(60)
        assert answer is not None
        return answer

    def _order(self, **order: Any) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(CHECKOUT)])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _answer(self, wait: float) -> str | None:
        """The next line; None when there was none in time."""
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._read:
            if not select.select([pipe], [], [], wait)[0]:
                return None
            more = os.read(pipe, 4096)
            assert more, "the preloaded process has ended"
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()


def _command(
    arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path, out: Path, err: Path
) -> dict[str, Any]:
    places = {"folder": str(folder), "out": str(out), "err": str(err)}
    return {"arguments": arguments, "environment": dict(environment), "waits": "", **places}


PRELOADED = Preloaded()


if __name__ == "__main__":
    serve()
