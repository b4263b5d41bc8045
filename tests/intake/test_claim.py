"""A sidecar is claimed once, by one rename, and nothing is lost on the way."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pytest
from support import CHECKOUT, TESTS
from support.claims import Bench, never
from support.disk import Killed, StepFiles, names_in

from nstd.errors import StoreError
from nstd.intake import claim
from nstd.intake.claim import ABANDONED_AFTER
from nstd.queue.job import new_job_id
from nstd.queue.store import State


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty root."""
    return Bench(tmp_path)


def test_a_claim_takes_the_sidecar_and_copies_the_pictures(bench: Bench) -> None:
    """Then the job is ours: its bytes are in its folder, and the pictures still in the inbox."""
    job = bench.claimed("sub/a.yaml")
    folder = bench.work / job.id
    assert names_in(folder) == ["a.yaml", "content.png", "job.json", "style-1.png"]
    assert (folder / "content.png").read_bytes() == b"content"
    assert names_in(bench.inbox / "sub") == ["S.PNG", "c.png"]
    assert (job.folder, job.sidecar, job.name) == ("sub", "a.yaml", "a")
    assert [(given.role, given.origin) for given in job.inputs] == [
        ("content", "sub/c.png"), ("style", "sub/S.PNG"),
    ]  # fmt: skip
    assert job.inputs[1].weight == 0.5
    assert list(bench.store.jobs()) == [(job, State.WAITING)]
    assert bench.in_flight() == []


def test_a_sidecar_that_somebody_else_took_is_no_job(bench: Bench) -> None:
    """The loser of the rename gets nothing, and leaves nothing behind."""
    bench.pair()
    (ready,) = bench.ready()
    assert bench.claim(ready) is not None
    assert bench.claim(ready) is None
    assert bench.in_flight() == []


@pytest.mark.parametrize("taken", ["work", "work/.new", "inbox/.nstd"])
def test_an_id_that_is_taken_is_not_used(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """Not by a job, nor by a claim in flight: what lies there stays as it is."""
    ids = [f"20261123-081500-{number:06x}" for number in range(2)]
    monkeypatch.setattr(claim, "new_job_id", iter(ids).__next__)
    theirs = bench.root / taken / ids[0] / "b.yaml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("another's")
    assert bench.claimed().id == ids[1]
    assert theirs.read_text() == "another's"
    mine = bench.work / ".new" / ids[0]
    assert taken == "work/.new" or not mine.exists()  # it would say that the claim is ours


def test_a_crowd_of_ids_has_no_two_alike() -> None:
    """Though far more are made in a second than jobs can be; a few digits tell neighbours apart."""
    ids = [new_job_id() for _ in range(50_000)]
    assert len(set(ids)) == 50_000
    assert all(one[16] != other[16] for one, other in itertools.pairwise(ids))


CLAIM_ALL = """
import sys
from pathlib import Path
from support.claims import Bench
bench = Bench(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for ready in bench.ready():
    job = bench.claim(ready)
    if job is not None:
        print(job.name, flush=True)
"""


def test_two_processes_claim_each_sidecar_exactly_once(bench: Bench) -> None:
    """Both see all 200 and race; every one goes to one of them."""
    for number in range(200):
        bench.pair(f"{number:03}.yaml")
    path = os.pathsep.join([str(TESTS), str(CHECKOUT)])
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, str(bench.root)],
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    claims = [racer.communicate(timeout=120)[0].split() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sorted(claims[0] + claims[1]) == [f"{number:03}" for number in range(200)]
    assert len(list(bench.store.jobs())) == 200
    assert bench.in_flight() == []


@pytest.mark.parametrize("which", ["c.png", "S.PNG", "a.yaml"])
def test_a_file_that_changes_while_it_is_copied_ends_the_claim(tmp_path: Path, which: str) -> None:
    """The sidecar goes back to the inbox; nothing of the claim is left, nothing is lost."""
    files = StepFiles()
    bench = Bench(tmp_path, files)
    sidecar = bench.pair()
    text = sidecar.read_text()
    (ready,) = bench.ready()

    def touch(at: int, what: str) -> None:
        if what == "write" and files.log[-1][1].parent.parent.name == ".new":
            place = sidecar if sidecar.exists() else next(bench.inbox.rglob("a.yaml"))
            path = place if which == "a.yaml" else bench.inbox / which
            path.write_bytes(path.read_bytes() + b"\n")

    files.on_step = touch
    with pytest.raises(StoreError, match="changed while it was copied"):
        bench.claim(ready)
    assert names_in(bench.inbox) == [".nstd", "S.PNG", "a.yaml", "c.png"]
    assert sidecar.read_text().strip() == text.strip()
    assert bench.in_flight() == []
    assert list(bench.store.jobs()) == []


def test_a_picture_that_vanishes_ends_the_claim(bench: Bench) -> None:
    """It was there when the sidecar was looked at."""
    sidecar = bench.pair()
    (ready,) = bench.ready()
    (bench.inbox / "S.PNG").unlink()
    with pytest.raises(FileNotFoundError):
        bench.claim(ready)
    assert sidecar.exists()
    assert bench.in_flight() == []


def test_a_sidecar_that_came_again_meanwhile_is_not_overwritten(bench: Bench) -> None:
    """The claim that is undone gets a number."""
    bench.pair()
    (ready,) = bench.ready()
    (bench.inbox / "S.PNG").unlink()
    real = bench.files.copy

    def drop_again(source: BinaryIO, target: Path, size: int | None = None) -> str:
        (bench.inbox / "a.yaml").write_text("a new one")
        return real(source, target, size)

    bench.files.copy = drop_again  # type: ignore[method-assign]
    with pytest.raises(FileNotFoundError):
        bench.claim(ready)
    assert (bench.inbox / "a.yaml").read_text() == "a new one"
    assert (bench.inbox / "a-2.yaml").read_text().startswith("content")


def test_a_folder_that_is_removed_as_soon_as_it_is_empty_loses_nothing(tmp_path: Path) -> None:
    """People tidy up; the sidecar was the last file in it."""
    files = StepFiles()
    bench = Bench(tmp_path, files)
    bench.pair()
    (bench.inbox / "sub").mkdir()
    (bench.inbox / "sub" / "b.yaml").write_text("content: ../c.png\nstyle: ../S.PNG\n")
    ready = next(entry for entry in bench.ready() if entry.name == "sub/b.yaml")

    def tidy(at: int, what: str) -> None:
        if not any((bench.inbox / "sub").glob("*")) and (bench.inbox / "sub").exists():
            (bench.inbox / "sub").rmdir()

    files.on_step = tidy
    job = bench.claim(ready)
    assert job is not None
    assert (bench.work / job.id / "b.yaml").exists()


def test_a_rename_that_the_server_did_twice_is_a_claim(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS repeats a request whose answer was lost, and then says ENOENT of what it did."""
    bench.pair()
    (ready,) = bench.ready()

    real = bench.files.replace

    def twice(source: Path, target: Path) -> None:
        real(source, target)
        monkeypatch.undo()
        raise FileNotFoundError(errno.ENOENT, "no such file", str(source))

    monkeypatch.setattr(bench.files, "replace", twice)
    assert bench.claim(ready) is not None


def test_a_claim_crosses_filesystems(tmp_path: Path, elsewhere: Path) -> None:
    """The inbox on one disk, the work folder on another: copied, synced, renamed there."""
    bench = Bench(tmp_path, work=elsewhere)
    job = bench.claimed()
    assert (elsewhere / job.id).stat().st_dev != bench.inbox.stat().st_dev
    assert names_in(elsewhere / job.id) == ["a.yaml", "content.png", "job.json", "style-1.png"]
    bench.pair("b.yaml")
    (ready,) = bench.ready()
    (bench.inbox / "S.PNG").unlink()
    with pytest.raises(FileNotFoundError):
        bench.claim(ready)
    assert (bench.inbox / "b.yaml").exists()
    bench.store.remove(job)
    assert names_in(elsewhere) == [".new"]


def test_a_claim_of_another_daemon_is_left_alone_for_an_hour(tmp_path: Path) -> None:
    """Its folder is not in our work folder: it may be in the middle of it."""
    files = StepFiles()
    other = Bench(tmp_path, files, work=tmp_path / "other")
    sidecar = other.pair("sub/a.yaml")
    (ready,) = other.ready()
    files.on_step = lambda at, what: Killed() if what == "write" else None
    with pytest.raises(Killed):
        other.claim(ready)
    ours = Bench(tmp_path)
    assert not ours.claims.undo(100.0, never)
    assert not ours.claims.undo(100.0 + ABANDONED_AFTER - 1, never)
    assert ours.in_flight() != []
    assert not sidecar.exists()
    assert ours.claims.undo(100.0 + ABANDONED_AFTER, never)
    assert sidecar.exists()
    assert ours.in_flight() == []


def test_a_spare_copy_of_a_job_that_has_ended_never_comes_back(bench: Bench) -> None:
    """The inbox could not be read until the job was done and removed: the log knows."""
    spare = bench.inbox / ".nstd" / "20260101-000000-abcdef" / "a.yaml"
    spare.parent.mkdir(parents=True)
    spare.write_text("content: c.png")
    assert bench.claims.undo(0.0, lambda job: job == spare.parent.name)
    assert bench.in_flight() == []
    assert not (bench.inbox / "a.yaml").exists()


def test_a_claim_that_dies_at_any_step_is_finished_or_undone(tmp_path: Path) -> None:
    """The recovery looks at the files alone: either a whole job, or the sidecar in the inbox."""
    ends = set()
    for step in range(1, 100):
        files = StepFiles()
        bench = Bench(tmp_path / str(step), files)
        sidecar = bench.pair("sub/a.yaml")
        (ready,) = bench.ready()
        files.on_step = lambda at, what, step=step: Killed() if at == step else None  # type: ignore[misc]
        try:
            bench.claim(ready)
        except Killed:
            after = Bench(tmp_path / str(step))
            after.claims.undo(0.0, never)
            jobs = list(after.store.jobs())
            assert len(jobs) + sidecar.exists() == 1, step
            ends.add(len(jobs))
            assert bench.in_flight() == []
        else:
            break
    assert step > 15
    assert ends == {0, 1}


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6, 100])
def test_an_inbox_that_is_away_for_some_steps_loses_no_claim(tmp_path: Path, steps: int) -> None:
    """Whenever it goes and comes back, the sidecar is a job, or in the inbox, and not for others.

    It was taken for another daemon's claim when the inbox went in the middle of ours.
    """
    ends = set()
    for gone in range(1, 100):
        files = StepFiles()
        bench = Bench(tmp_path / str(gone), files)
        sidecar = bench.pair("sub/a.yaml")
        (ready,) = bench.ready()
        aside = bench.root / "aside"

        def move(at: int, what: str, bench: Bench = bench, gone: int = gone) -> None:
            if at == gone:
                bench.inbox.rename(bench.root / "aside")
            if at == gone + steps:
                come_back(bench)

        files.on_step = move
        with suppress(OSError, StoreError):
            bench.claim(ready)
        if len(files.log) < gone:
            break
        if aside.exists():
            come_back(bench)
        files.on_step = lambda at, what: None
        bench.claims.undo(0.0, never)
        jobs = list(bench.store.jobs())
        assert len(jobs) + sidecar.exists() == 1, gone
        assert bench.in_flight() == []
        ends.add(len(jobs))
    assert gone > 15
    assert ends == {0, 1}


def come_back(bench: Bench) -> None:
    """The inbox that was taken is put back, over one that was made instead."""
    if bench.inbox.exists():
        shutil.rmtree(bench.inbox)
    (bench.root / "aside").rename(bench.inbox)


@pytest.mark.parametrize("name", ["two\nlines.yaml", os.fsdecode(b"\xff.yaml"), "n" * 250 + ".yml"])
def test_odd_names_become_jobs_with_plain_names(bench: Bench, name: str) -> None:
    """What JSON, logs and the outbox cannot hold is replaced; the text is the same."""
    job = bench.claimed(name)
    assert (bench.work / job.id / job.sidecar).read_text().startswith("content: c.png")
    assert job.sidecar.isprintable()
    assert job.sidecar.encode()
    assert list(bench.store.jobs()) == [(job, State.WAITING)]


def test_odd_folders_are_mirrored_with_plain_names(bench: Bench) -> None:
    """And their pictures are never taken for ones that can be cleared."""
    job = bench.claimed(f"{os.fsdecode(b'caf' + bytes([0xE9]))}/a.yaml")
    assert job.folder == "caf?"
    assert [given.origin for given in job.inputs] == [None, None]
