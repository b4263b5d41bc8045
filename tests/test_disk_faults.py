"""Disks that are really full: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import Playground, wait_for

CAN_MOUNT = shutil.which("unshare") is not None and (
    subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
)
pytestmark = pytest.mark.skipif(not CAN_MOUNT, reason="needs user namespaces")


class SmallDisk:
    """A daemon whose folder `name` is a tmpfs of 2 MiB that nobody else sees."""

    def __init__(self, playground: Playground, name: str) -> None:
        self.playground = playground
        playground.configure(limits={"min_free": "0B"}, log={"console": "none"})
        folder = playground.root / name
        script = f"mount -t tmpfs -o size=2m tmpfs {folder} && touch {folder}/.up && exec " + (
            f"{sys.executable} -m nstd run -c {playground.config_path}"
        )
        self.process = subprocess.Popen(
            ["unshare", "-rm", "sh", "-c", script], env=playground.environment
        )
        seen = Path(f"/proc/{self.process.pid}/root")
        self.disk = seen / folder.relative_to("/")
        playground.outbox = seen / playground.outbox.relative_to("/")
        wait_for((self.disk / ".up").exists, what="the small disk")

    def fill(self) -> None:
        """Leave about 100 kB."""
        status = os.statvfs(self.disk)
        (self.disk / "filler").write_bytes(bytes(status.f_bavail * status.f_frsize - 100_000))

    def free(self) -> None:
        """Make space again."""
        (self.disk / "filler").unlink()


@pytest.fixture(params=["work", "outbox"])
def small(request: pytest.FixtureRequest, playground: Playground) -> Iterator[SmallDisk]:
    """A daemon that watches the inbox, with one small disk."""
    small = SmallDisk(playground, request.param)
    wait_for(lambda: playground.events("daemon.started"), what="daemon.started")
    yield small
    small.process.terminate()
    small.process.wait(timeout=60)


def test_a_full_disk_pauses_intake_and_uses_no_attempt(small: SmallDisk) -> None:
    """One `disk.full`, no attempt used, nothing lost; with space made, the job ends."""
    playground = small.playground
    small.fill()
    noise = np.random.default_rng(0).integers(0, 256, (250, 250, 3), dtype=np.uint8)
    Image.fromarray(noise).save(playground.inbox / "content.png")
    playground.pair("beach")
    wait_for(lambda: playground.events("intake.paused"), what="intake.paused")
    assert playground.ended() == 0
    small.free()
    wait_for(lambda: playground.events("job.finished"), what="job.finished")
    assert len(playground.events("disk.full")) == 1
    assert playground.record("beach")["attempt"] == 1
    assert playground.ended() == 1
    with Image.open(playground.outbox / "beach" / "beach.png") as picture:
        assert np.array_equal(np.asarray(picture), noise)
    wait_for(lambda: playground.events("intake.resumed"), what="intake.resumed")
