"""The sender: each notice once on each channel, at most one message a minute, until it works."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mail import WebServer, web_server

from nstd.client.notify.channels import NoticeChannel, SendError, WebhookChannel
from nstd.client.notify.sender import FIRST, GAP, LONGEST, NoticeSender
from nstd.queue.notices import MOST, SHOWN, Notice, NoticeFolder
from nstd.system.durable import Files


class Recorder:
    """A channel that notes what is sent, or refuses it."""

    def __init__(self, name: str = "recorder") -> None:
        self.name = name
        self.sent: list[Notice] = []
        self.is_broken = False

    def send(self, notice: Notice) -> None:
        """Send a notice."""
        if self.is_broken:
            raise SendError("no way")
        self.sent.append(notice)


@pytest.fixture
def folder(tmp_path: Path) -> NoticeFolder:
    """A folder of notices."""
    return NoticeFolder(tmp_path / ".notices", Files())


def failure(number: int) -> Notice:
    """The notice of one failed job."""
    line = f"failed: job-{number}"
    return Notice(root="/srv/nstd", time=1000.0 + number, failures=1, lines=(line,))


def make(folder: NoticeFolder, *channels: NoticeChannel) -> tuple[NoticeSender, list[str]]:
    """A sender, and what it tells."""
    told: list[str] = []
    return NoticeSender(folder, channels, told.append), told


def test_what_comes_within_a_minute_is_summed_up(folder: NoticeFolder) -> None:
    """The first is sent at once, the others together after a minute; then nothing is left."""
    channel = Recorder()
    sender, told = make(folder, channel)
    folder.add(failure(0))
    sender.step(100.0)
    for number in range(1, 15):
        folder.add(failure(number))
        sender.step(100.0 + number)
    sender.step(100.0 + GAP - 0.1)
    assert [notice.failures for notice in channel.sent] == [1]
    sender.step(100.0 + GAP)
    assert [notice.failures for notice in channel.sent] == [1, 14]
    last = channel.sent[1]
    assert last.lines == tuple(f"failed: job-{number}" for number in range(1, SHOWN + 1))
    assert last.text.splitlines()[-1] == "... and 4 more"
    assert last.title == "nstd /srv/nstd: 14 jobs have failed"
    assert folder.names() == []
    assert told == [
        "recorder: sent: nstd /srv/nstd: 1 job has failed",
        "recorder: sent: nstd /srv/nstd: 14 jobs have failed",
    ]


def test_a_channel_that_fails_is_tried_again_after_a_growing_wait(folder: NoticeFolder) -> None:
    """The other channel gets each notice once, and nothing is lost."""
    good, bad = Recorder("good"), Recorder("bad")
    bad.is_broken = True
    sender, told = make(folder, bad, good)
    folder.add(failure(0))
    tries, now = [], 0.0
    for now in range(0, 8000, 5):
        before = len(told)
        sender.step(float(now))
        tries += [now] if any("bad: not sent" in line for line in told[before:]) else []
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert waits[:6] == [FIRST * 2**number for number in range(6)]
    assert max(waits) <= LONGEST
    assert "bad: not sent, again in 15 s: no way" in told
    assert len(good.sent) == 1
    folder.add(failure(1))
    bad.is_broken = False
    sender.step(now + LONGEST)
    assert [notice.failures for notice in bad.sent] == [2]
    assert [notice.failures for notice in good.sent] == [1, 1]
    assert folder.names() == []


def test_a_torn_notice_is_told_and_removed(folder: NoticeFolder, tmp_path: Path) -> None:
    """The others are sent; what is no notice is left alone."""
    folder.add(failure(0))
    names = folder.names()
    whole = (tmp_path / ".notices" / names[0]).read_bytes()
    torn = [whole[:20], b"", b"\0" * 50, b"[]", b"\xff"]
    for number, data in enumerate(torn):
        (tmp_path / ".notices" / f"{10**18 + number}-0000000{number}.json").write_bytes(data)
    (tmp_path / ".notices" / "readme.txt").write_text("not ours")
    channel = Recorder()
    sender, told = make(folder, channel)
    sender.step(0.0)
    assert [notice.failures for notice in channel.sent] == [1]
    assert len([line for line in told if "cannot be read; it is removed" in line]) == len(torn)
    assert folder.names() == []
    assert (tmp_path / ".notices" / "readme.txt").exists()


def test_the_notices_are_bounded_when_nobody_sends_them(folder: NoticeFolder) -> None:
    """Later ones are summed up with the latest: nothing is uncounted."""
    for number in range(3 * MOST):
        folder.add(failure(number))
    assert len(folder.names()) == MOST
    channel = Recorder()
    sender, _ = make(folder, channel)
    sender.step(0.0)
    (notice,) = channel.sent
    assert notice.failures == 3 * MOST
    assert notice.time == 1000.0
    assert len(notice.lines) == SHOWN


def test_a_notice_that_could_not_be_removed_is_not_sent_again(
    folder: NoticeFolder, tmp_path: Path
) -> None:
    """The disk fails after the sending."""

    class Stuck(Files):
        is_stuck = True

        def step(self, operation: str, path: Path) -> None:
            if operation == "unlink" and self.is_stuck and not path.name.startswith("."):
                raise PermissionError(13, "no", str(path))

    folder.add(failure(0))
    files, channel = Stuck(), Recorder()
    sender, _ = make(NoticeFolder(tmp_path / ".notices", files), channel)
    for now in (0.0, 100.0):
        with pytest.raises(PermissionError):
            sender.step(now)
    files.is_stuck = False
    sender.step(200.0)
    assert len(channel.sent) == 1
    assert folder.names() == []


def test_a_folder_that_is_not_there_has_no_notices(tmp_path: Path) -> None:
    """The daemon may be started later."""
    channel = Recorder()
    sender, _ = make(NoticeFolder(tmp_path / "absent", Files()), channel)
    assert sender.send_all()
    assert channel.sent == []


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server."""
    with web_server() as server:
        yield server


def test_a_web_server_that_is_away_for_a_while_gets_all_in_the_end(
    folder: NoticeFolder, web: WebServer
) -> None:
    """Over real sockets; what came meanwhile is in the same message."""
    web.answers = [503, 500]
    sender, told = make(folder, WebhookChannel(web.url, "", 5.0))
    now = time.monotonic()
    for number in range(3):
        folder.add(failure(number))
        sender.step(now)
        now += 100.0
    assert [body["failures"] for body in web.bodies] == [3]
    assert len([line for line in told if "not sent" in line]) == 2
    assert all("?a=b" not in line for line in told)
