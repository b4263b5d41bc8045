"""Results and failures appear in the outbox whole, under a free name, or not at all."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from support.disk import Killed, StepFiles, names_in

from nstd.outbox.outbox import Outbox
from nstd.outbox.record import Record, make_reason
from nstd.queue.batch import Batch, BatchPaths, End, Member
from nstd.queue.ended import EndedJobs, LiveMembers
from nstd.queue.job import Failure, Input, Job
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files


class Shelf:
    """An outbox and a finished job beside it."""

    def __init__(self, root: Path, files: Files | None = None, **fields: Any) -> None:
        self.path = root / "outbox"
        self.path.mkdir(parents=True, exist_ok=True)
        self.outbox = Outbox(self.path, files or Files())
        given = Input(role="content", source="b.png", file="content.png", sha256="0", bytes=1)
        known = {"id": "j1", "name": "beach", "folder": "", "sidecar": "beach.yaml"}
        self.job = Job(**{**known, "submitted": 0, "claimed": 0, "inputs": (given,), **fields})
        self.paths = JobPaths(root / "work" / self.job.id)
        self.paths.folder.mkdir(parents=True, exist_ok=True)
        self.paths.picture(self.job).write_bytes(b"picture")
        self.paths.sidecar(self.job).write_text("content: b.png")
        (self.paths.folder / "content.png").write_bytes(b"content")
        self.paths.log.write_text("{}\n")

    def target(self, *, failed: bool = False, **fields: Any) -> str:
        """The name that a job gets."""
        return self.outbox.free_target(self.job.model_copy(update=fields), failed=failed)

    def publish(self, target: str = "beach") -> bool:
        """Publish the job there."""
        self.job = self.job.model_copy(update={"target": target})
        return self.outbox.publish(self.job, self.paths, Record(job=self.job.id))

    def fail(self) -> bool:
        """Publish the job as failed."""
        self.job = self.job.model_copy(update={"target": self.target(failed=True)})
        failure = Failure(code="timed_out", message="too late", hint="hurry")
        reason = make_reason(self.job, failure, now=0.0)
        return self.outbox.publish_failure(self.job, self.paths, reason)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty outbox."""
    return Shelf(tmp_path)


def test_a_taken_name_gets_a_number(shelf: Shelf) -> None:
    """By whatever it is taken: a folder, a file, or a link to nowhere."""
    assert shelf.target() == "beach"
    (shelf.path / "beach").mkdir()
    (shelf.path / "beach-2").write_text("x")
    (shelf.path / "beach-3").symlink_to("nowhere")
    assert shelf.target() == "beach-4"
    assert shelf.target(failed=True) == "failed/beach"


def test_a_number_never_gives_the_name_of_another_job(shelf: Shelf) -> None:
    """Two jobs called beach, and one called beach-2 that is not done yet."""
    (shelf.path / "beach").mkdir()
    (shelf.path / "failed" / "beach").mkdir(parents=True)
    for failed, top in ((False, ""), (True, "failed/")):
        target = shelf.outbox.free_target(
            shelf.job, failed=failed, is_wanted={"beach", "beach-2"}.__contains__
        )
        assert target == f"{top}beach-3"
        other = shelf.job.model_copy(update={"name": "beach-2"})
        target = shelf.outbox.free_target(other, failed=failed, is_wanted={"beach-2"}.__contains__)
        assert target == f"{top}beach-2"


def test_names_of_jobs_are_wanted_until_they_are_published(shelf: Shelf) -> None:
    """While they wait, and while they are on their way out."""
    members = LiveMembers()
    ended = EndedJobs(members)
    job = shelf.job.model_copy(update={"folder": "sub"})
    members.enter(job)
    assert ended.is_wanted("sub/beach")
    ended.add(job)
    ended.remove(job)
    assert not ended.is_wanted("sub/beach")


@pytest.mark.parametrize("name", ["failed", "logs", "archive", "gallery", "index.html"])
def test_names_kept_for_something_else_get_a_number(shelf: Shelf, name: str) -> None:
    """As the name of a job and as that of a folder of the inbox; below, they are like any other."""
    assert shelf.target(name=name) == f"{name}-2"
    assert shelf.target(folder=name) == f"{name}-2/beach"
    assert shelf.target(folder=f"sub/{name}") == f"sub/{name}/beach"
    assert shelf.target(name=name, failed=True) == f"failed/{name}"
    assert shelf.target(folder=name, failed=True) == f"failed/{name}/beach"


def test_nothing_is_put_into_a_result(shelf: Shelf) -> None:
    """`beach.yaml` and `beach/x.yaml` in the inbox do not meet in the outbox."""
    shelf.publish("beach")
    assert shelf.target(folder="beach") == "beach-2/beach"
    (shelf.path / "beach-2").mkdir()
    assert shelf.target(folder="beach") == "beach-2/beach"
    (shelf.path / "file").write_text("x")
    (shelf.path / "link").symlink_to("/tmp")
    assert shelf.target(folder="file") == "file-2/beach"
    assert shelf.target(folder="link") == "link-2/beach"
    shelf.fail()
    assert shelf.target(folder="beach", failed=True) == "failed/beach-2/beach"


def test_a_result_is_whole(shelf: Shelf) -> None:
    """The picture, its record, the sidecar and the job's log, all named after the folder."""
    assert shelf.publish("sub/beach-2")
    folder = shelf.path / "sub" / "beach-2"
    assert names_in(folder) == [
        "beach-2.json", "beach-2.log", "beach-2.png", "beach-2.yaml",
    ]  # fmt: skip
    assert (folder / "beach-2.png").read_bytes() == b"picture"
    assert shelf.outbox.read_record(shelf.job) == Record(job="j1")
    assert shelf.outbox.log_of(shelf.job) == folder / "beach-2.log"
    assert names_in(shelf.path / ".staging") == []


def test_a_failure_has_the_sidecar_the_inputs_and_the_reason(shelf: Shelf) -> None:
    """Everything that a person needs to act, and to try again."""
    assert shelf.fail()
    folder = shelf.path / "failed" / "beach"
    assert names_in(folder) == ["beach.log", "beach.yaml", "inputs", "reason.json"]
    assert names_in(folder / "inputs") == ["content.png"]
    reason = json.loads((folder / "reason.json").read_text())
    assert reason["code"] == "timed_out"
    assert (reason["hint"], reason["attempts"], reason["job"]) == ("hurry", 0, "j1")


def test_what_somebody_removed_from_the_job_does_not_hold_it_up(shelf: Shelf) -> None:
    """The sidecar, the log and inputs are kept where they are still there."""
    for path in (shelf.paths.sidecar(shelf.job), shelf.paths.log):
        path.unlink()
    assert shelf.publish()
    assert names_in(shelf.path / "beach") == ["beach.json", "beach.png"]


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_name_taken_in_the_last_moment_is_not_overwritten(tmp_path: Path, what: str) -> None:
    """Between the look and the rename: then another name is chosen."""
    files = StepFiles()
    shelf = Shelf(tmp_path, files)

    def take(at: int, operation: str) -> None:
        if files.log[-1] == ("rename", shelf.path / "beach"):
            if what == "file":
                (shelf.path / "beach").write_text("theirs")
            else:
                (shelf.path / "beach").mkdir()
                (shelf.path / "beach" / "theirs").touch()

    files.on_step = take
    assert shelf.publish() is False
    assert shelf.target() == "beach-2"
    assert shelf.publish("beach-2") is True
    assert (shelf.path / "beach").exists()


def test_a_publication_that_dies_anywhere_shows_nothing_or_all(tmp_path: Path) -> None:
    """At each step; `has_published` tells the two apart, and a second try is whole."""
    seen = set()
    for step in range(1, 100):
        files = StepFiles()
        shelf = Shelf(tmp_path / str(step), files)
        files.on_step = lambda at, what, step=step: Killed() if at == step else None  # type: ignore[misc]
        try:
            shelf.publish()
        except Killed:
            is_there = (shelf.path / "beach").exists()
            assert shelf.outbox.has_published(shelf.job) is is_there
            seen.add(is_there)
            if is_there:
                assert len(names_in(shelf.path / "beach")) == 4
            else:
                files.on_step = lambda at, what: None
                assert shelf.publish()
        else:
            break
    assert step > 12
    assert seen == {False, True}


def test_only_the_own_result_counts_as_published(shelf: Shelf) -> None:
    """Somebody else's folder of that name, or a broken record, is not it."""
    assert not shelf.outbox.has_published(shelf.job)
    job = shelf.job.model_copy(update={"target": "beach"})
    record = shelf.path / "beach" / "beach.json"
    record.parent.mkdir()
    for text in ('{"job": "j2"}', "{", "[]", '"j1"'):
        record.write_text(text)
        assert not shelf.outbox.has_published(job)
    record.write_text('{"job": "j1"}')
    assert shelf.outbox.has_published(job)


def test_a_record_that_cannot_be_read_is_no_proof_of_absence(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the disk must not make a second result."""
    shelf.publish()

    def fail(path: Path) -> bytes:
        raise OSError(errno.EIO, "injected", str(path))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="injected"):
        shelf.outbox.has_published(shelf.job)


def test_what_a_crash_left_half_staged_is_removed(shelf: Shelf) -> None:
    """But not what a job that is still on its way has there."""
    for name in ("j1", "j2"):
        (shelf.path / ".staging" / name).mkdir(parents=True)
    shelf.outbox.clean({"j2"})
    assert names_in(shelf.path / ".staging") == ["j2"]


@pytest.mark.parametrize("fails", ["mkdir", "create", "write", "fsync"])
def test_small_pictures_come_all_or_not_at_all(tmp_path: Path, fails: str) -> None:
    """One that cannot be copied costs them all, and the result nothing."""
    files = StepFiles()
    shelf = Shelf(tmp_path, files)
    for name in ("content", "result"):
        shelf.paths.view(name).write_bytes(name.encode())
    assert shelf.publish()
    views = shelf.path / "beach" / "preview"
    assert names_in(views) == ["content.webp", "result.webp"]

    def fail(at: int, operation: str) -> OSError | None:
        path = files.log[-1][1]
        is_last = path.name == "result.webp" or (operation == "mkdir" and path.name == "preview")
        return OSError(errno.EIO, "broken") if operation == fails and is_last else None

    files.on_step = fail
    assert shelf.publish("pier")
    assert names_in(shelf.path / "pier") == ["pier.json", "pier.log", "pier.png", "pier.yaml"]


def test_a_batch_whose_folder_is_half_removed_keeps_what_is_published_of_it(shelf: Shelf) -> None:
    """The sheet has left `work`; the manifest in the outbox names it nevertheless."""
    paths = BatchPaths(shelf.paths.folder.parent / ".batches" / "b1")
    paths.folder.mkdir(parents=True)
    paths.sheet.write_bytes(b"sheet")
    known: dict[str, Any] = {"id": "b1", "name": "studies", "folder": "", "sidecar": "studies.yaml"}
    batch = Batch(**known, submitted=0, claimed=0, axes={}, members=(), sheet="sheet.png")
    shelf.outbox.publish_batch(batch, paths)
    paths.sheet.unlink()
    shelf.outbox.publish_batch(batch.model_copy(update={"sheet": ""}), paths)
    folder = shelf.path / "studies"
    assert names_in(folder) == ["batch.json", "sheet.png"]
    assert json.loads((folder / "batch.json").read_bytes())["sheet"] == "sheet.png"
    again = Member(job="j1", name="a", axes={}, end=End(state="finished", output="studies/a"))
    shelf.outbox.publish_batch(batch.model_copy(update={"members": (again,)}), paths)
    (member,) = json.loads((folder / "batch.json").read_bytes())["members"]
    assert member["name"] == "a"
