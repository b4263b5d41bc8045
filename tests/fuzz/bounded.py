"""Runs inputs in forked children with bounds: time, memory, and what may be opened.

A child that dies, hangs or breaks a promise costs one input, which is kept; the next child goes on
after it.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import signal
import sys
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import targets

_BATCH = 500
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn")
_OWN = tuple(
    os.path.realpath(path)
    for path in {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *sys.path}
)


@dataclass
class Finding:
    """A broken promise, and the input that broke it."""

    what: str
    data: bytes


@dataclass
class Tally:
    """What was tried, and what came of it."""

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    memory: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.inputs} inputs in {self.seconds:.0f} s, slowest {self.slowest:.2f} s, "
            f"at most {self.memory >> 20} MiB more than before, {len(self.findings)} findings"
        )


class StrayError(AssertionError):
    """Something outside the bounds was opened or started."""


strayed: list[str] = []
"""What was; a reader under test may have caught the exception itself."""


def try_all(
    target: str,
    make: Callable[[int], bytes],
    *,
    count: int | None = None,
    until: float = float("inf"),
) -> Tally:
    """Try inputs 0, 1, ... in children, so many of them or until the monotonic clock says so."""
    tally, number, began = Tally(), 0, time.monotonic()
    while (count is None or number < count) and time.monotonic() < until:
        last = number + _BATCH if count is None else min(number + _BATCH, count)
        number = _batch(target, make, number, last, until, tally)
    tally.inputs, tally.seconds = number, time.monotonic() - began
    return tally


def _batch(
    target: str,
    make: Callable[[int], bytes],
    first: int,
    last: int,
    until: float,
    tally: Tally,
) -> int:
    """One child; the number of the next input."""
    with tempfile.TemporaryFile() as notes:
        child = os.fork()
        if child == 0:
            _serve(target, make, first, last, until, notes)
        _, status = os.waitpid(child, 0)
        notes.seek(0)
        done = first
        while True:
            try:
                number, seconds, memory, finding = pickle.load(notes)
            except (EOFError, pickle.UnpicklingError):
                break
            done = number + 1
            tally.slowest, tally.memory = max(tally.slowest, seconds), max(tally.memory, memory)
            if finding:
                tally.findings.setdefault(finding, Finding(finding, make(number)))
    code = os.waitstatus_to_exitcode(status)
    if code:  # it died on the input after the last one that it noted
        what = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        tally.findings.setdefault(what, Finding(what, make(done)))
        done += 1
    return done


def _serve(
    target: str, make: Callable[[int], bytes], first: int, last: int, until: float, notes: Any
) -> None:
    """The child."""
    try:
        bound()
        base = _peak()
        for number in range(first, last):
            if time.monotonic() > until:
                break
            data, began = make(number), time.perf_counter()
            finding = try_one(target, data)
            seconds = time.perf_counter() - began
            pickle.dump((number, seconds, _peak() - base, finding), notes)
            notes.flush()
    except BaseException:
        traceback.print_exc()
        os._exit(3)
    targets.clean()
    os._exit(0)


def try_one(target: str, data: bytes) -> str:
    """Nothing, or which promise the input broke."""
    signal.setitimer(signal.ITIMER_REAL, targets.SECONDS)  # SIGALRM ends the child
    try:
        targets.TARGETS[target](data)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {error!s:.200}"
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        strays = list(strayed)
        strayed.clear()
    return strays[0] if strays else ""


def bound() -> None:
    """Bound this process for good: memory, core dumps, and what it may open or start."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)  # libtiff talks
    faulthandler.disable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2 * targets.MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    watch()


def watch() -> None:
    """From now on, opening or starting what is out of bounds raises `StrayError`."""
    sys.addaudithook(_heed)


def _heed(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        _refuse(f"{event} {arguments!r:.200}")
    if event != "open" or not isinstance(arguments[0], str | bytes):
        return
    path, flags = os.path.realpath(os.fsdecode(arguments[0])), arguments[2]
    inside = "/nstd-fuzz-" in path
    if not inside and (flags & _WRITING or not path.startswith((*_OWN, "/proc/self/", "/proc/"))):
        _refuse(f"opened {path} with flags {flags:#o}")


def _refuse(what: str) -> None:
    strayed.append(what)
    raise StrayError(what)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
