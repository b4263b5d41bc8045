"""An inbox that goes away and comes back, and files and folders that must not be read."""

from __future__ import annotations

import errno
import json
import os
import shutil

import psutil
import pytest
from support.mounts import View, mount, needs_mounts
from support.playground import Playground, wait_for

from nstd.intake.inbox import Inbox
from nstd.system.nofollow import Folder, FolderEntry


@needs_mounts
@pytest.mark.parametrize("mode", ["events", pytest.param("poll", marks=pytest.mark.slow)])
def test_inbox_unmounted_made_again(playground: Playground, mode: str) -> None:
    """An empty folder shows where the share was: status says so, nothing is taken for deleted."""
    playground.configure(watch={"mode": mode, "rescan": "300ms", "poll": "300ms"})
    mount(playground, playground.inbox)
    below, away = playground.inbox, playground.folder / "away"
    away.mkdir()
    view = View(playground.start().pid)
    playground.inbox = view.of(below)
    playground.sidecar("lonely", content="later.png")
    wait_for(lambda: playground.events("inbox.waiting"), what="inbox.waiting")
    view.do("mount", "--move", below, away)
    wait_for(lambda: playground.events("inbox.lost"), what="inbox.lost")
    assert "the inbox cannot be read" in playground.command("status").stdout
    assert json.loads(playground.command("status", "--json").stdout)["inbox_lost"]
    playground.pair("below")  # dropped into the folder under the share
    view.do("mount", "--move", away, below)
    wait_for(lambda: playground.events("inbox.back"), what="inbox.back")
    playground.picture("later.png")
    playground.picture("style.png")
    wait_for(lambda: playground.events("job.finished", name="lonely"), what="lonely")
    view.do("umount", below)
    wait_for(lambda: len(playground.events("inbox.lost")) == 2, what="inbox.lost again")
    view.do("mount", "-t", "tmpfs", "tmpfs", below)
    wait_for(lambda: len(playground.events("inbox.back")) == 2, what="inbox.back again")
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished", name="beach"), what="beach")
    assert not playground.events("job.failed")
    assert not playground.events("job.claimed", name="below")
    assert not json.loads(playground.command("status", "--json").stdout)["inbox_lost"]


def test_a_folder_that_cannot_be_read_for_a_while_is_not_forgotten(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time since which its sidecars wait for their pictures goes on."""
    playground.configure(watch={"settle": "0s", "orphan": "100s"})
    playground.sidecar("sub/lonely")
    inbox, entries = Inbox(playground.config), Folder.entries

    def stale(root: Folder, folder: str) -> list[FolderEntry]:
        if folder:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), folder)
        return entries(root, folder)

    assert inbox.ready(0.0) == []
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "entries", stale)
        assert inbox.ready(50.0) == []
        assert inbox.pending == 1
        assert inbox.ready(56.0) == []
        assert inbox.pending == 0  # nobody waits for ever for it
    assert inbox.ready(99.0) == []
    (ready,) = inbox.ready(101.0)
    assert ready.error is not None
    assert ready.error.code == "picture_missing"


# chmod 000


@pytest.fixture
def bound(playground: Playground) -> Playground:
    """A playground whose daemon obeys permissions, which root's otherwise does not."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv, as root may read everything")
        playground.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
    playground.hurry()
    return playground


def is_calm(pid: int) -> bool:
    """Whether a process does next to nothing for a second."""
    return psutil.Process(pid).cpu_percent(1.0) < 50


@pytest.mark.parametrize("what", ["picture", "sidecar"])
def test_chmod_000_on_file(bound: Playground, what: str) -> None:
    """One error event, no hot loop, the others flow; readable again, it flows too."""
    daemon = bound.start()
    closed = bound.picture("closed.png") if what == "picture" else bound.inbox / "bad.yaml"
    if what == "sidecar":
        closed.write_text("content: content.png\nstyle: style.png\n")
    closed.chmod(0)
    if what == "picture":
        bound.pair("bad", content="closed.png")
    bound.pair("good")
    wait_for(lambda: bound.events("job.finished", name="good"), what="good")
    wait_for(lambda: bound.events("inbox.unreadable"), what="inbox.unreadable")
    assert is_calm(daemon.pid)
    (error,) = bound.events("inbox.unreadable")
    assert error["path"] == "bad.yaml"
    assert closed.name in error["error"]
    closed.chmod(0o644)
    wait_for(lambda: bound.events("job.finished", name="bad"), what="bad")
    assert not bound.events("job.failed")


def test_chmod_000_on_folder(bound: Playground) -> None:
    """The same of a folder in the inbox, with a sidecar in it."""
    bound.pair("closed/bad")
    (bound.inbox / "closed").chmod(0)
    daemon = bound.start()
    bound.pair("good")
    wait_for(lambda: bound.events("job.finished", name="good"), what="good")
    assert is_calm(daemon.pid)
    (error,) = bound.events("inbox.unreadable")
    assert error["path"] == "closed"
    (bound.inbox / "closed").chmod(0o755)
    wait_for(lambda: bound.events("job.finished", name="bad"), what="bad")


def test_chmod_000_on_outbox(bound: Playground) -> None:
    """What is done waits, with one error event and no hot loop; then it is published."""
    daemon = bound.start()
    bound.outbox.chmod(0)
    bound.pair("beach")
    wait_for(lambda: bound.told("disk.failed"), what="disk.failed")
    assert is_calm(daemon.pid)
    (error,) = bound.told("disk.failed")
    assert "Permission denied" in error["error"]
    bound.outbox.chmod(0o755)
    wait_for(lambda: bound.told("job.finished"), what="job.finished")
    assert bound.record("beach")["attempt"] == 1
    assert bound.ended() == 1
    assert bound.stop(daemon) == 0
    assert not bound.told("daemon.error")


def test_once_on_an_inbox_with_chmod_000(bound: Playground) -> None:
    """It has not worked off what it could not see: exit status 1, with the folder and the cause."""
    bound.pair("beach")
    bound.inbox.chmod(0)
    done = bound.once()
    bound.inbox.chmod(0o755)
    assert done.returncode == 1
    assert f"the inbox {bound.inbox} cannot be read" in done.stderr
    assert "Permission denied" in done.stderr
    assert len(bound.events("inbox.lost")) == 1
    assert not bound.events("daemon.error")
    assert bound.once().returncode == 0
    assert bound.ended() == 1
