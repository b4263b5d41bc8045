"""The job on disk: saved, recovered, removed."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from support.claims import Bench, never
from support.disk import names_in

from nstd.errors import StoreError
from nstd.queue.job import Failure
from nstd.queue.result import FailureRecord
from nstd.queue.store import FORGIVEN, State


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty root."""
    return Bench(tmp_path)


def test_the_state_is_what_the_files_say(bench: Bench) -> None:
    """A result makes a job finished; a reason makes it failed, whatever else there is."""
    job = bench.claimed()
    paths = bench.store.paths(job.id)
    assert bench.store.state(paths) is State.WAITING
    paths.checkpoint.write_text("x")
    assert bench.store.state(paths) is State.WAITING
    paths.result.write_text("{}")
    assert bench.store.state(paths) is State.FINISHED
    bench.store.fail(job, Failure(code="cancelled", message="enough"))
    assert bench.store.state(paths) is State.FAILED
    assert paths.read_failure() == FailureRecord(code="cancelled", message="enough")
    paths.reason.write_text("{")
    broken = paths.read_failure()
    assert broken is not None
    assert broken.code == "internal_error"


def test_crashes_of_the_daemon_are_forgiven_but_not_for_ever(bench: Bench) -> None:
    """A power cut is not the job's fault; a job that always takes the daemon with it ends."""
    job = bench.claimed()
    assert bench.store.forgive_crash(job) == job
    for _ in range(FORGIVEN):
        job = bench.store.forgive_crash(bench.store.save(job.begun()))
        assert (job.attempt, job.running) == (0, False)
    for attempt in (1, 2):
        job = bench.store.forgive_crash(bench.store.save(job.begun()))
        assert job.attempt == attempt
    assert list(bench.store.jobs()) == [(job, State.WAITING)]


def test_a_restart_forgets_everything_but_the_inputs(bench: Bench) -> None:
    """Also a result that was never published."""
    job = bench.store.save(bench.claimed().begun())
    paths = bench.store.paths(job.id)
    for path in (paths.checkpoint, paths.preview, paths.progress, paths.result):
        path.write_text("x")
    job = bench.store.restart(job)
    assert (job.attempt, job.running, job.crashes) == (0, False, 0)
    assert names_in(paths.folder) == ["a.yaml", "content.png", "job.json", "style-1.png"]


@pytest.mark.parametrize("text", ["", "{", '{"id": "x"}', None])
def test_a_broken_job_is_left_alone_and_told(bench: Bench, text: str | None) -> None:
    """It is never deleted, and the others go on."""
    broken, fine = bench.claimed("a.yaml"), bench.claimed("b.yaml")
    path = bench.store.paths(broken.id).job
    path.unlink()
    if text is not None:
        path.write_text(text)
    errors: list[StoreError] = []
    assert list(bench.store.jobs(errors.append)) == [(fine, State.WAITING)]
    assert [broken.id in error.message for error in errors] == [True]
    assert "content.png" in names_in(bench.store.paths(broken.id).folder)


def test_a_removal_that_dies_half_way_leaves_no_half_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is renamed away first, so what is left of it is nobody's job."""
    bench = Bench(tmp_path)
    job = bench.claimed()

    def die(path: Path) -> None:
        (path / "job.json").unlink()
        raise OSError(errno.EIO, "injected")

    monkeypatch.setattr(bench.files, "remove_tree", die)
    with pytest.raises(OSError, match="injected"):
        bench.store.remove(job)
    monkeypatch.undo()
    errors: list[StoreError] = []
    assert list(bench.store.jobs(errors.append)) == []
    assert errors == []
    bench.store.remove(job)
    assert bench.in_flight() == []
    bench.claims.undo(0.0, never)
    bench.store.remove(job)


def test_foreign_files_in_the_work_folder_mean_nothing(bench: Bench) -> None:
    """Nothing but folders with the name of a job is looked at."""
    (bench.work / "notes.txt").write_text("x")
    (bench.work / "20260101-120000-zzzzzz").mkdir()
    (bench.inbox / ".nstd" / "mine").mkdir(parents=True)
    bench.claims.undo(0.0, never)
    assert list(bench.store.jobs()) == []
    assert names_in(bench.work) == ["20260101-120000-zzzzzz", "notes.txt"]


def test_job_json_is_readable_by_a_person(bench: Bench) -> None:
    """People look into it when something is wrong."""
    job = bench.claimed()
    text = bench.store.paths(job.id).job.read_text()
    assert json.loads(text)["name"] == "a"
    assert len(text.splitlines()) > 10
