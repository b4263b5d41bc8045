"""Workers that die, hang, run out of memory or poison their device cost at most their own job."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from support.playground import Playground, codes, finished, wait_for


@pytest.mark.parametrize("act", ["exit", "kill"])
def test_sigkill_the_worker_n_times_on_one_job(playground: Playground, act: str) -> None:
    """All its attempts with a growing wait between them; the device is not blamed for one job."""
    playground.configure(jobs={"attempts": 3, "checkpoint": "1h"}, workers={"failures": 2})
    playground.pair("bad", priority=90, options={"act": act})
    playground.pair("good")
    assert playground.once().returncode == 0
    assert codes(playground) == {"bad": "worker_died"}
    assert playground.reason("bad")["attempts"] == 3
    assert [line["delay"] for line in playground.events("job.retried")] == [0.1, 0.2]
    assert finished(playground) == {"good"}
    assert not playground.events("device.down")


@pytest.mark.parametrize("act", ["oom", "assert", "hang", "stop"])
def test_oom_device_assert_hang_sigstop_in_a_worker(playground: Playground, act: str) -> None:
    """The job fails with its reason, a hang at its time-out; the next has a new process."""
    attempts = 3 if act in {"hang", "stop"} else 1  # the next time would be as long
    playground.configure(jobs={"attempts": attempts}, workers={"grace": "300ms"})
    playground.pair("first", priority=90)
    playground.pair("bad", priority=80, timeout="1s", options={"act": act})
    playground.pair("next")
    assert playground.once().returncode == 0
    expected = {"oom": "out_of_memory", "assert": "device_failed"}.get(act, "timed_out")
    assert codes(playground) == {"bad": expected}
    assert playground.reason("bad")["attempts"] == 1
    if act == "hang":
        assert "in act" in playground.reason("bad")["detail"]  # where it hung, in its Python
    assert finished(playground) == {"first", "next"}
    assert len({line["pid"] for line in playground.events("worker.started")}) == 2


def test_a_job_that_takes_too_long_is_ended_without_a_kill(playground: Playground) -> None:
    """It moves and heeds: its worker stays for the next job."""
    playground.pair("slow", priority=90, timeout="500ms", options={"steps": 9999, "pause": 0.01})
    playground.pair("good")
    assert playground.once().returncode == 0
    assert codes(playground) == {"slow": "timed_out"}
    assert finished(playground) == {"good"}
    assert len(playground.events("worker.started")) == 1


SLOW = """
import sys, time
if "nstd.executors.worker.main" in sys.orig_argv:
    time.sleep(6)
"""
"""A worker that takes long to come up, as from a network disk."""


def test_a_worker_that_comes_up_slowly_uses_up_no_time_of_its_job(playground: Playground) -> None:
    """Neither is the job ended before it began, nor the device blamed for it."""
    playground.configure(workers={"stall": "4s", "grace": "1s", "failures": 1})
    playground.sabotage(SLOW)
    playground.pair("quick", priority=90, timeout="4s")
    playground.pair("slow", timeout="500ms", options={"steps": 9999, "pause": 0.01})
    assert playground.once().returncode == 0
    assert finished(playground) == {"quick"}
    assert codes(playground) == {"slow": "timed_out"}
    assert len(playground.events("worker.started")) == 1
    assert not playground.events("job.requeued")
    assert not playground.events("device.down")


def test_a_worker_without_progress_is_killed_and_its_job_tried_again(
    playground: Playground, tmp_path: Path
) -> None:
    """Stopped by a signal the first time, fine the second."""
    playground.configure(workers={"stall": "4s"})
    tried = str(tmp_path / "tried")
    playground.pair("beach", options={"act": "stop", "attempts_file": tried, "times": 1})
    assert playground.once().returncode == 0
    (line,) = playground.events("job.retried")
    assert line["code"] == "worker_hung"
    assert [line["attempt"] for line in playground.events("job.finished")] == [2]


def test_a_job_that_ran_out_of_memory_is_tried_in_a_new_process(
    playground: Playground, tmp_path: Path
) -> None:
    """What filled the memory is gone."""
    tried = str(tmp_path / "tried")
    playground.pair("beach", options={"act": "oom", "attempts_file": tried, "times": 1})
    assert playground.once().returncode == 0
    (line,) = playground.events("job.retried")
    assert line["code"] == "out_of_memory"
    assert len({line["pid"] for line in playground.events("worker.started")}) == 2
    assert finished(playground) == {"beach"}


def test_a_slot_that_loses_its_worker_leaves_the_other_slots_alone(
    playground: Playground,
) -> None:
    """Two jobs at once; the neighbour's worker is the same before and after."""
    playground.configure(slots={"cpu": 2}, jobs={"attempts": 1})
    playground.start()
    enough = playground.folder / "enough"
    playground.pair("long", options={"steps": 100_000, "pause": 0.05, "until": str(enough)})
    wait_for(lambda: playground.events("job.progress"))
    playground.pair("bad", options={"act": "kill"})
    wait_for(lambda: codes(playground))
    assert not finished(playground)
    enough.touch()
    wait_for(lambda: finished(playground) == {"long"})
    assert playground.events("job.finished")[0]["attempt"] == 1


def test_term_saves_the_running_job_and_the_next_start_resumes_it(
    playground: Playground,
) -> None:
    """Without using an attempt; it goes on at the step after its checkpoint."""
    daemon = playground.start()
    playground.pair("beach", options={"steps": 150, "pause": 0.03})
    wait_for(lambda: playground.events("job.progress"))
    assert playground.stop(daemon) == 0
    (folder,) = (path.parent for path in playground.work.glob("*/job.json"))
    job = json.loads((folder / "job.json").read_text())
    assert (job["attempt"], job["running"]) == (0, False)
    saved = int((folder / "checkpoint").read_text())
    assert saved > 0
    before = len(playground.events("job.progress"))
    playground.start()
    wait_for(lambda: finished(playground) == {"beach"})
    assert playground.events("job.progress")[before]["step"] == saved + 1
    (line,) = playground.events("job.finished")
    assert (line["attempt"], line["steps"]) == (1, 150)


def test_a_worker_killed_from_outside_resumes_from_its_last_checkpoint(
    playground: Playground,
) -> None:
    """As when the kernel needs its memory: the attempt counts, the work is kept."""
    playground.start()
    playground.pair("beach", options={"steps": 150, "pause": 0.03})
    wait_for(lambda: list(playground.work.glob("*/checkpoint")))
    os.kill(playground.events("worker.started")[0]["pid"], signal.SIGKILL)
    wait_for(lambda: finished(playground) == {"beach"})
    resumed = playground.events("job.started", attempt=2)[0]["timestamp"]
    later = [x for x in playground.events("job.progress") if x["timestamp"] > resumed]
    assert later[0]["step"] > 1
