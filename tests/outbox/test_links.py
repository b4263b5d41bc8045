"""What is written never goes through a symbolic link that somebody planted below the roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.playground import Playground, wait_for

from nstd.documents.report_settings import LogSettings
from nstd.logs.log import Logging, emit, keep_job_log
from nstd.system.durable import Files
from nstd.system.nofollow import refuse_links

FOLDERS = ("outbox/failed", "outbox/archive", "outbox/.staging", "inbox/.nstd")
NAMES = ("outbox/beach", "outbox/failed/pier", "outbox/sub", "outbox/archive/sub")


class Trap:
    """A link to a folder or file elsewhere, with something in it that must stay as it is."""

    def __init__(self, link: Path, target: Path, *, is_file: bool = False) -> None:
        self.link, self.target = link, target
        if is_file:
            target.write_text("mine")
        else:
            target.mkdir()
            (target / "mine").write_text("mine")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def check(self) -> None:
        """Nothing was written, made or removed there."""
        if self.target.is_file():
            assert self.target.read_text() == "mine"
        else:
            assert [path.name for path in self.target.rglob("*")] == ["mine"]


def drop(playground: Playground) -> None:
    """One job that succeeds at the top, one below, and one that fails."""
    playground.configure(jobs={"pictures": "archive"})
    playground.pair("beach")
    playground.pair("sub/harbour")
    playground.picture("p.png")
    playground.sidecar("pier", content="p.png", style="p.png", options={"act": "raise"})


@pytest.mark.parametrize("name", FOLDERS)
def test_a_link_in_place_of_a_folder_is_not_followed(playground: Playground, name: str) -> None:
    """It is told as a failing disk; when the link is gone, every job ends."""
    trap = Trap(playground.root / name, playground.folder / "away")
    drop(playground)
    process = playground.start()
    stderr = playground.folder / "stderr"
    told = "a symbolic link where a folder should be"
    wait_for(lambda: told in stderr.read_text(), what="the error")
    trap.check()
    trap.link.unlink()
    wait_for(lambda: playground.ended() == 3, 90, "the end of every job")
    assert playground.record("beach")["state"] == "finished"
    assert playground.reason("pier")["code"] == "backend_failed"
    trap.check()
    assert playground.stop(process) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_link_in_place_of_a_result_is_not_followed(playground: Playground, name: str) -> None:
    """The result gets another name, as for every name that is taken."""
    trap = Trap(playground.root / name, playground.folder / "away")
    drop(playground)
    process = playground.start()
    wait_for(lambda: playground.ended() == 3, 90, "the end of every job")
    playground.stop(process)
    trap.check()
    assert trap.link.is_symlink()


@pytest.mark.parametrize("name", ["picture.png", "result.json", ".result.json.tmp", ".x.tmp"])
def test_a_temporary_name_that_is_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    """A write goes to a new file, and then takes the name; a link of that name is replaced."""
    trap = Trap(tmp_path / name, tmp_path / "away", is_file=True)
    target = tmp_path / name.removeprefix(".").removesuffix(".tmp")
    Files().write(target, b"new")
    assert target.read_bytes() == b"new"
    trap.check()


@pytest.mark.parametrize("what", ["file", "folder", "fifo"])
def test_a_log_that_is_a_link_is_not_written_to(tmp_path: Path, what: str) -> None:
    """Lines are lost, the one that ends a job is refused; with the link gone, all is well."""
    folder, away = tmp_path / "logs", tmp_path / "away"
    if what == "fifo":
        folder.mkdir()
        os.mkfifo(folder / "nstd.jsonl")
        planted = folder / "nstd.jsonl"
    elif what == "file":
        planted = Trap(folder / "nstd.jsonl", away, is_file=True).link
    else:
        planted = Trap(folder, away).link
    log = Logging(folder, LogSettings(console="none"))
    words = {"name": "n", "output": "o", "backend": "b", "message": "m", "hint": "h", "attempt": 1}
    emit("job.requeued", job="j", reason="stopped")
    with pytest.raises(OSError, match=r"nstd\.jsonl|logs"):
        emit("job.failed", job="j", code="cancelled", **words)
    planted.unlink()
    emit("job.failed", job="j", code="cancelled", **words)
    log.close()
    assert len((folder / "nstd.jsonl").read_text().splitlines()) == 1
    if what == "file":
        assert away.read_text() == "mine"
    elif what == "folder":
        assert [path.name for path in away.iterdir()] == ["mine"]


@pytest.mark.parametrize("what", ["link", "fifo"])
def test_a_job_log_that_is_a_link_is_not_written_to(tmp_path: Path, what: str) -> None:
    """The published log may be replaced by anybody while its last line is on its way."""
    path, away = tmp_path / "beach.log", tmp_path / "away"
    away.write_text("mine")
    path.symlink_to(away) if what == "link" else os.mkfifo(path)
    log = Logging(tmp_path / "logs", LogSettings(console="none"))
    keep_job_log("j", path)
    emit("job.requeued", job="j", reason="stopped")
    log.close()
    assert away.read_text() == "mine"


def test_links_above_the_roots_are_the_owners(tmp_path: Path) -> None:
    """A root itself may be a link; only what lies below it may not."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "outbox").symlink_to("disk")
    Files().make_folder(tmp_path / "outbox" / "a" / "b", below=tmp_path / "outbox")
    (tmp_path / "outbox" / "link").symlink_to("a")
    with pytest.raises(OSError, match="symbolic link"):
        refuse_links(tmp_path / "outbox", tmp_path / "outbox" / "link" / "b")
