"""A clock of the wall that jumps by a day: nothing ends early or late."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.clock import Clock
from support.playground import Playground, wait_for

DAY = 86400


@pytest.fixture
def clock(playground: Playground) -> Clock:
    """A clock that goes right for now."""
    return Clock(playground.folder / "clock", playground.site)


def wall(line: dict[str, str]) -> datetime:
    """When a line of the log was written, as the daemon's wall clock says."""
    return datetime.fromisoformat(line["timestamp"])


@pytest.mark.parametrize("jump", [DAY, pytest.param(-DAY, marks=pytest.mark.slow)])
def test_clock_plus_minus_1_day(playground: Playground, clock: Clock, jump: int) -> None:
    """No early or late time-out: not of a job, a retry, an orphan, a file that settles."""
    playground.configure(
        watch={"orphan": "2h"},
        jobs={"backoff": "2h", "timeout": "2h"},
        workers={"stall": "2h", "keep_warm": "2h"},
        slots={"cpu": 3},
    )
    daemon = playground.start()
    playground.pair("long", options={"steps": 1, "pause": 3600})
    playground.pair("again", options={"act": "kill"})
    playground.sidecar("lonely", content="never.png")
    wait_for(lambda: playground.events("job.started", name="long"), what="long")
    wait_for(lambda: playground.events("job.retried"), what="the retry that waits")
    wait_for(lambda: playground.events("inbox.waiting"), what="the orphan")
    before = playground.events()[-1]
    clock.jump(jump)

    playground.pair("short", timeout="2s", options={"steps": 1, "pause": 3600})
    wait_for(lambda: playground.events("job.failed", name="short"), what="not a day too late")
    for number, day in enumerate((0, DAY, -DAY)):  # pictures of today, tomorrow and yesterday
        picture = playground.picture(f"{number}.png")
        os.utime(picture, (time.time() + day, time.time() + day))
        playground.sidecar(f"job-{number}", content=picture.name)
    wait_for(lambda: len(playground.events("job.finished")) == 3, what="jobs that come now")

    after = playground.events()[-1]
    assert abs(wall(after) - wall(before) - timedelta(seconds=jump)) < timedelta(hours=1)
    assert [line["name"] for line in playground.events("job.failed")] == ["short"]
    assert playground.reason("short")["code"] == "timed_out"
    assert len(playground.events("job.started", name="again")) == 1
    assert len(playground.events("inbox.waiting")) == 1
    assert not playground.events("daemon.error")
    assert playground.stop(daemon) == 0


@pytest.mark.parametrize("jump", [pytest.param(DAY, marks=pytest.mark.slow), -DAY])
def test_a_device_is_tried_again_in_its_time_after_the_clock_jumped_by_a_day(
    playground: Playground, clock: Clock, jump: int
) -> None:
    """Neither at once nor a day later."""
    playground.configure(jobs={"attempts": 1}, workers={"failures": 1, "cooldown": "3s"})
    playground.start()
    for name in ("one", "two"):
        playground.pair(name, options={"act": "assert"})
    wait_for(lambda: playground.events("device.down"), what="device.down")
    down = time.monotonic()
    clock.jump(jump)
    playground.pair("three")
    wait_for(lambda: playground.events("device.up"), what="device.up")
    assert time.monotonic() - down > 2


def test_jobs_of_an_earlier_run_survive_a_clock_that_was_set_back(
    playground: Playground, clock: Clock
) -> None:
    """Their ids and times lie in the future of the next run, whose ids are other ones."""
    playground.configure(slots={"cpu": 1})
    clock.jump(DAY)
    daemon = playground.start()
    playground.pair("first", options={"steps": 1, "pause": 3600})
    wait_for(lambda: playground.events("job.started"), what="first")
    playground.pair("second")
    wait_for(lambda: playground.events("job.claimed", name="second"), what="second")
    daemon.kill()
    daemon.wait(timeout=120)
    job = Path(playground.work, playground.events("job.started")[0]["job"], "job.json")
    job.write_text(job.read_text().replace("3600", "0"))
    clock.jump(0)
    playground.pair("third")
    assert playground.once().returncode == 0
    names = sorted(line["name"] for line in playground.events("job.finished"))
    assert names == ["first", "second", "third"]
    assert playground.ended() == 3
