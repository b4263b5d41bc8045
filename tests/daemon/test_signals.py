"""Signals to the real process: drain, end at once, reload; and what systemd is told."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.playground import Playground, wait_for

LONG = {"steps": 5000, "pause": 0.02}
QUIET = {"steps": 2, "pause": 3600}
"""Options of a job that does not report, and so does not hear that it should stop."""


def running(playground: Playground, name: str = "beach") -> str:
    """Wait until the job runs and has reported; its id."""
    wait_for(lambda: playground.events("job.progress"), what="progress")
    return str(playground.events("job.started", name=name)[-1]["job"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_idle_ends_at_once(playground: Playground, number: int) -> None:
    """Exit status 0, and the last line tells."""
    process = playground.start()
    began = time.monotonic()
    assert playground.stop(process, number) == 0
    assert time.monotonic() - began < 60
    (stopping,) = playground.events("daemon.stopping")
    assert (stopping["reason"], stopping["running"]) == (signal.Signals(number).name, 0)
    assert playground.events()[-1]["event"] == "daemon.stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_busy_saves_the_job_and_puts_it_back(playground: Playground, number: int) -> None:
    """A checkpoint is written, no attempt is used, and the next run goes on from there."""
    playground.configure(jobs={"checkpoint": "1h"})
    playground.pair("beach", options={"steps": 200, "pause": 0.02})
    process = playground.start()
    job = running(playground)
    playground.pair("late")
    assert playground.stop(process, number) == 0
    saved = int((playground.work / job / "checkpoint").read_text())
    assert saved > 0
    assert [line["reason"] for line in playground.events("job.requeued")] == ["stopped"]
    assert playground.events("daemon.stopped")[0]["finished"] == 0
    assert playground.once().returncode == 0
    assert [line["attempt"] for line in playground.events("job.started", job=job)] == [1, 1]
    later = playground.events("daemon.started")[-1]["timestamp"]
    steps = [
        line["step"]
        for line in playground.events("job.progress", job=job)
        if line["timestamp"] > later
    ]
    assert steps[0] > saved
    assert playground.record("beach")["state"] == "finished"


def test_nothing_is_claimed_or_started_after_the_signal(playground: Playground) -> None:
    """What lies in the inbox and what waits stays for the next run."""
    playground.configure(workers={"grace": "3s"})
    playground.pair("beach", options=QUIET)
    process = playground.start()
    wait_for(lambda: playground.events("job.started"))
    playground.pair("waiting")
    wait_for(lambda: playground.events("job.claimed", name="waiting"))
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: playground.events("daemon.stopping"))
    playground.pair("late")
    assert process.wait(timeout=120) == 0
    assert len(playground.events("job.started")) == 1
    assert not playground.events("job.claimed", name="late")
    assert (playground.inbox / "late.yaml").exists()


def test_a_job_that_does_not_stop_is_killed_after_the_grace(playground: Playground) -> None:
    """The daemon ends within it, and the job waits without a used attempt."""
    playground.configure(workers={"grace": "1s"})
    playground.pair("beach", options=QUIET)
    process = playground.start()
    wait_for(lambda: playground.events("worker.started"))
    began = time.monotonic()
    assert playground.stop(process) == 0
    assert 0.9 < time.monotonic() - began < 60
    assert "killed" in playground.events("worker.ended")[0]["reason"]
    assert [line["reason"] for line in playground.events("job.requeued")]
    assert "1 waiting" in playground.command("status").stdout


def test_second_term_ends_it_at_once(playground: Playground) -> None:
    """It does not wait for the grace; no worker is left, and the job is put back."""
    playground.configure(workers={"grace": "1h"})
    playground.pair("beach", options=QUIET)
    process = playground.start()
    wait_for(lambda: playground.events("worker.started"))
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: playground.events("daemon.stopping"))
    began = time.monotonic()
    assert playground.stop(process) == 0
    assert time.monotonic() - began < 60
    worker = playground.events("worker.started")[0]["pid"]
    assert not Path(f"/proc/{worker}").exists()
    assert playground.events("job.requeued")


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5])
def test_a_signal_during_start_up_ends_it(playground: Playground, pause: float) -> None:
    """At whatever moment it comes, the daemon ends, with nothing lost."""
    playground.pair("beach")
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", "run", "-c", str(playground.config_path)],
        env=playground.environment,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(pause)
    process.terminate()
    assert process.wait(timeout=120) in {0, -signal.SIGTERM}
    assert playground.once().returncode == 0
    assert len(playground.events("job.finished")) == 1


# What systemd is told


class Manager:
    """The socket of a service manager, and what came over it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self.messages: list[tuple[float, dict[str, str]]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(8192).decode():
                fields = dict(line.split("=", 1) for line in data.splitlines())
                self.messages.append((time.monotonic(), fields))

    def close(self) -> None:
        """End the thread by an empty message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(self.path))
        self._thread.join(timeout=5)
        self._socket.close()

    def times(self, key: str, value: str = "") -> list[float]:
        """When messages with that variable came."""
        return [
            when
            for when, fields in list(self.messages)
            if key in fields and value in {"", fields[key]}
        ]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager."""
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def test_systemd_is_told_of_every_turn_of_its_life(
    playground: Playground, manager: Manager
) -> None:
    """READY, a STATUS with the counts, RELOADING with the time and READY again, STOPPING."""
    process = playground.start(env={"NOTIFY_SOCKET": str(manager.path)})
    wait_for(lambda: manager.times("READY", "1"))
    playground.pair("beach", options=LONG)
    running(playground)
    wait_for(lambda: manager.times("STATUS", "1 running, 0 waiting"))
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(manager.times("READY", "1")) == 2)
    (reloading,) = [fields for _, fields in manager.messages if "RELOADING" in fields]
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before <= int(reloading["MONOTONIC_USEC"]) <= after
    assert manager.times("READY")[0] < manager.times("RELOADING")[0] < manager.times("READY")[1]
    assert playground.stop(process) == 0
    wait_for(lambda: manager.times("STOPPING", "1"))


def test_the_watchdog_is_pinged_from_the_loop(playground: Playground, manager: Manager) -> None:
    """More often than its time-out, idle as well; a loop that hangs pings no more."""
    environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "2000000"}
    process = playground.start(env=environment)
    wait_for(lambda: len(manager.times("WATCHDOG", "1")) > 5)
    pings = manager.times("WATCHDOG", "1")
    assert max(b - a for a, b in itertools.pairwise(pings)) < 2.0
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(0.5)
    stopped = len(manager.times("WATCHDOG"))
    time.sleep(2.0)
    assert len(manager.times("WATCHDOG")) == stopped
    os.kill(process.pid, signal.SIGCONT)
    assert playground.stop(process) == 0


def test_workers_do_not_speak_for_the_daemon(playground: Playground, manager: Manager) -> None:
    """The protocol's variables are not handed down."""
    playground.pair("beach", options=LONG)
    environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "60000000"}
    playground.start(env=environment)
    running(playground)
    worker = playground.events("worker.started")[0]["pid"]
    inherited = Path(f"/proc/{worker}/environ").read_bytes()
    assert b"NOTIFY_SOCKET" not in inherited
    assert b"WATCHDOG" not in inherited


def test_hup_while_it_starts_is_heeded_when_it_is_up(playground: Playground) -> None:
    """A script that starts it and sends HUP at once does not end it: the config is read again."""
    hold = playground.folder / "hold"
    hold.touch()
    wait = f"import os, time\nwhile os.path.exists({str(hold)!r}): time.sleep(0.05)\n"
    (playground.site / "slow_start.py").write_text(wait)
    playground.sabotage(
        "import sys\n"
        "if 'run' in sys.orig_argv:\n"
        "    import nstd.documents.config as config\n"
        "    real = config.load_config\n"
        f"    def load(*a): open({str(playground.folder / 'here')!r}, 'w').close(); "
        "import slow_start; return real(*a)\n"
        "    config.load_config = load\n"
    )
    command = [sys.executable, "-m", "nstd", "run", "-c", str(playground.config_path)]
    process = subprocess.Popen(
        command, env=playground.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for((playground.folder / "here").exists)
        process.send_signal(signal.SIGHUP)
        hold.unlink()
        wait_for(lambda: playground.events("daemon.reloaded"))
        assert playground.stop(process) == 0
    finally:
        process.kill()
        process.wait()


UNSHARE = ["unshare", "-rpf", "--mount-proc", "--kill-child"]
CAN_UNSHARE = shutil.which("unshare") is not None and (
    subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0
)


@pytest.mark.skipif(not CAN_UNSHARE, reason="needs namespaces")
def test_process_1_of_a_container_reaps_orphans_and_hands_on_signals(
    playground: Playground,
) -> None:
    """A hook that leaves children behind leaves no zombies; TERM ends it as elsewhere."""
    orphans = "(sh -c 'sleep 0.1' & sh -c 'sleep 0.1' &) ; exit 0"
    seen = playground.folder / "seen"
    look = f"sleep 1; for p in /proc/[0-9]*/stat; do cat $p; done > {seen}"
    playground.configure(hooks={"on_success": ["sh", "-c", f"({orphans}); {look}"]})
    playground.pair("beach")
    command = [*UNSHARE, sys.executable, "-m", "nstd", "run", "-c", str(playground.config_path)]
    process = subprocess.Popen(
        command, env=playground.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: playground.events("hook.finished"))
        assert ") Z " not in seen.read_text()
        (started,) = playground.events("daemon.started")
        assert started["pid"] > 1
        (init,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(init), signal.SIGTERM)
        assert process.wait(timeout=120) == 0
        assert playground.events("daemon.stopped")
    finally:
        process.kill()
        process.wait()
