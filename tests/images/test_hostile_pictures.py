"""Pictures that crash, stall or overflow their decoder cost one job, in a worker of its own."""

from __future__ import annotations

import shutil
import signal

import pytest
from fuzz.bombs import BOMBS
from fuzz.seeds import polyglots
from support.playground import Playground

HOLE = """
import os, signal, sys

def _hear(event, arguments):
    if event == "open" and str(arguments[0]).endswith("content.bmp"):
        if "nstd.executors.worker.main" in sys.orig_argv:
            os.kill(os.getpid(), {number})

sys.addaudithook(_hear)
"""
"""Stands for a hole in a decoder: a worker that opens a BMP dies or hangs."""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGSEGV, "worker_died"), (signal.SIGSTOP, "worker_hung")]
)
def test_a_decoder_that_crashes_or_hangs_costs_one_job(
    playground: Playground, number: signal.Signals, code: str
) -> None:
    """The job fails with its reason, after `workers.stall` if need be; the others end well."""
    (playground.site / "sitecustomize.py").write_text(HOLE.format(number=int(number)))
    playground.configure(jobs={"attempts": 2}, workers={"stall": "2s"})
    playground.picture("evil.bmp")
    playground.sidecar("evil", content="evil.bmp", style="evil.bmp", priority=90)
    playground.pair("good")
    assert playground.once().returncode == 0
    assert playground.reason("evil")["code"] == code
    assert playground.record("good")["state"] == "finished"


@pytest.mark.parametrize("limit", [1_000_000])
def test_a_folder_of_hostile_pictures_is_worked_off(playground: Playground, limit: int) -> None:
    """Bombs and polyglots under wrong names: each job ends once, the daemon and its worker live."""
    playground.configure(limits={"picture_pixels": limit, "picture_bytes": "2MiB"})
    hostile = {name: make() for name, make in BOMBS.items()} | polyglots()
    playground.picture("style.png")
    for name, data in hostile.items():
        (playground.inbox / f"{name}.png").write_bytes(data)
        playground.sidecar(name, content=f"{name}.png")
    done = playground.once()
    assert done.returncode == 0
    assert playground.ended() == len(hostile)
    codes = {line["code"] for line in playground.events("job.failed")}
    assert codes == {"picture_refused", "picture_unreadable"}
    assert len(playground.events("worker.started")) == 1
    assert playground.events("job.finished", name="script and png") == []
    assert len(playground.events("job.finished")) >= 4
    assert not playground.events("daemon.error")
    assert shutil.which("nstd-was-here") is None
