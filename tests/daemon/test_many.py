"""Many files at once: every job ends exactly once, in bounded memory, and the watchdog hears it."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from soak.judge import Judge, sidecars
from soak.manager import WATCHDOG, Manager
from soak.scan import measure
from support.playground import Playground, wait_for

from nstd.documents.config import Config
from nstd.intake.inbox import Inbox
from nstd.system.nofollow import Folder, Signature

GROWTH = 30 * 2**20
"""Bytes by which the daemon may grow while it works off a crowd."""
EACH = 4 * 2**10
"""Bytes that each sidecar which waits may cost it beyond that."""
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def crowd(playground: Playground, count: int) -> dict[str, int]:
    """Drop `count` pairs, each with a content of its own; the priority of each job."""
    rng = random.Random(7)
    playground.picture("style.png", color="orange")
    priorities = {f"job-{number:04}": rng.randrange(101) for number in range(count)}
    for name, priority in priorities.items():
        playground.picture(f"{name}.png", color=f"hsl({rng.randrange(360)}, 60%, 50%)")
        playground.sidecar(name, content=f"{name}.png", priority=priority, options={"steps": 1})
    return priorities


@pytest.mark.long
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
    ours = {"logs", ".staging", "gallery", "index.html"}
    folders = {path.name for path in playground.outbox.iterdir()} - ours
    assert folders == set(priorities)
    assert all((playground.outbox / name / f"{name}.png").exists() for name in priorities)
    assert not list(playground.inbox.glob("*.yaml"))
    assert not list(playground.work.glob("2*"))
    assert after - before < GROWTH
    assert playground.stop(process) == 0


@pytest.fixture
def manager(playground: Playground) -> Iterator[Manager]:
    """Stands in for systemd, and counts the pings."""
    manager = Manager(playground.config_path, playground.environment, playground.folder)
    yield manager
    manager.close()


def up(manager: Manager) -> int:
    """Start the daemon and wait until it is ready; its pid."""
    manager.keep_up()
    assert manager.ready.wait(60)
    assert manager.process is not None
    return manager.process.pid


def pile(playground: Playground, count: int) -> None:
    """Drop so many sidecars that name the same pictures."""
    for name, color in (("content.png", "teal"), ("style.png", "orange")):
        playground.picture(name, color=color)
    for number in range(count):
        path = playground.inbox / f"job-{number:05}.yaml"
        path.write_text("content: content.png\nstyle: style.png\n")


def is_done(playground: Playground) -> bool:
    """Whether nothing waits or runs any more."""
    waiting = next(sidecars(playground.inbox), None)
    return waiting is None and not list(playground.work.glob("2*"))


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
def test_all_of_a_pile_end_once_and_the_watchdog_is_heard(
    playground: Playground,
    manager: Manager,
    count: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Sidecars dropped as fast as they can be written, while the daemon runs."""
    playground.configure(slots={"cpu": 2}, log={"console": "none"})
    pid = up(manager)
    before, began = peak(pid), time.monotonic()
    pile(playground, count)
    wait_for(lambda: is_done(playground), 3000, f"{count} jobs")
    seconds, after = time.monotonic() - began, peak(pid)
    figures = (
        f"{count} in {seconds:.0f} s, peak {before >> 20} to {after >> 20} MiB, "
        f"{manager.pings} pings, {manager.longest_gap:.1f} s apart at most"
    )
    record_property("figures", figures)
    print(figures)

    judge = Judge(playground.inbox, playground.work, playground.outbox)
    places, told = judge.places(), judge.terminal_events()
    assert places == {f"job-{number:05}": ["outbox"] for number in range(count)}
    assert told == {result.job: 1 for result in judge.results.values()}
    assert not judge.torn
    assert after - before < GROWTH + EACH * count
    assert 0 < manager.longest_gap < WATCHDOG


@pytest.mark.skipif(
    not QUEUE.exists() or int(QUEUE.read_text()) > 100_000, reason="needs a short event queue"
)
def test_an_overflowing_event_queue_loses_no_job_and_does_not_end_the_watch(
    playground: Playground, manager: Manager
) -> None:
    """The daemon is stopped while more happens than the kernel keeps; no rescan is due."""
    playground.configure(watch={"mode": "events", "rescan": "1h"})
    pid = up(manager)
    playground.pair("before")
    wait_for(lambda: playground.events("job.finished", name="before"))
    manager.send(signal.SIGSTOP)
    wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    for number in range(int(QUEUE.read_text()) + 1000):
        (playground.inbox / f"{number}.part").touch()
    playground.pair("lost")
    manager.send(signal.SIGCONT)
    wait_for(lambda: playground.events("job.finished", name="lost"))
    playground.pair("after")
    wait_for(lambda: playground.events("job.finished", name="after"))
    assert playground.ended() == 3


@pytest.mark.parametrize("count", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_ignored_files_do_not_hold_up_jobs(
    playground: Playground, manager: Manager, count: int
) -> None:
    """Other programs may leave what they like in the inbox."""
    for number in range(count):
        (playground.inbox / f"{number}.part").touch()
    up(manager)
    for number in range(3):
        playground.pair(f"job-{number}")
    wait_for(lambda: playground.ended() == 3)
    assert manager.longest_gap < WATCHDOG


def test_only_sidecars_and_what_they_name_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else lies in the inbox costs no more than its name."""
    looked: list[str] = []
    signature = Folder.signature

    def looking(root: Folder, name: str) -> Signature:
        looked.append(name)
        return signature(root, name)

    monkeypatch.setattr(Folder, "signature", looking)
    for folder in ("inbox", "inbox/sub"):
        (tmp_path / folder).mkdir()
        for name in ("a.part", "b.png", "c.txt", ".d.yaml", "e.yaml~"):
            (tmp_path / folder / name).touch()
    for name in ("c.png", "s.png"):
        (tmp_path / "inbox" / name).touch()
    (tmp_path / "inbox" / "job.yaml").write_text("content: c.png\nstyle: s.png\n")
    inbox = Inbox(Config.at(tmp_path, watch={"settle": 0}))
    assert len(inbox.ready(0)) == 1
    assert sorted(looked) == ["c.png", "job.yaml", "s.png"]


def test_the_cost_of_a_scan_can_be_measured() -> None:
    """By `python -m tests.soak.scan`; here a small one."""
    seconds, _ = measure(20, 20)
    assert len(seconds) == 3
