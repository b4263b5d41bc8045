"""The service as a whole: its watchdog, its neighbours, and the plugins that it was given."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.playground import Playground, codes, finished, wait_for
from support.plugins import install
from support.puppet import PUPPET

# The watchdog

BLOCKED = """
import os, sys, time
if "nstd" in sys.orig_argv and "run" in sys.orig_argv:
    from nstd.daemon.pipeline import Pipeline
    admit = Pipeline.admit

    def blocked(self, now):
        while os.path.exists({flag!r}):
            time.sleep(0.1)
        admit(self, now)

    Pipeline.admit = blocked
"""
"""The main loop is stuck in a step while a file is there; other threads go on."""


class Manager:
    """What systemd does with `WatchdogSec` and `Restart`: abort what is silent, start it again."""

    def __init__(self, playground: Playground, seconds: float) -> None:
        self.playground, self.seconds = playground, seconds
        path = playground.folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)
        usec = str(int(seconds * 1e6))
        self._environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": usec}
        self.process = self._start()
        self.ends: list[int] = []

    def _start(self) -> subprocess.Popen[bytes]:
        process = self.playground.start(env=self._environment)
        self._heard = time.monotonic()
        return process

    def watch(self) -> None:
        """Take in what was said; abort and restart a daemon that pings no more."""
        try:
            if b"WATCHDOG=1" in self._socket.recv(8192):
                self._heard = time.monotonic()
        except TimeoutError:
            pass
        if time.monotonic() - self._heard > self.seconds:
            self.ends.append(self.playground.stop(self.process, signal.SIGABRT))
            self.process = self._start()

    def close(self) -> None:
        self._socket.close()


def test_watchdog_main_loop_blocked(playground: Playground) -> None:
    """Pings stop although the process lives; it is restarted, and its job ends exactly once."""
    flag = playground.folder / "blocked"
    playground.sabotage(BLOCKED.format(flag=str(flag)))
    manager = Manager(playground, 4.0)
    playground.pair("beach", options={"steps": 100, "pause": 0.05})

    def job_runs() -> bool:
        manager.watch()
        return bool(playground.events("job.progress"))

    wait_for(job_runs, what="a running job")
    assert manager.ends == []
    flag.touch()

    def was_restarted() -> bool:
        manager.watch()
        return len(manager.ends) == 1

    wait_for(was_restarted, what="a restart")
    flag.unlink()
    assert manager.ends == [-signal.SIGABRT]

    def job_is_done() -> bool:
        manager.watch()
        return bool(playground.ended())

    wait_for(job_is_done, what="the job")
    manager.close()
    assert playground.ended() == 1
    assert playground.record("beach")["attempt"] == 1
    assert playground.events("job.recovered")


# Two daemons


@pytest.fixture
def neighbour(playground: Playground, tmp_path: Path) -> Playground:
    """Another root that takes from the same inbox."""
    (tmp_path / "neighbour").mkdir()
    neighbour = Playground(tmp_path / "neighbour", folders={"inbox": str(playground.inbox)})
    neighbour.inbox = playground.inbox
    return neighbour


def test_two_daemons_on_one_inbox(playground: Playground, neighbour: Playground) -> None:
    """Each job runs once, though one of them is killed and started again all the while."""
    steady = playground.start()
    names = {f"job-{number:02}" for number in range(24)}
    for name in sorted(names):
        playground.pair(name, options={"steps": 2, "pause": 0.01})
        if name.endswith(("3", "6", "9")):
            restless = neighbour.start()
            time.sleep(0.1)
            restless.kill()
            restless.wait(timeout=120)
    last = neighbour.start()
    wait_for(lambda: finished(playground) | finished(neighbour) == names, what="all jobs")
    assert playground.ended() + neighbour.ended() == len(names)
    assert list((playground.inbox / ".nstd").iterdir()) == []
    assert playground.stop(steady) == neighbour.stop(last) == 0


@pytest.mark.long
@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_two_daemons_race_over_a_crowd(
    playground: Playground, neighbour: Playground, count: int
) -> None:
    """Both poll, and settle on all of it at once; one dies in the middle and does not come back
    before the other is done: its own claims are its own, and nothing runs twice."""
    polling = {"mode": "poll", "poll": "100ms", "settle": "1s"}
    for each in (playground, neighbour):
        each.configure(watch=polling, jobs={"queue": 4})
    steady, doomed = playground.start(), neighbour.start()
    names = {f"job-{number:04}" for number in range(count)}
    for name in sorted(names):
        playground.pair(name)
    wait_for(lambda: playground.ended() and neighbour.ended() > count // 10, what="the race")
    doomed.kill()
    doomed.wait(timeout=120)
    wait_for(lambda: not list(playground.inbox.glob("*.yaml")), 250, "an empty inbox")
    wait_for(lambda: not list(playground.work.glob("2*")), 250, "what the first has claimed")
    theirs = {job["name"] for job in jobs_in(neighbour)}
    assert finished(playground).isdisjoint(finished(neighbour) | theirs)
    last = neighbour.start()
    wait_for(lambda: finished(playground) | finished(neighbour) == names, 120, "all jobs")
    assert playground.ended() + neighbour.ended() == count
    assert theirs <= finished(neighbour)
    wait_for(lambda: list((playground.inbox / ".nstd").iterdir()) == [], what="no claim left")
    assert playground.stop(steady) == neighbour.stop(last) == 0


@pytest.mark.long
@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_two_daemons_make_each_picture_of_a_recipe_once(
    playground: Playground, neighbour: Playground, count: int
) -> None:
    """Pictures that are kept look the same before and after; one daemon dies in the middle, and
    what it had taken it makes when it is back."""
    polling = {"mode": "poll", "poll": "100ms", "settle": "1s"}
    for each in (playground, neighbour):
        each.configure(watch=polling, jobs={"queue": 4}, limits={"folder_first": 2 * count})
    steady, doomed = playground.start(), neighbour.start()
    playground.picture("starry/style.png", color="orange")
    (playground.inbox / "starry" / "recipe.yaml").write_text("style: style.png\n")
    names = {f"photo-{number:04}" for number in range(count)}
    for number, name in enumerate(sorted(names)):
        playground.picture(f"starry/{name}.png", color=f"rgb({number % 256},{number // 256},9)")
    wait_for(lambda: playground.ended() and neighbour.ended() > count // 10, what="the race")
    doomed.kill()
    doomed.wait(timeout=120)
    last = neighbour.start()
    wait_for(lambda: finished(playground) | finished(neighbour) == names, 250, "all pictures")
    assert finished(playground).isdisjoint(finished(neighbour))
    assert playground.stop(steady) == neighbour.stop(last) == 0
    for each in (playground, neighbour):
        assert each.once().returncode == 0
    assert playground.ended() + neighbour.ended() == count
    notes = list((playground.inbox / ".nstd" / "made" / "starry").glob("[0-9a-f]*.json"))
    assert len(notes) == count + 1  # one is that of the style
    assert {path.name for path in (playground.inbox / ".nstd").iterdir()} == {"made"}


def jobs_in(playground: Playground) -> list[dict[str, Any]]:
    """What the job folders hold."""
    return [json.loads(path.read_text()) for path in playground.work.glob("2*/job.json")]


STUCK = """
import os, sys, time
if {root!r} in " ".join(sys.orig_argv):
    from nstd.system.durable import Files

    def step(self, operation, path):
        if operation == "create" and "/.new/" in str(path):
            while not os.path.exists({flag!r}):
                time.sleep(0.05)

    Files.step = step
"""
"""A daemon that stands still in the middle of every claim until a file is there."""


def test_two_daemons_on_one_inbox_leave_each_others_claims_alone(
    playground: Playground, neighbour: Playground
) -> None:
    """One that starts while the other is in the middle of a claim does not take it back."""
    flag = playground.folder / "go on"
    playground.sabotage(STUCK.format(root=str(playground.config_path), flag=str(flag)))
    playground.start()
    sidecar = playground.pair("beach")
    wait_for(lambda: not sidecar.exists(), what="the claim")
    second = neighbour.start()
    time.sleep(1)
    assert not sidecar.exists()
    flag.touch()
    wait_for(lambda: finished(playground) == {"beach"}, what="the job")
    assert neighbour.stop(second) == 0
    assert neighbour.ended() == 0


# Plugins


def test_plugin_raising_at_import_run_exit(playground: Playground) -> None:
    """Others are unaffected, the status of each is listed."""
    site = playground.site
    install(site, "at-import", before="raise RuntimeError('no licence')")
    install(site, "at-run", PUPPET.replace('"puppet"', '"at-run"'), attribute="Puppet")
    leaves = "import atexit; atexit.register(lambda: 1 / 0)"
    source = PUPPET.replace('"puppet"', '"at-exit"')
    install(site, "at-exit", source, before=leaves, attribute="Puppet")
    listed = playground.command("backends").stdout
    assert "no licence" in listed
    playground.pair("import", backend="at-import")
    playground.pair("run", backend="at-run", options={"act": "raise"})
    playground.pair("exit", backend="at-exit")
    playground.pair("good")
    assert playground.once().returncode == 0
    assert codes(playground) == {"import": "backend_unknown", "run": "backend_failed"}
    assert "load_error" in playground.reason("import")["message"]
    assert "the puppet raises" in playground.reason("run")["message"]
    assert finished(playground) == {"exit", "good"}
    (failed,) = playground.events("plugin.failed")
    assert (failed["name"], failed["status"]) == ("at-import", "load_error")
