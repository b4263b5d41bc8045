"""The whole daemon with workers and devices that die, hang, run out of memory, and come back."""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import Playground, wait_for

import nstd


def reasons(playground: Playground) -> dict[str, str]:
    """The codes of the jobs that failed, by name."""
    return {line["name"]: line["code"] for line in playground.events("job.failed")}


def finished(playground: Playground) -> set[str]:
    return {line["name"] for line in playground.events("job.finished")}


@pytest.mark.parametrize("act", ["exit", "kill"])
def test_a_job_that_kills_its_worker_every_time_fails_in_the_end(
    playground: Playground, act: str
) -> None:
    """All its attempts with a growing wait between them; the device is not blamed for one job."""
    playground.configure(jobs={"attempts": 3}, workers={"failures": 2})
    playground.pair("bad", priority=90, options={"act": act})
    playground.pair("good")
    assert playground.once().returncode == 0
    assert reasons(playground) == {"bad": "worker_died"}
    assert playground.reason("bad")["attempts"] == 3
    assert [line["delay"] for line in playground.events("job.retried")] == [0.1, 0.2]
    assert finished(playground) == {"good"}
    assert not playground.events("device.down")


@pytest.mark.parametrize("act", ["hang", "stop"])
def test_a_job_that_heeds_nothing_is_killed_at_its_time_out(
    playground: Playground, act: str
) -> None:
    """After the grace, and not tried again: the next time would be as long."""
    playground.configure(workers={"grace": "300ms"})
    playground.pair("bad", priority=90, timeout="1s", options={"act": act})
    playground.pair("good")
    assert playground.once().returncode == 0
    assert reasons(playground) == {"bad": "timed_out"}
    reason = playground.reason("bad")
    assert reason["attempts"] == 1
    if act == "hang":
        assert "in act" in reason["detail"]  # a Python traceback of where it hung
    assert finished(playground) == {"good"}


def test_a_job_that_takes_too_long_is_ended_without_a_kill(playground: Playground) -> None:
    """It moves and heeds: its worker stays for the next job."""
    playground.pair("slow", priority=90, timeout="500ms", options={"steps": 9999, "pause": 0.01})
    playground.pair("good")
    assert playground.once().returncode == 0
    assert reasons(playground) == {"slow": "timed_out"}
    assert finished(playground) == {"good"}
    assert len(playground.events("worker.started")) == 1


def test_a_worker_without_progress_is_killed_and_its_job_tried_again(
    playground: Playground, tmp_path: Path
) -> None:
    """Stopped by a signal the first time, fine the second."""
    playground.configure(workers={"stall": "1s"})
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


def test_a_device_that_fails_every_job_is_left_alone_and_tried_again(
    playground: Playground,
) -> None:
    """Intake pauses, status tells, and when a job succeeds on it again all goes on."""
    playground.configure(
        jobs={"attempts": 1}, workers={"failures": 2, "cooldown": "3s", "exit_when_all_down": False}
    )
    playground.start()
    playground.pair("one", options={"act": "kill"})
    playground.pair("two", options={"act": "kill"})
    wait_for(lambda: playground.events("device.down"))
    wait_for(lambda: playground.events("intake.paused"))
    told = json.loads(playground.command("status", "--json").stdout)
    (device,) = told["devices"]
    assert (device["device"], device["state"], device["failures"]) == ("cpu", "down", 2)
    playground.pair("three")
    wait_for(lambda: playground.events("device.up"))
    wait_for(lambda: finished(playground) == {"three"})
    assert playground.events("intake.resumed")
    assert reasons(playground) == {"one": "worker_died", "two": "worker_died"}
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
        playground.pair(f"job-{number}", options={"act": "exit"})
    if how == "once":
        assert playground.once().returncode == 5
    else:
        assert playground.start().wait(timeout=60) == 5
    assert len(reasons(playground)) == 2
    (job,) = playground.work.glob("*/job.json")
    assert json.loads(job.read_text())["attempt"] == 0


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


def test_a_slot_that_loses_its_worker_leaves_the_other_slots_alone(
    playground: Playground,
) -> None:
    """Two jobs at once; the neighbour's worker is the same before and after."""
    playground.configure(slots={"cpu": 2}, jobs={"attempts": 1})
    playground.start()
    playground.pair("long", options={"steps": 60, "pause": 0.05})
    wait_for(lambda: playground.events("job.progress"))
    playground.pair("bad", options={"act": "kill"})
    wait_for(lambda: reasons(playground))
    assert not finished(playground)
    wait_for(lambda: finished(playground) == {"long"})
    assert playground.events("job.finished")[0]["attempt"] == 1


def test_a_running_job_shows_its_progress_and_a_preview(playground: Playground) -> None:
    """In its work folder, for `nstd status` and for people."""
    playground.start()
    playground.pair("beach", options={"steps": 4000, "pause": 0.02})
    wait_for(lambda: list(playground.work.glob("*/preview.jpg")))
    (folder,) = (path.parent for path in playground.work.glob("*/preview.jpg"))
    with Image.open(folder / "preview.jpg") as preview:
        preview.load()
    noted = json.loads((folder / "progress.json").read_text())
    assert 0 < noted["step"] < noted["steps"] == 4000
    assert noted["losses"]["total"] > 0
    assert noted["slot"] == "cpu/0"


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


# A daemon without torch

LIGHT = ("torch", "torchvision", "numpy", "PIL")
ELSEWHERE = (  # what only workers and `nstd bench` import
    "nstd.attempt",
    "nstd.bench.",
    "nstd.images",
    "nstd.inputs",
    "nstd.samples",
    "nstd.worker",
    "nstd.__main__",
)


def loaded(code: str, environment: dict[str, str], *arguments: str) -> Any:
    """What a new Python that ran `code` has imported, of what the daemon must not."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_module_of_the_daemon_imports_torch_or_handles_pictures(
    playground: Playground,
) -> None:
    """Each by itself and all together, and the classes of the built-in backends too."""
    names = [
        module.name
        for module in pkgutil.walk_packages(nstd.__path__, "nstd.")
        if not module.name.startswith((*ELSEWHERE, "nstd.backends.", "nstd.executors.inline"))
    ]
    assert "nstd.daemon" in names
    assert "nstd.executors.local" in names
    names += ["nstd.backends.gatys", "nstd.backends.color_transfer"]
    code = f"""
import importlib, json, sys
guilty = {{}}
for name in sys.argv[1:]:
    importlib.import_module(name)
    for heavy in {LIGHT!r}:
        if heavy in sys.modules:
            guilty.setdefault(heavy, name)
print(json.dumps(guilty))
"""
    assert loaded(code, playground.environment, *names) == {}


def test_a_daemon_that_has_made_a_picture_has_not_imported_torch(playground: Playground) -> None:
    """Plugins were probed, options parsed, a job run and published: all without."""
    playground.pair("beach", backend="color-transfer")
    playground.pair("other")
    code = f"""
import json, sys
from pathlib import Path
from nstd.config import load_config
from nstd.daemon import Daemon
status = Daemon(load_config(Path(sys.argv[1])), once=True).run()
print(json.dumps([status, [name for name in {LIGHT!r} if name in sys.modules]]))
"""
    assert loaded(code, playground.environment, str(playground.config_path)) == [0, []]
    assert finished(playground) == {"beach", "other"}
