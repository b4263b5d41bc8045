"""Memory that workers reserve, so that two which begin at once do not both count on it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nstd.system import reservations

GIGABYTE = 2**30
Begin = Callable[[int], "subprocess.Popen[str]"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a worker that reserves so many bytes, and lives on."""
    workers: list[subprocess.Popen[str]] = []

    def begin(peak: int) -> subprocess.Popen[str]:
        code = (
            "import sys, pathlib, nstd.system.reservations as r\n"
            f"r.FOLDER = pathlib.Path({str(reservations.FOLDER)!r})\n"
            f"with r.locked(): r.reserve({peak})\n"
            "print('reserved', flush=True); sys.stdin.readline()\n"
            "r.release(); print('released', flush=True); sys.stdin.readline()\n"
        )
        worker = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        workers.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "reserved\n"
        return worker

    yield begin
    for worker in workers:
        worker.kill()
        worker.communicate()


def test_what_another_has_reserved_and_not_taken_is_outstanding(begin: Begin) -> None:
    """Less what it holds already; each of several counts."""
    begin(GIGABYTE)
    assert GIGABYTE - 100 * 2**20 < reservations.outstanding() < GIGABYTE
    begin(GIGABYTE)
    assert reservations.outstanding() > 1.8 * GIGABYTE


def test_what_is_released_is_free_again(begin: Begin) -> None:
    """As when a job has ended and its worker waits for the next."""
    worker = begin(GIGABYTE)
    assert worker.stdin is not None and worker.stdout is not None
    print(file=worker.stdin, flush=True)
    assert worker.stdout.readline() == "released\n"
    assert reservations.outstanding() == 0


def test_a_killed_worker_reserves_nothing(begin: Begin) -> None:
    """Nor does one whose number another process got."""
    worker = begin(GIGABYTE)
    worker.kill()
    worker.wait()
    assert reservations.outstanding() == 0
    assert not list(reservations.FOLDER.glob("*.reserved"))
    reservations.FOLDER.joinpath(f"{os.getppid()}.reserved").write_text(f"1 {GIGABYTE}")
    assert reservations.outstanding() == 0


def test_ones_own_reservation_is_not_in_ones_way() -> None:
    """It is replaced by the next."""
    with reservations.locked():
        reservations.reserve(GIGABYTE)
        reservations.reserve(2 * GIGABYTE)
    assert reservations.outstanding() == 0
    assert len(list(reservations.FOLDER.glob("*.reserved"))) == 1


def test_only_one_decides_at_a_time() -> None:
    """Whoever asks later sees what the first has reserved."""
    entered = threading.Event()

    def ask() -> None:
        with reservations.locked():
            entered.set()

    with reservations.locked():
        other = threading.Thread(target=ask)
        other.start()
        assert not entered.wait(0.2)
    other.join(10)
    assert entered.is_set()


def test_a_folder_that_others_planted_is_not_used(tmp_path: Path) -> None:
    """Nothing is written through a link; jobs are admitted without."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    reservations.FOLDER.symlink_to(elsewhere)
    with reservations.locked():
        reservations.reserve(GIGABYTE)
    assert list(elsewhere.iterdir()) == []
    assert reservations.outstanding() == 0


def test_rubbish_in_the_folder_is_passed_over() -> None:
    """A job must not fail for it."""
    with reservations.locked():
        pass
    for name, text in {"x.reserved": "1 2", f"{os.getppid()}.reserved": "nonsense"}.items():
        reservations.FOLDER.joinpath(name).write_text(text)
    assert reservations.outstanding() == 0
