"""A shell in which a person works with nstd; all that is typed and printed is shown and kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from support import CHECKOUT
from support.clock import Clock
from support.playground import wait_for

PATIENCE = 1800.0
"""Seconds in which something has to happen that is waited for, on a machine that is busy."""


class Terminal:
    """A shell in `folder`, in which `nstd` is there, and a clock that can be set."""

    def __init__(self, folder: Path, screen: TextIO) -> None:
        self.folder, self._screen = folder, screen
        programs, site = folder / ".programs", folder / ".site"
        for place in (programs, site):
            place.mkdir(parents=True)
        for name, module in (("nstd", "-m nstd "), ("python", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module}"$@"\n')
            (programs / name).chmod(0o755)
        self.clock = Clock(folder / ".clock", site)
        self._environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join([str(site), str(CHECKOUT)]),
            "COLUMNS": "100",
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
        }
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.checked = 0

    def export(self, name: str, value: Path) -> None:
        """Set a variable of the environment."""
        self._show(f"$ export {name}={value}")
        self._environment[name] = str(value)

    def tell(self, *lines: str) -> None:
        """Say what happens, as a remark."""
        self._show("", *(f"# {line}" for line in lines))

    def run(self, command: str, status: int = 0) -> str:
        """Type a line; what it prints. AssertionError where it ends with another status."""
        self._show(f"$ {command}")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._show(*done.stdout.splitlines())
        assert done.returncode == status, f"{command} ended with {done.returncode}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file as an editor does."""
        self._show(f"$ cat > {path} <<END", *text.splitlines(), "END")
        new = self.folder / f"{path}~"
        new.write_text(text)
        new.replace(self.folder / path)

    def start_daemon(self) -> subprocess.Popen[bytes]:
        """`nstd run &`."""
        self._show("$ nstd run 2> daemon.log &")
        with (self.folder / "daemon.log").open("ab") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "nstd", "run"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._daemons.append(daemon)
        return daemon

    def kill(self, daemon: subprocess.Popen[bytes], signal: str) -> None:
        """`kill` a daemon, and wait for its end."""
        self._show(f"$ kill -{signal} %1")
        subprocess.run(["kill", f"-{signal}", str(daemon.pid)], check=True)
        daemon.wait(120)

    def check(self, what: str, found: object, wanted: object) -> None:
        """Hold what is there against what must be, and say so."""
        assert found == wanted, f"{what}: found {found!r} instead of {wanted!r}"
        self.checked += 1
        self._show(f"#   [checked: {what}]")

    def wait(self, what: str, found: object, wanted: object) -> None:
        """The same, as soon as it is so; `found` is called."""
        assert callable(found)
        wait_for(lambda: found() == wanted, PATIENCE, f"{what}: {wanted!r}", pause=0.5)
        self.check(what, found(), wanted)

    def close(self) -> None:
        """End the daemons."""
        for daemon in self._daemons:
            if daemon.poll() is None:
                daemon.kill()
            daemon.wait(30)

    def _show(self, *lines: str) -> None:
        for line in lines:
            print(line, file=self._screen, flush=True)
