"""The layer of file operations: whole and durable, or an error; never over somebody's file."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.disk import Killed, StepFiles, names_in

from nstd.system.durable import Files
from nstd.system.primitives import is_full


def failing(operation: str, number: int) -> StepFiles:
    """Files whose every `operation` fails with the errno `number`."""
    files = StepFiles()
    files.on_step = lambda at, what: OSError(number, "injected") if what == operation else None
    return files


def killed_at(step: int) -> StepFiles:
    """Files that go no further than the step `step`, from 1."""
    files = StepFiles()
    files.on_step = lambda at, what: Killed() if at == step else None
    return files


def until_clean(run: Callable[[StepFiles], object], check: Callable[[], None]) -> int:
    """Run with a kill at step 1, 2, ... and check after each; how many steps there are."""
    for step in range(1, 100):
        try:
            run(killed_at(step))
        except Killed:
            check()
            continue
        return step - 1
    raise AssertionError("it never ended")


def test_a_write_is_the_old_bytes_or_all_of_the_new_ones_at_every_step(tmp_path: Path) -> None:
    """A reader never sees a part, wherever the writer dies."""
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    seen = set()

    def check() -> None:
        seen.add(path.read_bytes())

    steps = until_clean(lambda files: files.write(path, b"new" * 1000), check)
    assert steps >= 5
    assert seen == {b"old", b"new" * 1000}
    assert path.read_bytes() == b"new" * 1000


def test_a_write_is_synced_before_it_is_renamed_and_its_folder_after(tmp_path: Path) -> None:
    """The order that makes a write durable: write, fsync, rename, fsync of the folder."""
    files = StepFiles()
    files.write(tmp_path / "x", b"data")
    assert [what for what, _ in files.log] == [
        "unlink", "create", "write", "fsync", "rename", "fsync_folder",
    ]  # fmt: skip


@pytest.mark.parametrize("operation", ["create", "write", "fsync", "rename"])
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, operation: str) -> None:
    """An error before the rename changes nothing."""
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="injected"):
        failing(operation, errno.ENOSPC).write(path, b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["state.json"]


def test_a_folder_whose_parent_cannot_be_synced_is_made_again(tmp_path: Path) -> None:
    """A folder that is not durable is never taken for done."""
    with pytest.raises(OSError, match="injected"):
        failing("fsync_folder", errno.EIO).make_folder(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    Files().make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_copy_gives_the_sha256_and_refuses_to_overwrite(tmp_path: Path) -> None:
    """Copies have the source's bytes and go to new names only."""
    data = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(data)
    assert Files().copy_file(tmp_path / "a", tmp_path / "b") == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "b").read_bytes() == data
    with pytest.raises(FileExistsError):
        Files().copy_file(tmp_path / "a", tmp_path / "b")


def test_a_rename_survives_that_the_folder_it_left_is_removed(tmp_path: Path) -> None:
    """People remove empty folders; that must not look like a rename that failed."""
    source = tmp_path / "sub" / "x.yaml"
    source.parent.mkdir()
    source.write_text("x")
    files = StepFiles()

    def remove(at: int, what: str) -> None:
        if files.log[-1] == ("fsync_folder", tmp_path):
            source.parent.rmdir()

    files.on_step = remove
    files.rename(source, tmp_path / "x.yaml")
    assert (tmp_path / "x.yaml").read_text() == "x"


def test_put_back_never_overwrites(tmp_path: Path) -> None:
    """A taken name gets a number: also one taken by a folder or a dangling link."""
    (tmp_path / "x.yaml").write_text("theirs")
    (tmp_path / "x-2.yaml").mkdir()
    (tmp_path / "x-3.yaml").symlink_to("nowhere")
    source = tmp_path / "source"
    source.write_text("ours")
    assert Files().move_to_free_name(source, tmp_path / "x.yaml") == tmp_path / "x-4.yaml"
    assert (tmp_path / "x.yaml").read_text() == "theirs"
    assert (tmp_path / "x-4.yaml").read_text() == "ours"
    assert not source.exists()


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("is_taken", [True, False])
def test_put_back_that_dies_anywhere_ends_with_one_file(
    tmp_path: Path, links: bool, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between link and unlink a file has two names; the next try settles it."""
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    source, target = tmp_path / "claims" / "x.yaml", tmp_path / "inbox" / "x.yaml"
    source.parent.mkdir()
    target.parent.mkdir()
    for step in range(1, 20):
        for path in target.parent.iterdir():
            path.unlink()
        if is_taken:
            target.write_text("theirs")
        source.write_text("ours")
        try:
            killed_at(step).move_to_free_name(source, target)
        except Killed:
            if source.exists():
                Files().move_to_free_name(source, target)
        else:
            break
        ours = [path for path in target.parent.iterdir() if path.read_text() == "ours"]
        assert len(ours) == 1, step
        assert not source.exists()
        assert not is_taken or target.read_text() == "theirs"
    assert step > 3


def no_links(*arguments: object, **options: object) -> None:
    """What `link` says on a filesystem that has none."""
    raise OSError(errno.EPERM, "no hard links here")


def test_put_back_crosses_filesystems(tmp_path: Path, elsewhere: Path) -> None:
    """Failed jobs may lie on another disk than the inbox."""
    source = elsewhere / "x.yaml"
    source.write_bytes(b"ours")
    (tmp_path / "x.yaml").write_text("theirs")
    place = Files().move_to_free_name(source, tmp_path / "x.yaml")
    assert place.read_bytes() == b"ours"
    assert names_in(tmp_path) == ["x-2.yaml", "x.yaml"]


def test_remove_tree_does_not_report_a_half_removal_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When something in it vanishes by itself, the rest is still there and an error says so."""
    (tmp_path / "job" / "inner").mkdir(parents=True)
    real = os.rmdir

    def vanish(path: str, *, dir_fd: int | None = None) -> None:
        if path == "inner":
            raise FileNotFoundError(path)
        real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", vanish)
    with pytest.raises(FileNotFoundError):
        Files().remove_tree(tmp_path / "job")
    monkeypatch.undo()
    Files().remove_tree(tmp_path / "job")
    Files().remove_tree(tmp_path / "job")
    assert names_in(tmp_path) == []


def test_full_disks_and_quotas_are_told_from_other_errors() -> None:
    """ENOSPC and EDQUOT mean full; EIO does not."""
    assert [is_full(OSError(n, "")) for n in (errno.ENOSPC, errno.EDQUOT, errno.EIO)] == [
        True, True, False,
    ]  # fmt: skip
