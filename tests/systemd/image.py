"""A fresh Debian in a folder, made once and kept outside of the tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nstd-tests"
SUITES = {12: "bookworm", 13: "trixie"}
PACKAGES = "systemd,systemd-sysv,dbus,sudo,acl,jq,iproute2,python3"
"""What a server has; acl is asked for by nothing, and python3 brings the libraries of ours."""
_NO_DOCUMENTS = [
    f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale", "info")
]
_TOOLS = "mmdebstrap", "systemd-nspawn", "nsenter"


def missing() -> str:
    """Why no Debian can be booted in a folder of this machine; empty where one can."""
    if os.getuid() != 0:
        return "needs root"
    if absent := [tool for tool in _TOOLS if not shutil.which(tool)]:
        return f"needs {', '.join(absent)} (Debian: mmdebstrap, systemd-container)"
    trial = ["unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "--cgroup", "true"]
    if subprocess.run(trial, capture_output=True).returncode:
        return "this machine does not let root make namespaces"
    return ""


def image(version: int) -> Path:
    """The folder of a Debian of this version, made when there is none; nothing may change it.

    Skips the test where the archive of Debian is out of reach.
    """
    recipe = " ".join([SUITES[version], PACKAGES, *_NO_DOCUMENTS])
    made = CACHE / f"debian-{version}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            part = made.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _make(version, part)
            part.rename(made)
    return made


def _make(version: int, folder: Path) -> None:
    command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", *_NO_DOCUMENTS]
    done = subprocess.run(
        [*command, SUITES[version], folder], capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        pytest.skip(f"mmdebstrap made no Debian {version}: {done.stderr[-300:]}")
