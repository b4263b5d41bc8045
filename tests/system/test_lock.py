"""One daemon per root."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import CHECKOUT
from support.playground import Playground, wait_for

from nstd.errors import StoreError
from nstd.system.lock import Lock, holder


def test_the_second_daemon_is_refused_with_the_pid_of_the_first(playground: Playground) -> None:
    """With exit code 4; the first one goes on, and its death frees the root."""
    first = playground.start()
    refused = playground.command("run")
    assert refused.returncode == 4
    assert f"pid {first.pid}" in refused.stderr
    assert f"kill {first.pid}" in refused.stderr
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished"))
    first.kill()
    first.wait(timeout=10)
    assert playground.once().returncode == 0


def test_a_lock_is_held_and_let_go(tmp_path: Path) -> None:
    """The holder is told by the kernel, not by the file."""
    path = tmp_path / "daemon.lock"
    assert holder(path) is None
    lock = Lock(path)
    lock.acquire()
    assert holder(path) == os.getpid()
    with pytest.raises(StoreError, match=f"pid {os.getpid()}"):
        Lock(path).acquire()
    lock.release()
    assert holder(path) is None
    path.write_text("12345\n")
    assert holder(path) is None


@pytest.mark.parametrize("text", ["", "somebody's notes\n", "\xff", "-3\n"])
def test_a_held_lock_without_a_pid_is_held(tmp_path: Path, text: str) -> None:
    """A full disk did not take the pid, or somebody has written into the file."""
    lock = Lock(tmp_path / "daemon.lock")
    lock.acquire()
    lock.path.write_bytes(text.encode("latin-1"))
    assert holder(lock.path) == 0
    with pytest.raises(StoreError, match="another daemon works on"):
        Lock(lock.path).acquire()
    lock.release()
    assert holder(lock.path) is None


def test_the_pid_is_written_as_soon_as_the_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A longer text that was there before leaves nothing behind."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    lock = Lock(tmp_path / "daemon.lock")
    lock.path.write_text("a longer text of an earlier time\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        lock.acquire()
        lock.keep()
    assert holder(lock.path) == 0
    lock.keep()
    assert lock.path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_lock_file_that_is_not_ours_any_more_is_an_error(tmp_path: Path, how: str) -> None:
    """Another daemon could lock the new one."""
    work = tmp_path / "work"
    work.mkdir()
    lock = Lock(work / "daemon.lock")
    lock.acquire()
    lock.keep()
    work.rename(tmp_path / "away")
    if how == "replaced":
        work.mkdir()
        (work / "daemon.lock").touch()
    with pytest.raises(StoreError, match="removed or replaced"):
        lock.keep()


def test_a_daemon_whose_work_folder_is_taken_away_stops_with_an_error(
    playground: Playground,
) -> None:
    """Else a second one would start beside it; that one has the root for itself."""
    first = playground.start()
    playground.work.rename(playground.root / "away")
    second = playground.start()
    assert first.wait(timeout=120) == 1
    assert "removed or replaced" in (playground.folder / "stderr").read_text()
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished"))
    assert second.poll() is None


def test_asking_for_the_holder_does_not_keep_a_daemon_from_starting(tmp_path: Path) -> None:
    """`nstd status` takes the lock for a moment, again and again."""
    path, is_over = tmp_path / "daemon.lock", threading.Event()
    path.touch()

    def ask() -> None:
        while not is_over.is_set():
            holder(path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(50):
            lock = Lock(path)
            lock.acquire()
            lock.release()
    finally:
        is_over.set()
        asking.join()


def test_a_full_disk_does_not_keep_the_daemon_from_locking(tmp_path: Path) -> None:
    """The pid in the file is only for people; the lock needs no space."""
    code = (
        "from pathlib import Path; from nstd.system.lock import Lock, holder; "
        "Lock(Path('lock')).acquire(); print(holder(Path('lock')))"
    )
    script = (
        f"mount -t tmpfs -o size=4k tmpfs {tmp_path} && cd {tmp_path} || exit 9; touch lock; "
        f'head -c 100k /dev/zero > filler; exec {sys.executable} -c "{code}"'
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )
    if done.returncode in {1, 9} and "Traceback" not in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert done.stdout == "0\n", done.stderr
