"""Many pairs at once: each ends exactly once, in order of priority, in bounded memory."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import psutil
import pytest
from support import Playground, wait_for

GROWTH = 30 * 2**20
"""Bytes by which the daemon may grow while it works off a crowd."""


def crowd(playground: Playground, count: int) -> dict[str, int]:
    """Drop `count` pairs, each with a content of its own; the priority of each job."""
    rng = random.Random(7)
    playground.picture("style.png", color="orange")
    priorities = {f"job-{number:04}": rng.randrange(101) for number in range(count)}
    for name, priority in priorities.items():
        playground.picture(f"{name}.png", color=f"hsl({rng.randrange(360)}, 60%, 50%)")
        playground.sidecar(name, content=f"{name}.png", priority=priority, options={"steps": 1})
    return priorities


@pytest.mark.parametrize("count", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_a_crowd_is_worked_off(
    playground: Playground, count: int, record_property: Callable[[str, object], None]
) -> None:
    """Dropped while the daemon runs, held back by the settle time until all are there."""
    playground.configure(slots={"cpu": 2}, watch={"settle": "1h"})
    process = playground.start()
    daemon = psutil.Process(process.pid)
    priorities = crowd(playground, count)
    time.sleep(1)
    before = daemon.memory_info().rss
    playground.configure(watch={"settle": "200ms"})
    began = time.monotonic()
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: playground.ended() >= count, 250, f"{count} jobs")
    seconds = time.monotonic() - began
    after = daemon.memory_info().rss
    figures = f"{count} pairs in {seconds:.1f} s, {before >> 20} to {after >> 20} MiB"
    record_property("figures", figures)
    print(figures)

    started = [line["name"] for line in playground.events("job.started")]
    assert [priorities[name] for name in started] == sorted(priorities.values(), reverse=True)
    slots = Counter(line["slot"] for line in playground.events("job.started"))
    assert len(slots) == 2
    ends = Counter(line["name"] for line in playground.events("job.finished"))
    assert ends == Counter(list(priorities))
    assert not playground.events("job.failed")
    folders = {path.name for path in playground.outbox.iterdir()} - {"logs", ".staging"}
    assert folders == set(priorities)
    assert all((playground.outbox / name / f"{name}.png").exists() for name in priorities)
    assert not list(playground.inbox.glob("*.yaml"))
    assert not list(playground.work.glob("2*"))
    assert after - before < GROWTH
    assert playground.stop(process) == 0
