"""What root does to a root of another user does not lock that user's daemon out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import CHECKOUT
from support.playground import Playground

from nstd.logs.file import LogFile
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files
from nstd.system.lock import Lock

USER = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def owners(folder: Path) -> set[int]:
    """Whose the folder and all in it is."""
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def give_away(folder: Path) -> None:
    """As if the user had made it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)


def as_user(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code as the user, in a folder."""
    drop = (
        "import os; from pathlib import Path; from nstd.system.lock import Lock; "
        f"os.chdir({str(folder)!r}); os.setgid({USER}); os.setuid({USER})\n"
    )
    return subprocess.run(
        [sys.executable, "-c", drop + code],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_files_folders_locks_and_logs_get_the_owner_of_the_folder_above(tmp_path: Path) -> None:
    """Everything that a command of root makes goes through these."""
    give_away(tmp_path)
    files = Files()
    files.make_folder(tmp_path / "a" / "b")
    files.write(tmp_path / "a" / "file", b"data")
    ControlRequests(tmp_path, files).write(ControlRequest("cancel", "x"))
    lock, log = Lock(tmp_path / "daemon.lock"), LogFile(tmp_path / "logs" / "x.jsonl", 1000, 1)
    lock.acquire()
    log.write("{}")
    log.close()
    lock.release()
    assert owners(tmp_path) == {USER}


def test_sudo_init_submit_cancel_and_run_leave_nothing_of_root(playground: Playground) -> None:
    """A whole life of a root, by root's hand, in a folder of the user."""
    playground.config_path.unlink()
    give_away(playground.root)
    assert playground.command("init", str(playground.root)).returncode == 0
    playground.configure()
    give_away(playground.config_path)
    for name in ("content.png", "style.png"):
        playground.picture(name).rename(playground.folder / name)
    assert playground.command("submit", "content.png", "style.png").returncode == 0
    assert playground.command("cancel", "content-in-style").returncode == 0
    assert playground.once().returncode == 0
    playground.command("submit", "content.png", "style.png")
    assert playground.once().returncode == 0
    assert playground.command("gallery", "--rebuild").returncode == 0
    assert playground.events("job.finished")
    strange = [path for path in playground.root.rglob("*") if path.lstat().st_uid != USER]
    assert not strange


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of the user's that the user gets to, which pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="nstd-sudo-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_note_of_another_user_does_not_keep_a_run_from_ending(open_folder: Path) -> None:
    """An earlier version left such folders behind: it is told, and the rest goes on."""
    playground = Playground(open_folder)
    playground.prefix = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    give_away(open_folder)
    if playground.command("--version").returncode != 0:
        pytest.skip("the user cannot run this Python")
    playground.pair("beach")
    notes = playground.work / ".requests"
    (notes / "0.json").write_text('{"action": "cancel", "job": "beach.yaml"}')
    give_away(open_folder)
    os.chown(notes, 0, 0)
    done = playground.once()
    assert done.returncode == 0, done.stderr
    (refused,) = playground.events("request.refused")
    assert "0.json" in refused["reason"]
    assert playground.ended() == 1


def test_a_lock_file_of_another_user_is_locked_all_the_same(open_folder: Path) -> None:
    """The kernel asks for no right to write."""
    (open_folder / "daemon.lock").touch(0o644)
    os.chown(open_folder, USER, USER)
    done = as_user(open_folder, "Lock(Path('daemon.lock')).acquire(); print('locked')")
    assert done.stdout == "locked\n", done.stderr
