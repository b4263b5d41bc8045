"""Devices that break: the breaker opens, the others go on, and it closes when they are back."""

from __future__ import annotations

import json

import pytest
from support.playground import Playground, codes, finished, wait_for


def test_a_device_that_fails_every_job_is_left_alone_and_tried_again(
    playground: Playground,
) -> None:
    """Intake pauses, status tells, and when a job succeeds on it again all goes on."""
    playground.configure(
        jobs={"attempts": 1}, workers={"failures": 2, "cooldown": "3s", "exit_when_all_down": False}
    )
    playground.start()
    playground.pair("one", options={"act": "assert"})
    playground.pair("two", options={"act": "assert"})
    wait_for(lambda: playground.events("device.down"))
    wait_for(lambda: playground.events("intake.paused"))
    told = json.loads(playground.command("status", "--json").stdout)
    (device,) = told["devices"]
    assert (device["device"], device["state"], device["failures"]) == ("cpu", "down", 2)
    playground.pair("three")
    wait_for(lambda: playground.events("device.up"))
    wait_for(lambda: finished(playground) == {"three"})
    assert playground.events("intake.resumed")
    assert codes(playground) == {"one": "device_failed", "two": "device_failed"}
    started = playground.events("job.started", name="three")[0]["timestamp"]
    assert started > playground.events("device.down")[0]["timestamp"]


@pytest.mark.parametrize("how", ["config", "once"])
def test_a_daemon_without_any_device_ends_if_it_is_told_to(
    playground: Playground, how: str
) -> None:
    """With status 5; the jobs that it did not get to are kept."""
    playground.configure(
        jobs={"attempts": 1},
        workers={"failures": 2, "cooldown": "10m", "exit_when_all_down": how == "config"},
    )
    for number in (1, 2, 3):
        playground.pair(f"job-{number}", options={"act": "assert"})
    if how == "once":
        assert playground.once().returncode == 5
    else:
        assert playground.start().wait(timeout=120) == 5
    assert len(codes(playground)) == 2
    (job,) = playground.work.glob("*/job.json")
    assert json.loads(job.read_text())["attempt"] == 0


@pytest.mark.parametrize("act", ["exit", "segfault"])
def test_jobs_that_kill_their_workers_fail_and_keep_no_other_waiting(
    playground: Playground, act: str
) -> None:
    """Each after its own attempts, whether its plug-in has ever done well or not."""
    playground.configure(workers={"failures": 2, "cooldown": "10m"}, jobs={"attempts": 2})
    playground.pair("good-1")
    for number in range(3):
        playground.pair(f"bad-{number}", options={"act": act}, priority=40)
    playground.pair("good-2", priority=30)
    assert playground.once().returncode == 0
    assert finished(playground) == {"good-1", "good-2"}
    assert codes(playground) == {f"bad-{number}": "worker_died" for number in range(3)}
    assert not playground.events("device.down")
    assert {line["attempt"] for line in playground.events("job.failed")} == {2}


def test_a_worker_that_cannot_start_closes_the_device_and_costs_no_attempt(
    playground: Playground,
) -> None:
    """The same job waits all the time; when workers start again, it runs."""
    playground.configure(workers={"failures": 2, "cooldown": "500ms"})
    (playground.work / ".workers").write_text("in the way of the workers' folder")
    playground.start()
    playground.pair("beach")
    wait_for(lambda: len(playground.events("device.down")) >= 2)
    assert "no worker could be started" in playground.events("device.down")[0]["reason"]
    (playground.work / ".workers").unlink()
    wait_for(lambda: finished(playground) == {"beach"})
    assert [line["attempt"] for line in playground.events("job.finished")] == [1]
    assert playground.events("device.up")


LONGER = ("stop", "assert")
BROKEN = """
import os, sys
if "nstd.executors.worker.main" in sys.orig_argv and os.environ["CUDA_VISIBLE_DEVICES"] == "0":
    if os.path.exists({flag!r}):
        sys.exit("broken driver")
"""
"""A worker on the first GPU dies at import while a file is there."""


@pytest.mark.parametrize(
    "how", ["import", "kill", *(pytest.param(how, marks=pytest.mark.slow) for how in LONGER)]
)
def test_one_broken_device_of_two(playground: Playground, how: str) -> None:
    """It dies at import or on every job, hangs or is poisoned: the other makes all pictures."""
    flag = playground.folder / "broken"
    flag.touch()
    playground.configure(
        devices=["cuda:0", "cpu"],
        jobs={"attempts": 20},
        workers={"failures": 2, "cooldown": "1s", "stall": "4s", "grace": "200ms"},
    )
    # A hang is long: the other device must not have made all before the second one.
    pause = 0.6 if how == "stop" else 0.1
    options = {"act": how, "flag": str(flag), "gpu": "0", "steps": 6, "pause": pause}
    if how == "import":
        playground.sabotage(BROKEN.format(flag=str(flag)))
        options = {}
    playground.start()
    names = {f"job-{number}" for number in range(6)}
    for name in names:
        playground.pair(name, options=options)
    wait_for(lambda: playground.events("device.down", device="cuda:0"), what="device.down")
    told = json.loads(playground.command("status", "--json").stdout)
    assert {device["device"]: device["state"] for device in told["devices"]}["cpu"] == "up"
    wait_for(lambda: finished(playground) == names, what="all pictures")
    if how != "stop":  # an attempt that resumes from its checkpoint is behind its hang
        assert {line["device"] for line in playground.events("job.finished")} == {"cpu"}
    flag.unlink()
    playground.configure(workers={"stall": "1h"})
    for number in range(6, 14):
        playground.pair(f"job-{number}", options={"steps": 10, "pause": 0.05})
    wait_for(lambda: playground.events("device.up", device="cuda:0"), what="device.up")
    wait_for(lambda: len(finished(playground)) == 14, what="the rest")
    assert "cuda:0" in {line["device"] for line in playground.events("job.finished")}
    assert not codes(playground)
    assert not playground.events("device.down", device="cpu")
    assert not playground.events("intake.paused")


def test_all_devices_broken_is_waited_out_unless_configured(playground: Playground) -> None:
    """Workers die at import: intake pauses, status says so, the service stays and recovers."""
    flag = playground.folder / "broken"
    flag.touch()
    playground.configure(
        devices=["cuda:0"], jobs={"attempts": 1}, workers={"failures": 2, "cooldown": "2s"}
    )
    playground.sabotage(BROKEN.format(flag=str(flag)))
    daemon = playground.start()
    playground.pair("first")
    wait_for(lambda: playground.events("intake.paused"), what="intake.paused")
    playground.pair("later")
    assert "intake is paused: all devices are down" in playground.command("status").stdout
    wait_for(lambda: len(playground.events("device.down")) >= 2, what="a trial that fails")
    assert daemon.poll() is None
    flag.unlink()
    wait_for(lambda: finished(playground) == {"first", "later"}, what="both")
    assert playground.events("intake.resumed")
    assert {line["attempt"] for line in playground.events("job.finished")} == {1}
    assert playground.stop(daemon) == 0


def test_a_worker_that_leaks_memory_gives_it_back(playground: Playground) -> None:
    """It is replaced after so many jobs: the memory of one process does not grow for ever."""
    playground.configure(workers={"recycle": 2})
    for number in range(6):
        playground.pair(f"job-{number}", options={"act": "leak"})
    assert playground.once().returncode == 0
    peaks = [line["peak_memory"]["process"] for line in playground.events("job.finished")]
    assert len(peaks) == 6
    assert max(peaks) - min(peaks) < 1.5 * 2**26
    assert len(playground.events("worker.started")) == 3
