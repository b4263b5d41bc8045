"""The image of the container, built and run by Podman: no rights, one volume, jobs that are saved.

Podman is not on most machines that run these tests, and building takes a minute: this is one slow
test, and one of the files alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from support.playground import wait_for

from nstd.cli.app import app
from nstd.client.health_check import LONGEST
from systemd.guest import PIP, PREFIX, PYTHON, ROOT, WRAPPER, sites
from systemd.image import image, missing

FOLDER = ROOT / "systemd"
USER = 10001
LEAVES = ("--exclude=./dev", "--exclude=./var/cache", "--exclude=./var/lib/apt")
"""What an image needs nothing of."""
CONFIG: dict[str, Any] = {
    "devices": ["cpu"],
    "watch": {"settle": "200ms"},
    "jobs": {"checkpoint": "200ms"},
}


def _absent() -> str:
    """Why no container can be built and run here; empty where one can."""
    if reason := missing():
        return reason
    return "" if shutil.which("podman") else "needs podman (Debian: podman, crun)"


def settings(file: Path) -> dict[str, list[str]]:
    """The values of each key of a quadlet."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        if match := re.fullmatch(r"([A-Z]\w*)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def test_the_quadlet_and_the_image_say_the_same() -> None:
    """The user, the volume, the signal, and a health check that the command line has."""
    text, quadlet = (FOLDER / "Containerfile").read_text(), settings(FOLDER / "nstd.container")
    assert f"USER {USER}:{USER}" in text
    assert quadlet["UserNS"] == [f"keep-id:uid={USER},gid={USER}"]
    (volume,) = re.findall(r"^VOLUME (\S+)$", text, re.MULTILINE)
    assert quadlet["Volume"][0].split(":")[1] == volume
    assert f"NSTD_CONFIG={volume}/config.yaml" in text
    assert "STOPSIGNAL SIGTERM" in text
    assert quadlet["ReadOnly"] == quadlet["NoNewPrivileges"] == ["true"]
    assert (quadlet["DropCapability"], quadlet["Network"]) == (["all"], ["none"])
    assert int(quadlet["StopTimeout"][0]) < int(quadlet["TimeoutStopSec"][0])
    (check,) = re.findall(r"^    CMD (\[.*\])$", text, re.MULTILINE)
    name, command, *options = json.loads(check)
    assert name == "nstd"
    known = app.get_command(app.make_context("nstd", ["status"]), command)
    assert known is not None
    assert set(options) <= {opt for parameter in known.params for opt in parameter.opts}
    assert quadlet["HealthOnFailure"] == ["kill"]
    assert LONGEST < 120


class Containers:
    """Podman with a store of its own, and the commands that these tests need of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        places = f'graphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        (folder / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{places}')
        volumes = {PREFIX: Path(sys.base_prefix), **sites()}
        self.binds = [f"--volume={path}:{name}:ro" for name, path in volumes.items()]

    def __call__(self, *arguments: object, check: bool = True) -> str:
        """What a command of Podman prints; AssertionError if it fails.

        With version 1 of control groups alone, where both are mounted: crun takes no mixture.
        """
        done = subprocess.run(
            [
                *("unshare", "--mount", "sh", "-c"),
                'umount /sys/fs/cgroup/unified 2>/dev/null; exec podman "$@"',
                *("podman", *map(str, arguments)),
            ],
            env=os.environ | {"CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def make_base(self) -> str:
        """A fresh Debian with the Python of the tests, which is bound into it, as an image."""
        wrapper = WRAPPER.format(
            python=f"{PREFIX}/bin/{PYTHON}", sites=" ".join(sites()), version=PYTHON
        )
        extra, files = (
            self.folder / "extra",
            {"usr/local/bin/python3": wrapper, "etc/pip.conf": PIP},
        )
        for path, text in files.items():
            (extra / path).parent.mkdir(parents=True)
            (extra / path).write_text(text)
            (extra / path).chmod(0o755)
        archive = self.folder / "base.tar"
        folders = ["-C", str(image(13)), ".", "-C", str(extra), *files]
        command = ["tar", "-cf", str(archive), *LEAVES, *folders]
        subprocess.run(command, check=True)
        library = f"ENV LD_LIBRARY_PATH={PREFIX}/lib"
        self("import", "--change", library, archive, "localhost/base")
        archive.unlink()
        return "localhost/base"

    def build(self, base: str) -> None:
        """The image `nstd`, by the Containerfile as it is, with the packages of the tests."""
        self(
            *("build", "--isolation=chroot", "--format=docker", f"--build-arg=BASE={base}"),
            *self.binds,
            *("-f", FOLDER / "Containerfile", "-t", "nstd", ROOT),
        )

    def close(self) -> None:
        """End what runs, and remove the store."""
        self("rm", "--all", "--force", "--time=1", check=False)
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def podman() -> Iterator[Containers]:
    """The image, built. Skips where this machine's kernel runs no container."""
    containers = Containers(Path(tempfile.mkdtemp(dir="/dev/shm", prefix="nstd-containers-")))
    try:
        base = containers.make_base()
        trial = [*("run", "--rm", "--network=none"), *limits(), base, "true"]
        try:
            containers(*trial)
        except AssertionError as error:
            pytest.skip(f"podman runs nothing here: {error}")
        containers.build(base)
        yield containers
    finally:
        containers.close()


def limits() -> list[str]:
    """Limits that this process may set: Podman's own may be higher."""
    return ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]


@pytest.fixture
def volume(podman: Containers) -> Path:
    """A root, made by the image, that belongs to the user of the container."""
    folder = podman.folder / "root"
    folder.mkdir()
    os.chown(folder, USER, USER)
    mount = f"--volume={folder}:/srv/nstd"
    podman("run", "--rm", "--network=none", *limits(), *podman.binds, mount, "nstd", "init", ".")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


def start(podman: Containers, volume: Path) -> None:
    """The container, with the rights that the quadlet gives it."""
    podman(
        *("run", "--detach", "--name=nstd", "--replace", "--read-only", "--network=none"),
        *("--cap-drop=all", "--security-opt=no-new-privileges", "--env=OMP_NUM_THREADS=1"),
        *("--health-on-failure=kill", "--stop-timeout=120", *limits(), *podman.binds),
        *(f"--volume={volume}:/srv/nstd", "nstd"),
    )


def submit(volume: Path, name: str, options: str) -> None:
    """Drop a pair."""
    for file in ("content.png", "style.png"):
        Image.linear_gradient("L").resize((64, 48)).save(volume / "inbox" / file)
    text = f"content: content.png\nstyle: style.png\noptions: {options}\n"
    (volume / "inbox" / f"{name}.yaml").write_text(text)


def events(volume: Path, event: str) -> list[dict[str, Any]]:
    """The lines of an event in the log."""
    log = volume / "outbox/logs/nstd.jsonl"
    lines = map(json.loads, log.read_text().splitlines() if log.exists() else [])
    return [line for line in lines if line["event"] == event]


@pytest.mark.slow
@pytest.mark.systemd
@pytest.mark.timeout(3600)
@pytest.mark.skipif(bool(_absent()), reason=_absent() or "nothing is missing")
def test_the_container_makes_pictures_is_healthy_and_saves_its_jobs(
    podman: Containers, volume: Path
) -> None:
    """From the build to a stop in the middle of a job, with nothing written but the volume."""
    start(podman, volume)
    wait_for(lambda: events(volume, "daemon.started"), 300, "the daemon", pause=0.5)
    podman("healthcheck", "run", "nstd")
    assert "is alive" in podman("exec", "nstd", "nstd", "status", "--health")
    said = podman("exec", "nstd", "sh", "-c", "id -u; touch /x /opt/nstd/x; cat /proc/self/status")
    assert said.startswith(f"{USER}\n")
    assert re.search(r"^CapEff:\s+0+$", said, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", said, re.MULTILINE)
    assert "A /x" not in podman("diff", "nstd").splitlines()
    podman("exec", "nstd", "sh", "-c", "(sleep 0.1 & sleep 1000 &) > /dev/null 2>&1")
    wait_for(lambda: orphans(podman) == ["1"], 60, "no zombie, and one orphan", pause=0.5)
    submit(volume, "quick", "{preset: draft, steps: 4}")
    wait_for((volume / "outbox/quick/quick.png").exists, 300, "the picture", pause=0.5)
    submit(volume, "long", "{steps: 100000, tolerance: 0}")
    wait_for(lambda: list((volume / "work").glob("*/checkpoint")), 300, "a checkpoint", pause=0.5)
    podman("stop", "nstd")
    assert podman("inspect", "nstd", "--format={{.State.ExitCode}}").strip() == "0"
    (put_back,) = events(volume, "job.requeued")
    assert put_back["reason"] == "stopped"
    assert events(volume, "daemon.stopped")
    assert list((volume / "work").glob("*/checkpoint"))


def orphans(podman: Containers) -> list[str]:
    """The parents of the `sleep` that run, or are zombies, in the container."""
    lines = [line.split() for line in podman("top", "nstd", "comm", "ppid").splitlines()]
    return [parent for name, parent in lines if name == "sleep"]
