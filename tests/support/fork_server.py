"""Python processes that need not import again what one process has imported: it forks them.

`python fork_server.py SCRIPT [ARGUMENT]...`, or with `-c CODE`, does what `python` would do, but in
a process that is forked from the server whose socket `FORKS` names, and ends when that one does.
`fork_server.py --serve DESCRIPTOR MODULE` is a server, which imports the module.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

FORKS = "NSTD_TESTS_FORKS"
"""The variable that names the socket of the server."""
PR_SET_PDEATHSIG, SIGKILL = 1, 9

FORKED = [sys.executable, "-E", "-S", "-P", __file__]
"""How a forked Python is started."""


def python(environment: Mapping[str, str]) -> list[str]:
    """How to start Python in this environment: forked where there is a server."""
    return FORKED if FORKS in environment else [sys.executable, "-P"]


@contextmanager
def serving(module: str, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A server that imports `module`, and then forks; the variable that names it."""
    import subprocess
    import tempfile

    places = Path(__file__).parent.parent, Path(__file__).parent.parent.parent
    path = {"PYTHONPATH": os.pathsep.join(map(str, places))}
    with tempfile.TemporaryDirectory(prefix="nstd-") as folder, listening(f"{folder}/s") as server:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, "--serve", str(server.fileno()), module],
            env={**environment, **path},
            pass_fds=[server.fileno()],
        )
        yield {FORKS: f"{folder}/s"}
        process.kill()
        process.wait()


def main(arguments: list[str]) -> int:
    """Ask for a process and wait for its end; its exit status.

    Without a command, be one that does nothing as long as its parent lives.
    """
    if not arguments:
        import signal

        die_with_parent()
        signal.pause()
    order = {
        "arguments": arguments[1:] if arguments[0] == "-u" else arguments,
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "leads": (os.getpgrp() == os.getpid()) + (os.getsid(0) == os.getpid()),
    }
    data = json.dumps(order).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ[FORKS])
        socket.send_fds(server, [b"%08x" % len(data)], [0, 1, 2])
        server.sendall(data)
        return (server.recv(1) or b"\1")[0]


def listening(path: str) -> socket.socket:
    """The socket of a server, which commands may connect to from now on."""
    return socket.create_server(path, family=socket.AF_UNIX, backlog=64)


def serve(server: socket.socket) -> NoReturn:
    """Fork for each command that connects, as long as the parent lives."""
    import gc
    import signal

    die_with_parent()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        asked, _ = server.accept()
        if os.fork() == 0:
            server.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(asked)
        asked.close()


def _become(asked: socket.socket) -> NoReturn:
    """Be the process that was asked for: its socket is closed with it."""
    die_with_parent()
    status = 1
    try:
        _run(_received(asked))
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        _end(asked, status)


def _received(asked: socket.socket) -> dict[str, Any]:
    """The order, whose standard streams become those of this process."""
    length, streams, *_ = socket.recv_fds(asked, 8, 3)
    data = b""
    while len(data) < int(length, 16):
        data += asked.recv(2**16)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    order: dict[str, Any] = json.loads(data)
    return order


def _run(order: dict[str, Any]) -> None:
    """Run the script, or the code, as the main module."""
    import random
    import runpy

    if order["leads"] == 2:
        os.setsid()
    elif order["leads"]:
        os.setpgid(0, 0)
    os.chdir(order["folder"])
    before, after = (
        each.get("PYTHONPATH", "").split(os.pathsep) for each in (os.environ, order["environment"])
    )
    sys.path[:] = [*filter(None, after), *(each for each in sys.path if each not in before)]
    os.environ.clear()
    os.environ.update(order["environment"])
    random.seed()
    script, *arguments = order["arguments"]
    sys.orig_argv[1:] = [script, *arguments]
    if script == "-c":
        code, *arguments = arguments
        sys.argv[:] = ["-c", *arguments]
        sys.path.insert(0, "")
        main = type(sys)("__main__")
        sys.modules["__main__"] = main
        exec(code, vars(main))
    else:
        sys.argv[:] = [script, *arguments]
        runpy.run_path(script, run_name="__main__")


def _end(asked: socket.socket, status: int) -> NoReturn:
    """End as a script does: wait for threads, then call what was registered."""
    import atexit
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        asked.send(bytes([status & 255]))
    finally:
        os._exit(status & 255)


def die_with_parent() -> None:
    """As in `nstd.system.child`, which takes longer to import."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        from importlib import import_module

        import_module(sys.argv[3])
        serve(socket.socket(fileno=int(sys.argv[2])))
    sys.exit(main(sys.argv[1:]))
