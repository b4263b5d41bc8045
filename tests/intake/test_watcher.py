"""Events only wake the scan; whatever becomes of them or of the inbox, the daemon goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.playground import Playground, wait_for
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter

from nstd.documents.settings import WatchSettings
from nstd.intake.watcher import Watcher
from nstd.logs import log

SLOW = {"rescan": "2s", "poll": "1h"}


class Bell:
    """Counts rings."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def wake(self) -> None:
        self._rung.set()

    def rings(self, seconds: float = 5.0) -> bool:
        """Whether it rings within some seconds from now, or has rung since the last call."""
        rang = self._rung.wait(seconds)
        self._rung.clear()
        return rang


@pytest.fixture
def bell() -> Bell:
    """What a watcher rings."""
    return Bell()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A watched folder."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def watcher(inbox: Path, bell: Bell) -> Iterator[Watcher]:
    """A watcher that waits for events."""
    watcher = Watcher(inbox, WatchSettings(mode="events"), bell.wake)
    watcher.check()
    yield watcher
    watcher.stop()


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def observers() -> list[BaseObserver]:
    """Those of the library that run."""
    return [thread for thread in threading.enumerate() if isinstance(thread, BaseObserver)]


def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events that are emitted from now on."""
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(log, "_listeners", [lambda event, line: lines.append(line)])
    return lines


# The watcher by itself


@pytest.mark.parametrize("how", ["write", "move in", "rename", "delete", "in a new folder"])
def test_a_change_rings(watcher: Watcher, inbox: Path, bell: Bell, how: str) -> None:
    """Whatever the way in which a file appears, changes or goes."""
    (inbox / "old").write_text("x")
    (inbox.parent / "outside").write_text("x")
    assert bell.rings()
    while bell.rings(0.3):
        pass
    if how == "write":
        (inbox / "new").write_text("x")
    elif how == "move in":
        (inbox.parent / "outside").rename(inbox / "new")
    elif how == "rename":
        (inbox / "old").rename(inbox / "new")
    elif how == "delete":
        (inbox / "old").unlink()
    else:
        (inbox / "sub").mkdir()
        assert bell.rings()
        while bell.rings(0.3):
            pass
        (inbox / "sub" / "new").write_text("x")
    assert bell.rings()


def test_looking_does_not_ring(watcher: Watcher, inbox: Path, bell: Bell) -> None:
    """The daemon's own scans and claims are no news, or it would never sleep."""
    (inbox / "file").write_text("x")
    (inbox / ".nstd").mkdir()
    assert bell.rings()
    while bell.rings(0.3):
        pass
    (inbox / "file").read_text()
    list(os.scandir(inbox))
    (inbox / ".nstd" / "claim").write_text("x")
    assert not bell.rings(0.5)


def test_a_folder_that_was_made_again_is_watched_again(
    watcher: Watcher, inbox: Path, bell: Bell
) -> None:
    """Deleted and made anew, or replaced by another: the next check notices."""
    shutil.rmtree(inbox)
    watcher.check()
    inbox.mkdir()
    watcher.check()
    while bell.rings(0.3):
        pass
    (inbox / "new").write_text("x")
    assert bell.rings()
    inbox.rename(inbox.with_name("old"))
    inbox.mkdir()
    watcher.check()
    while bell.rings(0.3):
        pass
    (inbox / "newer").write_text("x")
    assert bell.rings()


def test_a_folder_that_was_away_is_watched_when_it_is_back(
    watcher: Watcher, inbox: Path, bell: Bell
) -> None:
    """Moved away and back, it is the same folder; its events still come."""
    inbox.rename(inbox.with_name("away"))
    watcher.check()
    inbox.with_name("away").rename(inbox)
    watcher.check()
    while bell.rings(0.3):
        pass
    (inbox / "new").write_text("x")
    assert bell.rings()


def test_a_dead_emitter_is_noticed(watcher: Watcher, inbox: Path, bell: Bell) -> None:
    """The observer looks alive when the thread that reads the events is dead."""
    (observer,) = observers()
    (emitter,) = observer.emitters
    emitter.stop()
    emitter.join()
    assert observer.is_alive()
    watcher.check()
    assert observer not in observers()
    while bell.rings(0.3):
        pass
    (inbox / "new").write_text("x")
    assert bell.rings()


def test_watching_leaks_nothing(watcher: Watcher, inbox: Path) -> None:
    """A hundred times lost and found costs no threads and no descriptors."""
    before = threading.active_count(), descriptors()
    for _ in range(100):
        shutil.rmtree(inbox)
        inbox.mkdir()
        watcher.check()
    wait_for(lambda: threading.active_count() <= before[0] + 1)
    assert descriptors() <= before[1] + 3


def test_used_up_inotify_instances_are_told_by_their_own_limit(
    inbox: Path, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another sysctl than that of the watches would change nothing."""
    lines = told(monkeypatch)
    watcher = Watcher(inbox, WatchSettings(mode="events"), bell.wake)

    def none_left(self: InotifyEmitter) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(InotifyEmitter, "on_thread_start", none_left)
    watcher.check()
    assert "raise fs.inotify.max_user_instances" in lines[0]["reason"]


def test_without_events_it_looks_more_often_and_says_so_once(
    inbox: Path, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inotify limit is told once; when it is raised, events come again."""
    lines = told(monkeypatch)
    watcher = Watcher(inbox, WatchSettings(mode="events", rescan=60, poll=2), bell.wake)

    def no_watches(self: InotifyEmitter) -> None:
        raise OSError(28, "inotify watch limit reached")

    with monkeypatch.context() as limited:
        limited.setattr(InotifyEmitter, "on_thread_start", no_watches)
        for _ in range(3):
            watcher.check()
    assert [line["event"] for line in lines] == ["watch.degraded"]
    assert "max_user_watches" in lines[0]["reason"]
    assert watcher.interval == 2
    watcher.check()
    assert watcher.interval == 60
    (inbox / "new").write_text("x")
    assert bell.rings()
    watcher.stop()


# The daemon


def test_an_event_wakes_the_scan_long_before_the_rescan(playground: Playground) -> None:
    """With an hour between rescans, a job is done within seconds."""
    playground.configure(watch={"mode": "events", "rescan": "1h"})
    playground.start()
    time.sleep(1)
    playground.pair("beach")
    wait_for(playground.ended)


def test_sidecar_first_pictures_later(playground: Playground) -> None:
    """The pictures' events wake it as well."""
    playground.configure(watch={"mode": "events", "rescan": "1h"})
    playground.start()
    playground.sidecar("beach")
    wait_for(lambda: playground.events("inbox.waiting"))
    playground.picture("content.png")
    playground.picture("style.png")
    wait_for(playground.ended)


@pytest.mark.parametrize("mode", ["events", "poll"])
@pytest.mark.parametrize("how", ["delete", "replace", "away and back"])
def test_the_inbox_is_lost_and_found(playground: Playground, mode: str, how: str) -> None:
    """It is told, nothing is taken for deleted, and jobs are found again."""
    playground.configure(watch={"mode": mode, "rescan": "300ms", "poll": "300ms"})
    playground.sidecar("lonely", content="never.png")
    playground.start()
    wait_for(lambda: playground.events("inbox.waiting"))
    away = playground.inbox.with_name("away")
    if how == "delete":
        shutil.rmtree(playground.inbox)
    else:
        playground.inbox.rename(away)
    wait_for(lambda: playground.events("inbox.lost"), what="inbox.lost")
    if how == "away and back":
        away.rename(playground.inbox)
    else:
        playground.inbox.mkdir()
    wait_for(lambda: playground.events("inbox.back"), what="inbox.back")
    playground.pair("beach")
    wait_for(playground.ended)
    assert len(playground.events("inbox.lost")) == 1
    assert not playground.events("job.failed")
    if how == "away and back":
        assert (playground.inbox / "lonely.yaml").exists()


def test_an_inotify_limit_of_the_kernel_is_survived(playground: Playground) -> None:
    """With no inotify instance to be had, rescans find the pair."""
    playground.configure(watch={"mode": "events", "poll": "300ms"})
    playground.pair("beach")
    script = (
        "echo 0 > /proc/sys/user/max_inotify_instances || exit 99; "
        f"exec {sys.executable} -m nstd run --once -c {playground.config_path}"
    )
    done = subprocess.run(
        ["unshare", "-rU", "sh", "-c", script],
        env=playground.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert playground.record("beach")["state"] == "finished"
    (degraded,) = playground.events("watch.degraded")
    assert "inotify" in degraded["reason"]


def test_what_the_library_logs_does_not_reach_standard_error() -> None:
    """A stalled reader there would stop its thread, and with it the end of the daemon."""
    code = (
        "import logging, nstd.intake.watcher; logging.getLogger('watchdog.observers').error('lost')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_thread_it_looks_more_often(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system has none left: the inbox is read all the same, and events come again later."""
    watcher.stop()
    with monkeypatch.context() as patch:

        def refuse(_: object) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", refuse)
        watcher.check()
    assert watcher.interval == WatchSettings().poll
    watcher.check()
    assert watcher.interval == WatchSettings().rescan
