"""One daemon per root."""

from __future__ import annotations

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
