"""Filesystems that come, go and fill up: mounts in a namespace that only the daemon sees."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.playground import Playground

CAN_MOUNT = shutil.which("unshare") is not None and (
    subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
)
needs_mounts = pytest.mark.skipif(not CAN_MOUNT, reason="needs user namespaces")


def mount(playground: Playground, folder: Path, options: str = "size=2m") -> None:
    """Have the next daemon see a new tmpfs at `folder`, before what was asked for earlier."""
    script = f'mount -t tmpfs -o {options} tmpfs {folder} && exec "$@"'
    playground.prefix = ["unshare", "-rm", "sh", "-c", script, "sh", *_inner(playground)]


def _inner(playground: Playground) -> list[str]:
    """The prefix so far, in the same namespace."""
    return playground.prefix[2:] if playground.prefix[:2] == ["unshare", "-rm"] else []


class View:
    """The files as a daemon in its own namespace sees them."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def of(self, path: Path) -> Path:
        """Where we find what the daemon has at `path`."""
        return Path(f"/proc/{self._pid}/root") / path.relative_to("/")

    def do(self, *command: str | Path) -> None:
        """Run a command, such as `umount`, where the daemon is."""
        target = ["--target", str(self._pid), "--user", "--mount", "--preserve-credentials"]
        subprocess.run(["nsenter", *target, *command], check=True, capture_output=True)
