"""The archive has the same bytes once, and loses none of them whatever happens."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.disk import Killed, StepFiles, names_in

from nstd.intake.archive import Archive
from nstd.system.durable import Files


class Desk:
    """An inbox and an archive."""

    def __init__(self, folder: Path) -> None:
        self.inbox, self.folder = folder / "inbox", folder / "outbox" / "archive"
        self.inbox.mkdir()
        self.folder.parent.mkdir()
        self.archive = Archive(self.folder, Files())

    def drop(self, name: str, data: bytes) -> Path:
        """A picture in the inbox."""
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    def take(self, name: str, data: bytes) -> None:
        """Drop a picture and archive it."""
        self.archive.take(self.drop(name, data), name)
        assert not (self.inbox / name).exists()

    def contents(self) -> set[bytes]:
        """What is in the archive."""
        return {path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_the_same_bytes_are_kept_once(desk: Desk, is_restarted: bool) -> None:
    """Under the same name, whatever its number; another name is a link to the same file."""
    desk.take("style.png", b"one")
    if is_restarted:
        desk.archive = Archive(desk.folder, Files())
    desk.take("style.png", b"one")
    desk.take("style-2.png", b"one")
    desk.take("style.png", b"two")
    desk.take("style-7.png", b"two")
    assert names_in(desk.folder) == ["style-2.png", "style.png"]
    desk.take("sub/copy.png", b"one")
    desk.take("sub/copy.png", b"one")
    assert names_in(desk.folder / "sub") == ["copy.png"]
    assert (desk.folder / "sub" / "copy.png").samefile(desk.folder / "style.png")
    assert desk.contents() == {b"one", b"two"}


def test_a_picture_that_is_used_again_is_new_again_for_retention(desk: Desk) -> None:
    """Its last change is now, that of its content is as it was."""
    desk.archive.take(desk.drop("beach.jpg", b"beach"), "beach.jpg")
    (kept,) = desk.folder.rglob("*.jpg")
    os.utime(kept, (1e9, 1e9))
    before = kept.stat()
    time.sleep(0.05)
    desk.archive.take(desk.drop("beach.jpg", b"beach"), "beach.jpg")
    after = kept.stat()
    assert after.st_ctime_ns > before.st_ctime_ns
    assert after.st_mtime_ns == before.st_mtime_ns


def test_what_others_did_to_the_archive_is_seen(desk: Desk) -> None:
    """A file that was changed, removed or replaced by a link is no copy of anything."""
    for name in ("a.png", "b.png", "c.png"):
        desk.take(name, name.encode())
    (desk.folder / "a.png").write_bytes(b"x.png")
    (desk.folder / "b.png").unlink()
    elsewhere = desk.drop("elsewhere", b"c.png")
    (desk.folder / "c.png").unlink()
    (desk.folder / "c.png").symlink_to(elsewhere)
    for name in ("a.png", "b.png", "c.png"):
        desk.take(name, name.encode())
    assert {b"a.png", b"b.png", b"c.png", b"x.png"} == desk.contents()
    assert names_in(desk.folder) == ["a-2.png", "a.png", "b.png", "c-2.png", "c.png"]


@pytest.mark.parametrize("name", ["style.png", "style-2.png", "other.png"])
def test_a_death_at_any_step_loses_no_byte(tmp_path: Path, name: str) -> None:
    """The picture is in the inbox or in the archive; the next try ends it."""
    for at in range(1, 50):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        desk = Desk(folder)
        desk.take("style.png", b"one")
        files = StepFiles()
        files.on_step = lambda step, _, at=at: Killed() if step == at else None  # type: ignore[misc]
        picture = desk.drop(name, b"one")
        try:
            Archive(desk.folder, files).take(picture, name)
        except Killed:
            assert b"one" in desk.contents()
            if picture.exists():
                Archive(desk.folder, Files()).take(picture, name)
        assert desk.contents() == {b"one"}
        assert len({path.stat().st_ino for path in desk.folder.glob("*.png")}) == 1
        if len(files.log) < at:
            return
    raise AssertionError("it never ends")
