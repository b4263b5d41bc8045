"""A Debian that is booted in a folder by systemd-nspawn, and commands in it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from support.playground import wait_for

ROOT = Path(__file__).parent.parent.parent
SOURCE = "/root/nstd"
"""Where the guest has the source: the folder in which the commands of the documents are run."""
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_GUESTS, _PREFIX_OF_GUESTS = Path("/var/tmp"), "nstd-guest-"
_MAKING = 2.0
"""Seconds that a guest has to make its lock."""
PREFIX = "/opt/python"
"""Where the guest has the Python of the tests."""
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
_MOUNT = (
    "mount -t overlay -o lowerdir={image},upperdir={folder}/own,workdir={folder}/work overlay"
    " {folder}/root || cp -a {image}/. {folder}/own/. {folder}/root"
)
"""Where no overlay can be mounted, as in some containers, the image is copied."""
_ENDS_WITH_US = [
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"),
]
"""A command ends, with all that it started, when the tests end, even if they are killed: the
kernel kills all processes of a namespace whose first one has ended. nspawn alone leaves a guest."""
_HIERARCHIES = [Path("/sys/fs/cgroup", each) for each in ("", "unified", "systemd")]
"""Where this machine may have control groups. Each guest has some of its own: otherwise those that
run at a time would share the groups of their units, and one would end processes of the other."""
_MEMORY = Path("/sys/fs/cgroup/memory")
"""The memory controller of a machine that still has the first version of control groups."""

# Python here makes the environment as it would by itself, but for the packages: those of the
# tests, which are bound into the guest, are on its path.
WRAPPER = """#!/bin/sh
{python} "$@" || exit
[ "$1 $2" != "-m venv" ] || printf '%s\\n' {sites} > "$3/lib/{version}/site-packages/tests.pth"
"""
PIP = "[global]\nno-index = true\nno-deps = true\nno-build-isolation = false\n"
"""Nothing is fetched. `no-build-isolation = false` is how pip is told not to isolate a build."""


def sites() -> dict[str, Path]:
    """The folders of the packages that the tests see, by where the guest sees them."""
    found = [Path(each) for each in sys.path if Path(each).name == "site-packages"]
    return {f"/opt/site-packages-{number}": folder for number, folder in enumerate(found)}


def remove_abandoned() -> None:
    """Remove what guests have left whose tests were killed; nobody holds their locks any more."""
    for folder in _GUESTS.glob(f"{_PREFIX_OF_GUESTS}*"):
        with suppress(OSError):  # it is in use, or another process is quicker
            if time.time() - folder.stat().st_mtime < _MAKING:
                continue  # its lock may not be there yet
            with (folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for hierarchy in (*_HIERARCHIES, _MEMORY):
                    _removed(hierarchy / folder.name)
                shutil.rmtree(folder)


def _removed(cgroup: Path) -> bool:
    """Whether a control group and those in it are gone, or could be removed."""
    folders = sorted((path.parent for path in cgroup.rglob("cgroup.procs")), reverse=True)
    with suppress(OSError):  # a process is still about to end
        for folder in folders:
            folder.rmdir()
    return not cgroup.exists()


def _descendants(process: int) -> Iterator[int]:
    """The children of a process, and theirs, down to those of nspawn."""
    with suppress(OSError):
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            yield int(child)
            if not Path(f"/proc/{child}/comm").read_text().startswith("systemd\n"):
                yield from _descendants(int(child))


class Guest:
    """An image, booted; `close` ends it and removes what it wrote, which lies beside the image.

    nspawn is not told to register it with the systemd of this machine, which may have none. It
    has a network of its own, with nothing but the loopback. With `memory`, `MemoryMax=` of its
    units is held: on a machine with the first version of control groups that takes another mode
    of systemd, in which `IPAddressDeny=` and `DeviceAllow=` are not held.
    """

    def __init__(self, image: Path, *, memory: bool = False) -> None:
        remove_abandoned()
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX_OF_GUESTS, dir=_GUESTS))
        self._lock = (self._folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._image, self._own = image, self._folder / "own"
        self._legacy = memory and _MEMORY.is_dir()
        hierarchies = [*_HIERARCHIES, _MEMORY] if self._legacy else _HIERARCHIES
        self._cgroups = [
            folder / self._folder.name
            for folder in hierarchies
            if (folder / "cgroup.procs").exists()
        ]
        self._furnish()
        self._pid = 0
        self._nspawn = self._boot()
        try:
            self._pid = wait_for(self._first_process, 30, "the first process of the guest")
            wait_for(self._is_up, 90, "the guest to be up")
            self._open_memory()
            self.run("cd / && ldconfig && useradd -m alice && useradd -m bob")
        except BaseException:
            self.close()
            raise

    @property
    def root(self) -> Path:
        """The guest's files, its mounts included."""
        return Path(f"/proc/{self._pid}/root")

    def run(
        self, command: str, *, user: str = "root", check: bool = True, timeout: float = 300
    ) -> str:
        """What a line of shell prints in the guest on either stream; AssertionError if it fails."""
        status, printed = self.attempt(command, user=user, timeout=timeout)
        assert status == 0 or not check, f"{command} ended with {status}:\n{printed}"
        return printed

    def attempt(self, command: str, *, user: str = "root", timeout: float = 300) -> tuple[int, str]:
        """The exit status of a line of shell in the guest, and what it printed."""
        environment = [f"{key}={value}" for key, value in _ENVIRONMENT.items()]
        shell = ["bash", "-o", "pipefail", "-c", command]
        inside = shell if user == "root" else ["sudo", "-u", user, *shell]
        folder = SOURCE if user == "root" else f"/home/{user}"
        done = subprocess.run(
            [
                *("nsenter", f"--target={self._pid}", "--all"),
                *("env", "-i", f"--chdir={folder}", *environment, *inside),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        return done.returncode, done.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the guest as its root; a file that is there keeps its owner."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        is_new = not file.exists()
        file.write_text(text)
        if is_new:
            file.chmod(mode)

    def memory_limit(self, unit: str) -> int:
        """The bytes that the kernel grants a unit of the system's slice."""
        place = f"system.slice/{unit}"
        if self._legacy:
            own = _MEMORY / self._folder.name / place / "memory.limit_in_bytes"
            return int(own.read_text())
        told = self.run(f"cat /sys/fs/cgroup/{place}/memory.max", check=False).strip()
        return int(told) if told.isdigit() else sys.maxsize

    def close(self) -> None:
        """End the guest, whatever it does, and remove what it left."""
        if self._nspawn.poll() is None:
            os.kill(self._pid or self._nspawn.pid, signal.SIGKILL)  # all others die with it
            self._nspawn.wait(30)
        shutil.rmtree(self._folder)  # with its lock held: others remove what nobody holds
        self._lock.close()
        wait_for(
            lambda: all(_removed(each) for each in self._cgroups),
            30,
            "the guest's control groups to be empty",
        )

    def _boot(self) -> subprocess.Popen[bytes]:
        command = [
            "systemd-nspawn",
            "--boot",
            "--quiet",
            f"--directory={self._folder / 'root'}",
            f"--machine=nstd-guest-{self._folder.name[-8:].encode().hex()}",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
            "--private-network",
            "--system-call-filter=bpf @keyring",  # for IPAddressDeny= and KeyringMode=
            f"--bind-ro={sys.base_prefix}:{PREFIX}",
            *(f"--bind-ro={folder}:{name}" for name, folder in sites().items()),
        ]
        for name in ("root", "work"):
            (self._folder / name).mkdir()
        script = _MOUNT.format(image=self._image, folder=self._folder)
        for cgroup in self._cgroups:
            cgroup.mkdir()
            script = f"echo $$ > {cgroup}/cgroup.procs && {script}"
        if self._legacy:
            # Read by systemd 256 and 257, which start in this mode only when they are told to.
            command.append("SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1")
        unified = "0" if self._legacy else "1"
        with (self._folder / "console").open("wb") as console:
            return subprocess.Popen(
                [*_ENDS_WITH_US, "sh", "-c", f'{script}; "$@"; exit', "sh", *command],
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": unified},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def _furnish(self) -> None:
        """What a fresh server does not have: the source, and Python as it is here."""
        (self._own / "root").mkdir(0o700, parents=True)
        shutil.copytree(
            ROOT,
            self._own / SOURCE.lstrip("/"),
            ignore=shutil.ignore_patterns(".*", "tests", "__pycache__"),
        )
        wrapper = WRAPPER.format(
            python=f"{PREFIX}/bin/{PYTHON}", sites=" ".join(sites()), version=PYTHON
        )
        for path, text, mode in (
            ("usr/local/bin/python3", wrapper, 0o755),
            ("etc/pip.conf", PIP, 0o644),
            ("etc/hostname", "studio1\n", 0o644),
            ("etc/hosts", "127.0.0.1 localhost studio1\n", 0o644),
            ("etc/ld.so.conf.d/python.conf", f"{PREFIX}/lib\n", 0o644),
        ):
            file = self._own / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(mode)

    def _first_process(self) -> int:
        """The guest's process 1, a child of nspawn; 0 while there is none."""
        assert self._nspawn.poll() is None, (self._folder / "console").read_text()
        for child in _descendants(self._nspawn.pid):
            with suppress(OSError):  # a helper of nspawn, which is gone by now
                command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]
                if command.endswith((b"/systemd", b"/init")):
                    return child
        return 0

    def _is_up(self) -> bool:
        time.sleep(0.2)
        return self.run("cd / && systemctl is-system-running", check=False).strip() in {
            "running",
            "degraded",
        }

    def _open_memory(self) -> None:
        """The controllers of the first version come read-only: have this one heeded."""
        if self._legacy:
            self.run("mount -o remount,bind,rw /sys/fs/cgroup/memory && systemctl daemon-reexec")
