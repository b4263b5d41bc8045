"""The guests themselves: they leave nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from support.playground import wait_for

from systemd.guest import ROOT, Guest, remove_abandoned
from systemd.image import image
from systemd.service import MARKS

pytestmark = MARKS

HOLDER = """
import sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from systemd.guest import Guest
guest = Guest(Path(sys.argv[1]))
print(guest._pid, guest._folder, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_a_guest_ends_with_tests_that_are_killed() -> None:
    """However they end: its processes are gone, and the next guest clears away its files."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, image(12)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        process, folder = holder.stdout.readline().split()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        assert children
        holder.send_signal(signal.SIGKILL)
    for each in [process, *children]:
        wait_for(lambda: not Path(f"/proc/{each}").exists(), 30)  # noqa: B023
    assert Path(folder).is_dir()
    wait_for(lambda: time.time() > Path(folder).stat().st_mtime + 3, 10)
    remove_abandoned()
    assert not Path(folder).exists()


@pytest.mark.slow
def test_guests_at_a_time_leave_each_other_alone() -> None:
    """A unit of the same name is another in each: with processes and limits of its own."""
    with closing(Guest(image(12))) as one, closing(Guest(image(12))) as other:
        for guest in (one, other):
            guest.run("cd / && systemd-run --unit=same sleep 1000")
        inside = other.run("cat /sys/fs/cgroup/system.slice/same.service/cgroup.procs")
        assert len(inside.split()) == 1  # a process of the other guest would be a 0
        one.run("cd / && systemctl stop same")
        assert other.run("cd / && systemctl is-active same").strip() == "active"
