"""`nstd status --health`: whether the daemon is alive, for what starts it anew."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.executors import make_config
from support.playground import Playground

from nstd.client.health_check import LONGEST, check_life
from nstd.daemon.health import HealthFile
from nstd.queue.daemon_state import DaemonState
from nstd.queue.health import BEAT, DeviceHealth, Health
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files
from nstd.system.layout import HEALTH, LOCK
from nstd.system.lock import Lock


@contextmanager
def held(work: Path) -> Iterator[None]:
    """A daemon has the root, as far as its lock tells."""
    lock = Lock(work / LOCK)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write(work: Path, age: float, **fields: Any) -> None:
    """A health file whose last sign of life was so many seconds ago."""
    file = work / HEALTH
    file.write_text(Health(pid=os.getpid(), **fields).model_dump_json())
    os.utime(file, (time.time() - age, time.time() - age))


def test_a_daemon_with_signs_of_life_is_alive(tmp_path: Path) -> None:
    """Also one that is a little late."""
    with held(tmp_path):
        for age in (0.0, BEAT, LONGEST - 10):
            write(tmp_path, age)
            life = check_life(tmp_path)
            assert life.is_alive
            assert "its last sign of life was" in life.text


def test_a_daemon_without_signs_of_life_hangs(tmp_path: Path) -> None:
    """As does one that has never given any."""
    with held(tmp_path):
        life = check_life(tmp_path)
        assert (life.is_alive, life.text) == (False, "the daemon has written no health file yet")
        write(tmp_path, LONGEST + 5)
        life = check_life(tmp_path)
        assert not life.is_alive
        assert re.search(r"hangs: .* 1m3\d(\.\d+)?s ago", life.text)


def test_a_file_that_a_daemon_has_left_is_no_sign_of_life(tmp_path: Path) -> None:
    """Without one that holds the lock."""
    write(tmp_path, 0.0)
    assert not check_life(tmp_path).is_alive


def test_what_a_new_start_would_not_change_is_told(tmp_path: Path) -> None:
    """Devices, inbox and disk: the daemon is alive all the same."""
    down = DeviceHealth(device="cuda:0", slots=1, state="down", failures=3)
    with held(tmp_path):
        write(tmp_path, 1.0, devices=(down,), inbox_lost=True, paused="the disk is full")
        life = check_life(tmp_path)
    assert life.is_alive
    assert "1 device down: cuda:0; the inbox cannot be read" in life.text
    assert life.text.endswith("intake is paused: the disk is full")


def test_the_daemon_renews_its_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing has changed; and writes the file again that somebody has removed."""
    scheduler, file = Scheduler([], make_config(tmp_path)), tmp_path / HEALTH
    health, now = HealthFile(file, Files()), time.monotonic()

    def turn(later: float) -> float:
        monkeypatch.setattr("nstd.daemon.health.time.monotonic", lambda: now + later)
        health.write(scheduler, DaemonState())
        return file.stat().st_mtime if file.exists() else 0.0

    turn(0.0)
    text = file.read_text()
    os.utime(file, (1.0, 1.0))
    assert turn(BEAT - 1) == 1.0
    assert turn(BEAT) > 1.0
    file.unlink()
    turn(3 * BEAT)
    turn(3 * BEAT + 1)
    assert file.read_text() == text


def test_the_command_says_it_in_a_line_and_by_its_exit_code(playground: Playground) -> None:
    """Before the daemon, while it runs, and with an option that goes with something else."""
    done = playground.command("status", "--health")
    assert (done.returncode, done.stdout) == (1, "no daemon runs on this root\n")
    with held(playground.work):
        write(playground.work, 0.0)
        done = playground.command("status", "--health")
    assert done.returncode == 0
    assert done.stdout.startswith("the daemon is alive: ")
    assert playground.command("status", "--health", "--json").returncode == 2
