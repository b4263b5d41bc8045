"""Bytes kept between jobs: whole or not there, no more than allowed, and never in anybody's way."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.disk import Killed, StepFiles, names_in
from support.playground import Playground

from nstd.system import disk_cache as cache
from nstd.system import layout
from nstd.system.disk_cache import DiskCache
from nstd.system.durable import Files

LARGE = 1 << 30
ONE = cache.LEAST  # an entry as large as it counts


def make(folder: Path, limit: int = LARGE, files: Files | None = None) -> DiskCache:
    """A cache in `folder`."""
    return DiskCache(folder / "cache", limit, files or Files())


def age(folder: Path, name: str, seconds: float) -> None:
    """Have an entry last used so long ago."""
    then = time.time() - seconds
    os.utime(folder / "cache" / name, (then, then))


def test_what_was_put_is_got(tmp_path: Path) -> None:
    """By its key, by another process too, and the last that was put."""
    make(tmp_path).put("a", b"old")
    make(tmp_path).put("a", b"new")
    make(tmp_path).put("b", b"")
    assert make(tmp_path).get("a") == b"new"
    assert make(tmp_path).get("b") == b""
    assert make(tmp_path).get("c") is None


def test_what_is_not_whole_is_a_miss_and_is_replaced(tmp_path: Path) -> None:
    """Cut at any byte, one byte wrong, of another key, or something else altogether."""
    kept = make(tmp_path)
    kept.put("a", b"data")
    kept.put("b", b"others")
    path, other = tmp_path / "cache" / "a", tmp_path / "cache" / "b"
    whole = path.read_bytes()
    wrong = [whole[:at] for at in range(len(whole))]
    wrong += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    wrong += [whole + b"\0", other.read_bytes(), b"\0" * len(whole), b"no such thing" * 99]
    for held in wrong:
        path.write_bytes(held)
        assert kept.get("a") is None
    kept.put("a", b"data")
    assert kept.get("a") == b"data"


def test_something_else_in_its_place_is_a_miss(tmp_path: Path) -> None:
    """A folder under the name of an entry stays there, a file under that of the folder too."""
    (tmp_path / "cache" / "a").mkdir(parents=True)
    kept = make(tmp_path)
    kept.put("a", b"data")
    assert kept.get("a") is None
    assert names_in(tmp_path / "cache") == ["a"]
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file")
    kept.put("a", b"data")
    assert kept.get("a") is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_at_any_step_is_a_miss(tmp_path: Path, number: int) -> None:
    """Nothing is raised and no part stays; what was read before it failed counts."""
    for step in range(1, 100):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        files = StepFiles()
        failed = OSError(number, "injected")

        def fail(at: int, what: str, step: int = step, error: OSError = failed) -> OSError | None:
            return error if at >= step else None

        files.on_step = fail
        kept = make(tmp_path, files=files)
        kept.put("a", b"data")
        assert kept.get("a") in (None, b"data")
        if (tmp_path / "cache").exists():
            assert names_in(tmp_path / "cache") in ([], ["a"])
        if len(files.log) < step:
            break
    assert step > 5
    assert kept.get("a") == b"data"


def test_a_folder_that_may_not_be_written_to_is_read(tmp_path: Path) -> None:
    """As on a disk that was mounted read-only after an error."""
    make(tmp_path).put("a", b"data")
    files = StepFiles()
    files.on_step = lambda at, what: OSError(errno.EROFS, "injected")
    kept = make(tmp_path, files=files)
    assert kept.get("a") == b"data"
    kept.put("b", b"data")
    assert kept.get("b") is None


def test_a_folder_that_vanishes_comes_again_but_not_its_parent(tmp_path: Path) -> None:
    """A person may delete it at any time; the root may be a mount that is away."""
    kept = make(tmp_path / "work")
    kept.put("a", b"data")
    assert not (tmp_path / "work").exists()
    (tmp_path / "work").mkdir()
    kept.put("a", b"data")
    shutil.rmtree(tmp_path / "work" / "cache")
    assert kept.get("a") is None
    kept.put("a", b"data")
    assert kept.get("a") == b"data"


def test_a_disk_with_little_space_is_left_to_the_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than all that the cache may take: what is there is read, and nothing is added."""
    kept = make(tmp_path, limit=2 * ONE)
    kept.put("a", b"data")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * ONE - 1))
    kept.put("b", b"data")
    assert kept.get("a") == b"data"
    assert kept.get("b") is None


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    """A hit counts as use."""
    kept = make(tmp_path, limit=3 * ONE)
    for name, seconds in (("a", 30), ("b", 20), ("c", 10)):
        kept.put(name, b"data")
        age(tmp_path, name, seconds)
    assert kept.get("a") == b"data"
    kept.put("d", b"data")
    assert names_in(tmp_path / "cache") == ["a", "c", "d"]


def test_the_bound_holds_with_many_entries(tmp_path: Path) -> None:
    """Of all sizes; small ones are few as well. One beyond the bound drives nothing out."""
    kept = make(tmp_path, limit=20 * ONE)
    for number in range(200):
        kept.put(f"{number:03}", bytes(number * 997 % (3 * ONE)))
        total = sum(path.stat().st_size for path in (tmp_path / "cache").iterdir())
        assert total <= 20 * ONE
        assert len(names_in(tmp_path / "cache")) <= 20
        assert kept.get(f"{number:03}") is not None
    before = names_in(tmp_path / "cache")
    kept.put("large", bytes(21 * ONE))
    assert names_in(tmp_path / "cache") == before


def test_a_smaller_bound_holds_from_the_next_entry_on(tmp_path: Path) -> None:
    """As after a reload of the config."""
    for number in range(10):
        make(tmp_path).put(str(number), b"data")
    make(tmp_path, limit=2 * ONE).put("new", b"data")
    assert len(names_in(tmp_path / "cache")) == 2


def test_an_entry_that_cannot_be_removed_does_not_keep_the_others(tmp_path: Path) -> None:
    """The bound holds as well as it can."""
    files = StepFiles()
    kept = make(tmp_path, limit=2 * ONE, files=files)
    kept.put("stuck", b"data")
    age(tmp_path, "stuck", 30)
    kept.put("a", b"data")
    age(tmp_path, "a", 20)

    def refuse(at: int, what: str) -> OSError | None:
        is_stuck = what == "unlink" and files.log[-1][1].name == "stuck"
        return OSError(errno.EPERM, "injected") if is_stuck else None

    files.on_step = refuse
    kept.put("b", b"data")
    assert names_in(tmp_path / "cache") == ["b", "stuck"]


def test_a_kill_at_any_step_leaves_nothing_for_ever(tmp_path: Path) -> None:
    """What a killed writer left goes with the first entry after a minute, and spoils no entry."""
    left = 0
    for step in range(1, 100):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        files = StepFiles()
        files.on_step = lambda at, what, step=step: Killed() if at == step else None  # type: ignore[misc]
        try:
            make(tmp_path, files=files).put("a", b"data")
        except Killed:
            kept = make(tmp_path)
            assert kept.get("a") in (None, b"data")
            for name in names_in(tmp_path / "cache") if (tmp_path / "cache").exists() else ():
                left += name.startswith(".")
                age(tmp_path, name, cache.ABANDONED + 1)
            kept.put("b", b"data")
            assert names_in(tmp_path / "cache") in (["b"], ["a", "b"])
            continue
        break
    assert step > 5
    assert left, "no step left anything"


def test_what_another_process_is_about_to_write_stays(tmp_path: Path) -> None:
    """An unfinished file is left alone for a minute."""
    kept = make(tmp_path)
    kept.put("a", b"data")
    (tmp_path / "cache" / ".other.tmp").write_bytes(b"da")
    kept.put("b", b"data")
    assert names_in(tmp_path / "cache") == [".other.tmp", "a", "b"]


def test_what_another_process_removes_meanwhile_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds though an entry is gone between the listing and the look at it."""
    kept = make(tmp_path, limit=2 * ONE)
    for name, seconds in (("gone", 30), ("b", 20)):
        kept.put(name, b"data")
        age(tmp_path, name, seconds)
    scandir = os.scandir

    def late(folder: Path) -> Any:
        with scandir(folder) as entries:
            found = list(entries)
        (folder / "gone").unlink(missing_ok=True)
        (folder / "c").write_bytes(b"of another process")
        return nullcontext(found)

    monkeypatch.setattr(os, "scandir", late)
    for name in ("d", "e"):
        kept.put(name, b"data")
    assert names_in(tmp_path / "cache") == ["c", "e"]


BUSY = """
import sys, itertools
from pathlib import Path
from nstd.system.disk_cache import LEAST, DiskCache
from nstd.system.durable import Files
kept = DiskCache(Path(sys.argv[1]), 20 * LEAST, Files())
rounds = itertools.count() if sys.argv[2] == "for ever" else range(int(sys.argv[2]))
for number in rounds:
    key = str(number * 7 % 30)
    held = kept.get(key)
    assert held is None or held == key.encode() * 20_000, key
    kept.put(key, key.encode() * 20_000)
    if number == 20:
        print("busy", flush=True)
"""


def busy(folder: Path, rounds: str) -> subprocess.Popen[str]:
    """A process that uses the cache in `folder`."""
    command = [sys.executable, "-c", BUSY, str(folder), rounds]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_share_it(tmp_path: Path) -> None:
    """Whole entries or none for each of them, and the bound holds; one is killed in the middle."""
    folder = tmp_path / "cache"
    killed = busy(folder, "for ever")
    assert killed.stdout is not None
    assert killed.stdout.readline() == "busy\n"
    others = [busy(folder, "300") for _ in range(2)]
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "busy\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    for other in others:
        _, errors = other.communicate(timeout=120)
        assert other.returncode == 0, errors
    for path in folder.glob(".*"):
        age(tmp_path, path.name, cache.ABANDONED + 1)
    make(tmp_path, limit=20 * ONE).put("last", b"data")
    assert len(names_in(folder)) <= 20
    assert [name for name in names_in(folder) if name.startswith(".")] == []


# In a whole daemon


def styled(playground: Playground, name: str) -> None:
    """Drop a small job of the backend `gatys` with the style that all of them share."""
    options = {"network": "fixed", "steps": 8, "precision": "float32"}
    playground.pair(name, backend="gatys", options=options, output={"size": 64})


def entries(playground: Playground) -> dict[str, tuple[int, int]]:
    """What the daemon's workers keep: inode and time of last use by name."""
    found = {path.name: path.stat() for path in (playground.work / layout.CACHE).iterdir()}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def test_a_second_job_of_a_style_uses_what_the_first_has_kept(playground: Playground) -> None:
    """Across two runs of the daemon; the pictures are those that are made without a cache."""
    styled(playground, "first")
    playground.once()
    before = entries(playground)
    assert before
    styled(playground, "second")
    playground.once()
    after = entries(playground)
    assert {name: inode for name, (inode, _) in after.items()} == {
        name: inode for name, (inode, _) in before.items()
    }
    assert all(after[name][1] > before[name][1] for name in before)
    shutil.rmtree(playground.work / layout.CACHE)
    playground.configure(workers={"cache": 0})
    styled(playground, "without")
    playground.once()
    assert not (playground.work / layout.CACHE).exists()
    pixels = [
        Image.open(playground.outbox / name / f"{name}.png").tobytes()
        for name in ("first", "second", "without")
    ]
    assert len(set(pixels)) == 1


def test_what_is_wrong_with_the_cache_costs_no_job(playground: Playground) -> None:
    """A file in place of its folder: the picture is made, with no word about it."""
    (playground.work / layout.CACHE).write_text("no folder")
    styled(playground, "beach")
    assert playground.once().returncode == 0
    assert len(playground.events("job.finished")) == 1
    warnings = playground.events(level="warning")
    assert {line["event"] for line in warnings} <= {"job.noted"}  # a style of one colour
    assert playground.events(level="error") == []
    assert (playground.work / layout.CACHE).read_text() == "no folder"
