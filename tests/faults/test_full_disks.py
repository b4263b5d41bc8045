"""Disks that are really full, of bytes or of files: a small tmpfs that only the daemon sees."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.mounts import View, mount, needs_mounts
from support.playground import Playground, wait_for

pytestmark = needs_mounts


class SmallDisk:
    """A running daemon whose folder `name` is a tmpfs of 2 MiB and 200 files."""

    def __init__(self, playground: Playground, name: str) -> None:
        self.playground = playground
        playground.configure(limits={"min_free": "0B"})
        playground.hurry()
        folder = playground.outbox / "logs" if name == "log" else playground.root / name
        folder.mkdir(exist_ok=True)
        mount(playground, folder, "size=2m,nr_inodes=200")
        self.view = View(playground.start().pid)
        self.disk = self.view.of(folder)

    def fill(self, of: str) -> None:
        """Leave no byte, or no file, to be had; the daemon may be writing meanwhile."""
        fillers = self.disk / "fillers"
        fillers.mkdir()
        with (fillers / "bytes").open("wb", buffering=0) as filler:
            try:
                for number in count():
                    if of == "bytes":
                        filler.write(bytes(4096))
                    else:
                        (fillers / f"{number}").touch()
            except OSError as error:
                assert error.errno == errno.ENOSPC

    def free(self) -> None:
        """Make space again."""
        for path in (self.disk / "fillers").iterdir():
            path.unlink()


@pytest.fixture
def small(request: pytest.FixtureRequest, playground: Playground) -> Iterator[SmallDisk]:
    """A daemon that watches the inbox, with one small disk."""
    yield SmallDisk(playground, request.param)


def noise(path: Path) -> np.ndarray:
    """A picture that no format makes smaller."""
    pixels = np.random.default_rng(0).integers(0, 256, (250, 250, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def use_up(log: Path, of: str) -> None:
    """Leave the log no room of its own: rotated away, or at the end of its last block."""
    if of == "files":
        log.rename(log.with_name("nstd.jsonl.1"))
        return
    empty = len(json.dumps({"event": ""})) + 1
    used = (log.stat().st_size + empty) % os.statvfs(log).f_bsize
    with log.open("a") as file:
        print(json.dumps({"event": "x" * (os.statvfs(log).f_bsize - used)}), file=file)


@pytest.mark.parametrize("of", ["bytes", "files"])
@pytest.mark.parametrize("small", ["outbox", "work", "log"], indirect=True)
def test_enospc_on_outbox_work_log(small: SmallDisk, of: str) -> None:
    """Intake pauses, one `disk.full`, no attempt used; with space made, it goes on."""
    playground, log = small.playground, small.disk / "nstd.jsonl"
    if log.exists():
        use_up(log, of)
    small.fill(of)
    pixels = noise(playground.inbox / "content.png")
    playground.pair("beach")
    wait_for(lambda: playground.told("intake.paused"), what="intake.paused")
    assert not playground.told("job.finished")
    small.free()
    wait_for(lambda: playground.told("job.finished"), what="job.finished")
    wait_for(lambda: playground.told("intake.resumed"), what="intake.resumed")
    assert len(playground.told("disk.full")) == 1
    assert len(playground.told("intake.paused")) == 1
    assert not playground.told("disk.failed")
    assert not playground.told("daemon.error")
    playground.outbox = small.view.of(playground.outbox)
    assert playground.record("beach")["attempt"] == 1
    assert playground.ended() == 1
    with Image.open(playground.outbox / "beach" / "beach.png") as picture:
        assert np.array_equal(np.asarray(picture), pixels)
