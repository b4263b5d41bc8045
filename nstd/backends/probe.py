"""Checks whether a backend is healthy, in a short-lived child process that it cannot harm.

`probe` starts the child, which runs `main`. The child imports the backend, checks it and writes one
line of JSON to a separate socket, so that output printed by the backend does not mix with it.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import EntryPoint

from pydantic import BaseModel, ValidationError

from nstd.documents.error_words import in_words
from nstd.errors import clean
from nstd.system.child import Child, import_path, python_module

GROUP = "nstd.backends"
PROBE_SECONDS = 20.0
_REPORT_BYTES = 64 * 1024
_SHORT = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOSPC}
_TORCH = (
    "importing it imports torch, which the daemon must stay free of; "
    "import torch inside run() or in a module that only run() imports"
)


class BackendStatus(StrEnum):
    """The result of checking a plugin."""

    OK = "ok"
    LOAD_ERROR = "load_error"  # importing it raised an error
    NAME_MISMATCH = "name_mismatch"  # its class has another name than its entry point
    DUPLICATE = "duplicate"  # another distribution has the same name
    INVALID = "invalid"  # does not follow nstd.backend.Backend
    TIMEOUT = "timeout"  # the import exceeded the time limit
    DIED = "died"  # its process ended during the import
    IMPORTS_TORCH = "imports_torch"  # would load torch into the daemon


@dataclass(frozen=True)
class ProbeResult:
    """What a probe found; `summary` is the first line of the backend's docstring.

    With `may_pass`, the cause may be temporary, such as a lack of memory on this machine.
    """

    status: BackendStatus
    reason: str = ""
    summary: str = ""
    may_pass: bool = False


def probe(name: str, value: str, seconds: float = PROBE_SECONDS) -> ProbeResult:
    """The health of the backend `value` (`module:Class`) with the name `name`.

    Returns after at most about `seconds`, whatever the backend does, and leaves no process running.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = theirs.fileno()
        command = python_module("nstd.backends.probe", channel, name, value, seconds)
        try:
            child = Child(command, import_path(), pass_fds=[channel])
        except OSError as error:
            reason = f"its probe did not start: {error}"
            return ProbeResult(BackendStatus.DIED, reason, may_pass=may_pass(error))
        try:
            theirs.close()
            line = _read_line(ours, time.monotonic() + seconds)
        finally:
            child.kill()
    if line is None:
        reason = f"it was still being imported after {seconds:g} s"
        return ProbeResult(BackendStatus.TIMEOUT, reason, may_pass=True)
    reason = f"its process ended while it was imported: {child.ending}"
    # The kernel sends SIGKILL when memory runs out.
    return _parse(line) or ProbeResult(
        BackendStatus.DIED, reason, may_pass="SIGKILL" in child.ending
    )


def look(name: str, value: str) -> ProbeResult:
    """The health of a backend, checked by importing it and making an instance in this process."""
    try:
        found = EntryPoint(name, value, GROUP).load()
    except BaseException as error:  # a plugin may call sys.exit at import
        return ProbeResult(BackendStatus.LOAD_ERROR, describe(error), may_pass=may_pass(error))
    try:
        health = judge(name, found)
        if health.status is BackendStatus.OK:
            found.Options.model_json_schema()  # `nstd schema` prints it
            found()
    except BaseException as error:
        reason = f"looking at it raised {describe(error)}"
        return ProbeResult(BackendStatus.INVALID, reason, may_pass=may_pass(error))
    return ProbeResult(BackendStatus.IMPORTS_TORCH, _TORCH) if "torch" in sys.modules else health


def judge(name: str, found: object) -> ProbeResult:
    """The health of `found`, the object of the entry point `name`: whether it is a backend
    class."""
    if not isinstance(found, type):
        return ProbeResult(BackendStatus.INVALID, "its entry point does not name a class")
    options = getattr(found, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        return ProbeResult(BackendStatus.INVALID, "it has no Options that is a pydantic model")
    if not callable(getattr(found, "run", None)):
        return ProbeResult(BackendStatus.INVALID, "it has no run(task, report)")
    size = getattr(found, "size", ...)
    if size is not None and (type(size) is not int or size < 1):
        return ProbeResult(BackendStatus.INVALID, "its size is not a number of pixels or None")
    takes: object = getattr(found, "takes", frozenset())
    if not isinstance(takes, frozenset | set) or not all(isinstance(each, str) for each in takes):
        return ProbeResult(BackendStatus.INVALID, "its takes is not a set of names")
    said = getattr(found, "name", None)
    if said != name:
        return ProbeResult(
            BackendStatus.NAME_MISMATCH, f"it calls itself {said!r}, its entry point {name!r}"
        )
    return ProbeResult(
        BackendStatus.OK, summary=(found.__doc__ or "").strip().partition("\n")[0][:200]
    )


def may_pass(error: BaseException) -> bool:
    """Whether an error is temporary: the machine lacks memory, threads or file descriptors."""
    if isinstance(error, OSError):
        return error.errno in _SHORT
    return isinstance(error, MemoryError) or "can't start new thread" in clean(error)


def describe(error: BaseException) -> str:
    """The error and the innermost line of its traceback: `ValueError: what (file.py:12)`."""
    said = in_words(error) if isinstance(error, ValidationError) else clean(error)
    text = f"{type(error).__name__}: {said}".splitlines()[0][:500]
    frames = traceback.extract_tb(error.__traceback__)
    return text + (f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else "")


def main(arguments: Sequence[str]) -> None:
    """The child process: check one backend, report to the given file descriptor, and exit."""
    descriptor, name, value, seconds = arguments
    channel = int(descriptor)
    os.set_inheritable(channel, False)
    signal.alarm(int(float(seconds)) + 5)  # ends this process even if the daemon was killed
    health = look(name, value)
    os.write(channel, json.dumps(asdict(health)).encode() + b"\n")
    os._exit(0)  # no exit handlers or threads of the plugin


def _read_line(channel: socket.socket, deadline: float) -> bytes | None:
    """The data up to a newline or the end of the stream; None when the deadline passed first."""
    received = b""
    while b"\n" not in received and len(received) < _REPORT_BYTES:
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            chunk = channel.recv(_REPORT_BYTES)
        except TimeoutError:
            return None
        except OSError:  # reset by a child that died
            break
        if not chunk:
            break
        received += chunk
    return received


def _parse(line: bytes) -> ProbeResult | None:
    try:
        said = json.loads(line)
        words = clean(said["reason"]), clean(said["summary"])
        return ProbeResult(BackendStatus(said["status"]), *words, may_pass=said["may_pass"] is True)
    except (ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
