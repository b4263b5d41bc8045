"""Runs real daemons in forked processes, whose disk fails or who die at a given step.

A forge imports everything once; each line on its standard input forks a daemon that works off
an inbox, and each line on its standard output tells how that ended. Tests use `Forge`.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from nstd.system.durable import Files
from nstd.system.waits import Waits
from support import TESTS, forked

QUICK = Waits(0.05, disk=0.05, full=0.05, full_job=0.05, claim=0.05, undo=0.05, publish=0.05)
"""Forged daemons do not wait long after an error."""

PATIENCE = 300.0
"""Seconds that a daemon may take: far more than one needs, so that what hangs is told soon."""

WARM = """
executor: {kind: inline}
watch: {mode: poll, poll: 50ms, settle: 0s}
devices: [cpu]
jobs: {backend: puppet}
limits: {min_free: 1MiB}
log: {console: none}
"""


class FaultyFiles(Files):
    """Dies or fails at the step `at`; the failure lasts for so many seconds, or is a single one.

    With `reads`, it is not the changes that count and fail, but every listing of a folder and
    every opening of a file to read it.
    """

    def __init__(
        self, at: int = 0, fault: str = "", lasting: float = 0.0, reads: bool = False
    ) -> None:
        self.at, self.fault, self.lasting, self.reads = at, fault, lasting, reads
        self.steps = 0
        self._until = 0.0

    def watch_reads(self, root: Path) -> None:
        """Let reads below `root`, of this process, be the steps; there is no way back."""

        ours = os.getpid()

        def heed(event: str, arguments: tuple[Any, ...]) -> None:
            if os.getpid() != ours or event not in {"open", "os.listdir", "os.scandir"}:
                return
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
            is_ours = path.startswith((str(root), "/proc/self/fd/")) or event == "os.scandir"
            if is_ours and not (event == "open" and arguments[2] & os.O_ACCMODE):
                self._count("read", Path(path))

        sys.addaudithook(heed)  # also in the child processes that are forked, which are spared

    def step(self, operation: str, path: Path) -> None:
        """A change of the disk is about to happen."""
        if not self.reads:
            self._count(operation, path)

    def _count(self, operation: str, path: Path) -> None:
        """Count; then do what is to happen here."""
        self.steps += 1
        if self.fault == "kill" and self.steps == self.at:
            if operation == "remove_tree":  # the one step that is many
                for file in [each for each in path.rglob("*") if each.is_file()][::2]:
                    file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault.startswith("E"):
            if self.steps == self.at:
                self._until = time.monotonic() + self.lasting
            if self.steps == self.at or time.monotonic() < self._until:
                number = getattr(errno, self.fault)
                raise OSError(number, os.strerror(number), str(path))


def run_daemon(config: Path, files: FaultyFiles) -> int:
    """Work off the inbox of `config` in this process; the exit status."""
    from nstd.daemon.daemon import Daemon
    from nstd.documents.config import load_config
    from nstd.executors import inline

    setattr(inline, "Files", lambda: files)  # noqa: B010 - a module is no place for attributes
    daemon = Daemon(load_config(config), once=True, files=files, waits=QUICK)
    if files.reads:
        files.watch_reads(config.parent)
    return daemon.run()


def trust() -> None:
    """Take every plugin for healthy without a look."""
    from nstd.backends import registry as plugins
    from nstd.backends.probe import BackendStatus, ProbeResult

    plugins.probe = lambda *arguments: ProbeResult(BackendStatus.OK)  # type: ignore[attr-defined]


def warm_up() -> None:
    """Make one picture here: what that imports and compiles, the forked daemons then share."""
    from PIL import Image

    from nstd.client.init import make_root

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make_root(root)
        (root / "config.yaml").write_text(WARM)
        for name in ("content", "style"):
            Image.new("RGB", (16, 12), "teal").save(root / "inbox" / f"{name}.png")
        (root / "inbox" / "warm.yaml").write_text("content: content.png\nstyle: style.png\n")
        run_daemon(root / "config.yaml", FaultyFiles())
        assert (root / "outbox" / "warm").is_dir()
    gc.freeze()


def serve(make: Callable[..., FaultyFiles] = FaultyFiles) -> None:
    """Fork a daemon for each line; gives `{"status": ..., "steps": ...}`, below 0 for a signal.

    `make` makes the files of each daemon from the `files` of its line.
    """
    trust()
    for name in forked.FORKED:
        import_module(name)
    warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        steps, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(steps)
            status = 99
            forked.fork_children(os.environ["PYTHONPATH"].split(os.pathsep)[1])
            files = make(**order["files"])
            try:
                status = run_daemon(Path(order["config"]), files)
            except BaseException:
                traceback.print_exc()
            os.write(told, str(files.steps).encode())
            os._exit(status)
        os.close(told)
        with open(steps, "rb") as pipe:  # noqa: PTH123 - a descriptor
            counted = pipe.read()
        _, status = os.waitpid(pid, 0)
        answer = {"status": os.waitstatus_to_exitcode(status), "steps": int(counted or 0)}
        print(json.dumps(answer), flush=True)


class Forge:
    """A forge in a process of its own, by `script`; `environment` has the puppet on its path."""

    def __init__(self, environment: dict[str, str], script: str = __file__) -> None:
        path = os.pathsep.join([str(TESTS), environment["PYTHONPATH"]])
        self._process = subprocess.Popen(
            [sys.executable, "-P", script],
            env=environment | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # to be killed with its daemon
        )

    def run(self, config: Path, **files: Any) -> tuple[int, int]:
        """Run a daemon with such files to its end: the exit status, and how many steps it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"config": str(config), "files": files}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise AssertionError(f"the daemon of {config.parent} does not end ({files})")
        answer = json.loads(self._process.stdout.readline())
        return answer["status"], answer["steps"]

    def close(self) -> None:
        """End the forge."""
        self._process.communicate(timeout=60)


if __name__ == "__main__":
    serve()
