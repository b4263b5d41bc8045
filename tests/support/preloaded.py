"""Commands of nstd in processes of their own that need not import it: each is forked.

The process that they are forked from has imported what a daemon needs, and nothing of the test's.
Each line on its standard input is a command; it answers with the pid, and then the exit status.
"""

from __future__ import annotations

import gc
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn

from support import CHECKOUT, TESTS


def serve() -> None:
    """Fork for each order until there are no more."""
    import jinja2  # noqa: F401 - what a daemon imports only when it needs it

    import nstd.backends.color_transfer
    import nstd.backends.gatys
    import nstd.cli.run
    import nstd.daemon.daemon
    import nstd.documents.schema
    import nstd.executors.local
    import nstd.outbox.gallery.page  # noqa: F401

    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(**json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(
    arguments: list[str], environment: dict[str, str], folder: str, out: str, err: str
) -> NoReturn:
    """Be the process of `nstd ARGUMENTS`, whose outputs go to files."""
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (out, os.O_WRONLY), (err, os.O_WRONLY))
    ):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a descriptor
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    places = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.path[:] = [*places, *(place for place in sys.path if place != str(TESTS))]
    sys.argv = ["nstd", *arguments]
    from nstd.cli import main

    main(arguments)
    sys.exit(0)


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
            pid = int(self._ask(arguments, environment, folder, out, err))
            code = self._answer(wait)
            if code is None:
                os.kill(pid, 9)
                self._answer(60)
                raise subprocess.TimeoutExpired(["nstd", *arguments], wait)
            texts = (path.read_bytes().decode("utf-8", "replace") for path in (out, err))
            return subprocess.CompletedProcess(["nstd", *arguments], int(code), *texts)

    def _ask(self, arguments: Any, environment: Any, folder: Any, out: Path, err: Path) -> str:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(CHECKOUT)])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        assert self._process.stdin is not None
        order = {"arguments": list(arguments), "environment": dict(environment)}
        places = {"folder": str(folder), "out": str(out), "err": str(err)}
        self._process.stdin.write(json.dumps(order | places).encode() + b"\n")
        self._process.stdin.flush()
        pid = self._answer(60)
        assert pid is not None
        return pid

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


PRELOADED = Preloaded()


if __name__ == "__main__":
    serve()
