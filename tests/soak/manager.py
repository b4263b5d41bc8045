"""Stands in for systemd: starts the daemon, hears READY and the watchdog, starts it again.

The daemon looks soon and often for what is too old, and to those of its processes that look, a
hundred days have passed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from support.playground import HURRIED

WATCHDOG = 20.0
"""Seconds within which a ping must come; the unit gives more."""
WAITS = '{"expire": 1.5}'
LATER = """
import sys, time
if {"nstd.outbox.expiry.main", "expire"} & set(sys.orig_argv):
    wall = time.time
    time.time = lambda: wall() + 100 * 86400
"""


class Manager:
    """One service: `ready` while it is up, and how often and how late it told that it moves."""

    def __init__(self, config: Path, environment: Mapping[str, str], folder: Path) -> None:
        self._config, self._folder = config, folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        told = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": f"{WATCHDOG * 1e6:.0f}"}
        clock = folder / "clock"
        clock.mkdir()
        (clock / "sitecustomize.py").write_text(LATER)
        path = os.pathsep.join([str(clock), environment["PYTHONPATH"]])
        self.environment = {**environment, **told, "PYTHONPATH": path}
        self.ready = threading.Event()
        self.pings, self.longest_gap = 0, 0.0
        self._last: float | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """A thread, as the kernel keeps only ten messages."""
        with suppress(OSError):
            while message := self._socket.recv(8192):
                now = time.monotonic()
                if b"READY=1" in message:
                    self._last = now
                    self.ready.set()
                if b"WATCHDOG=1" in message and self._last is not None:
                    self.pings += 1
                    self.longest_gap = max(self.longest_gap, now - self._last)
                    self._last = now

    def keep_up(self) -> int | None:
        """Start the daemon if it does not run; the status with which it has ended by itself."""
        status = None if self.process is None else self.process.poll()
        if self.process is None or status is not None:
            self._start()
        return status

    def _start(self) -> None:
        self._last = None
        self.ready.clear()
        self.starts += 1
        with (self._folder / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, str(HURRIED), WAITS, "-c", str(self._config)],
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=self._folder,
            )

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        """The exit status, which we caused. Raises TimeoutExpired."""
        assert self.process is not None
        status = self.process.wait(seconds)
        self.process, self._last = None, None
        return status

    def kill(self) -> None:
        """-9, and nothing runs any more, its workers neither."""
        workers = self.workers("nstd.executors.worker.main", "nstd.outbox.expiry.main")
        self.send(signal.SIGKILL)
        self.wait()
        psutil.wait_procs(workers, timeout=10)

    def workers(self, *modules: str) -> list[psutil.Process]:
        """The worker processes of the daemon, or those of other modules."""
        found, wanted = [], set(modules or ["nstd.executors.worker.main"])
        with suppress(psutil.NoSuchProcess):
            assert self.process is not None
            for child in psutil.Process(self.process.pid).children():
                with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    if wanted & set(child.cmdline()):
                        found.append(child)
        return found

    def close(self) -> None:
        """End what runs."""
        if self.process is not None:
            self.kill()
        os.unlink(self._folder / "notify")  # noqa: PTH108
        self._socket.close()
