"""A root is read without ever leaving it: nothing else is opened, whatever lies in the folder."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.disk import names_in

from nstd.errors import SidecarError
from nstd.system.nofollow import Folder, join


@pytest.fixture
def root(tmp_path: Path) -> Folder:
    """A root with one picture, beside a secret."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (tmp_path / "inbox" / "sub").mkdir(parents=True)
    (tmp_path / "inbox" / "sub" / "beach.jpg").write_text("beach")
    return Folder(tmp_path / "inbox")


def refused(action: Callable[[], object]) -> str:
    """The message of the refusal that `action` must meet."""
    with pytest.raises(SidecarError) as caught:
        action()
    assert caught.value.code == "path_refused"
    return caught.value.message


def test_a_regular_file_is_looked_at_and_opened(root: Folder) -> None:
    """The signature is that of stat; the bytes are those of the file."""
    signature = root.signature("sub/beach.jpg")
    assert signature.size == 5
    with root.open("sub/beach.jpg") as file:
        assert file.read() == b"beach"
    (root.path / "sub" / "beach.jpg").rename(root.path / "coast.jpg")
    assert root.signature("coast.jpg").same_bytes(signature)
    with pytest.raises(FileNotFoundError, match=r"sub/none\.jpg"):
        root.signature("sub/none.jpg")


@pytest.mark.parametrize("method", ["signature", "open"])
def test_links_are_refused_wherever_they_point(root: Folder, method: str) -> None:
    """A link to a file, to a folder on the way, into the root and to nowhere."""
    inbox = root.path
    (inbox / "file.jpg").symlink_to(inbox.parent / "secret" / "key")
    (inbox / "folder").symlink_to(inbox.parent / "secret")
    (inbox / "inside.jpg").symlink_to("sub/beach.jpg")
    (inbox / "dangling.jpg").symlink_to("nowhere")
    for name in ("file.jpg", "folder/key", "inside.jpg", "dangling.jpg"):
        assert "link" in refused(lambda name=name: getattr(root, method)(name))  # type: ignore[misc]


@pytest.mark.parametrize("method", ["signature", "open"])
def test_what_is_no_file_is_refused_without_opening_it(root: Folder, method: str) -> None:
    """A FIFO without a writer would block for ever; a device may do anything."""
    os.mkfifo(root.path / "fifo.jpg")
    assert "FIFO" in refused(lambda: getattr(root, method)("fifo.jpg"))
    assert "folder" in refused(lambda: getattr(root, method)("sub"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root.path / "s.jpg"))
        assert "socket" in refused(lambda: getattr(root, method)("s.jpg"))
    if os.geteuid() == 0:
        try:
            os.mknod(root.path / "zero.jpg", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("devices cannot be made here")
        assert "device" in refused(lambda: getattr(root, method)("zero.jpg"))


def test_names_that_leave_the_root_are_refused(root: Folder) -> None:
    """`..` and absolute names, also when a caller forgot to join them."""
    for name in ("../secret/key", "sub/../../secret/key", "/etc/passwd"):
        refused(lambda name=name: join("", name))  # type: ignore[misc]
        refused(lambda name=name: root.open(name))  # type: ignore[misc]
    assert join("a/b", "../c.jpg") == "a/c.jpg"
    assert join(".", "c.jpg") == "c.jpg"
    refused(lambda: join("a", "../../c.jpg"))


@pytest.mark.parametrize("what", ["link", "fifo", "folder"])
def test_a_file_swapped_between_look_and_open_is_not_followed(
    root: Folder, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at is what is opened: the very file, or nothing."""
    picture, secret = root.path / "sub" / "beach.jpg", root.path.parent / "secret" / "key"
    opened: list[str] = []
    real = os.access

    def swap(path: str, mode: int) -> bool:
        picture.rename(root.path / "moved.jpg")
        if what == "link":
            picture.symlink_to(secret)
        elif what == "fifo":
            os.mkfifo(picture)
        else:
            picture.parent.rename(root.path / "was-sub")
            (root.path / "sub").symlink_to(secret.parent)
        return real(path, mode)

    monkeypatch.setattr(os, "access", swap)
    root.signature("sub/beach.jpg")
    monkeypatch.undo()
    with pytest.raises((SidecarError, FileNotFoundError)):
        opened.append(root.open("sub/beach.jpg").read().decode())
    assert opened == []


def test_a_file_swapped_while_it_is_being_opened_gives_the_bytes_that_were_looked_at(
    root: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last moment: between the check of the kind and the opening."""
    picture = root.path / "sub" / "beach.jpg"
    real = stat.S_ISREG

    def swap(mode: int) -> bool:
        picture.unlink()
        os.mkfifo(picture)
        return real(mode)

    monkeypatch.setattr(stat, "S_ISREG", swap)
    with root.open("sub/beach.jpg") as file:
        assert file.read() == b"beach"


def test_a_folder_is_listed_without_following_a_link(root: Folder) -> None:
    """Entries tell folders from files; a folder that is a link is not entered."""
    (root.path / "link").symlink_to(root.path.parent / "secret")
    assert {entry.name: entry.is_folder for entry in root.entries("")} == {
        "sub": True,
        "link": False,
    }
    assert [entry.name for entry in root.entries("sub")] == ["beach.jpg"]
    refused(lambda: root.entries("link"))


def test_descriptors_are_given_back(root: Folder) -> None:
    """A daemon that looks for years must not run out of them, errors or not."""
    before = len(names_in(Path("/proc/self/fd")))
    (root.path / "link").symlink_to("sub")
    for _ in range(20):
        root.signature("sub/beach.jpg")
        root.open("sub/beach.jpg").close()
        root.entries("sub")
        for name in ("none", "sub/none", "link/beach.jpg", "sub", "../x"):
            with pytest.raises((SidecarError, FileNotFoundError)):
                root.open(name)
    assert len(names_in(Path("/proc/self/fd"))) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_says_so_at_the_look(root: Folder) -> None:
    """Better than finding out after the sidecar has been claimed."""
    (root.path / "sub" / "beach.jpg").chmod(0)
    with pytest.raises(PermissionError, match=r"sub/beach\.jpg"):
        root.signature("sub/beach.jpg")


@pytest.mark.parametrize("name", ["a\ud800.jpg", "a\ud800/b.jpg", "a\0.jpg"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    """It concerns its own sidecar; the inbox is read on."""
    (tmp_path / "a").mkdir()
    with pytest.raises(SidecarError) as caught:
        Folder(tmp_path).signature(name)
    assert caught.value.code == "path_refused"
