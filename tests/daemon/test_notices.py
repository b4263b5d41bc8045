"""Notices: the daemon writes what the config asks for, and `nstd notify` sends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.mail import web_server
from support.playground import Playground, wait_for

from nstd.client import doctor
from nstd.daemon import notice_writer
from nstd.daemon.notice_writer import NoticeWriter
from nstd.documents.config import Config
from nstd.logs.throttle import DiskErrors
from nstd.queue.daemon_state import DaemonState
from nstd.queue.notices import Notice, NoticeFolder
from nstd.queue.scheduler import Scheduler
from nstd.system.durable import Files


def notices(playground: Playground) -> list[Notice]:
    """The notices that wait, oldest first."""
    folder = NoticeFolder(playground.work / ".notices", Files())
    return [notice for name in folder.names() if (notice := folder.read(name)) is not None]


def total(playground: Playground) -> Notice:
    """All of them as one."""
    return Notice.merged(notices(playground))


def drop_some(playground: Playground) -> None:
    """A picture, a batch of two, two failures, and a job that a person cancels."""
    playground.pair("good")
    playground.pair("grid", style=None, styles=["style.png", "content.png"])
    playground.pair("sub/bad", options={"act": "raise"})
    playground.sidecar("ugly", stlye="x")
    playground.sidecar("gone", content="never.png")
    assert playground.command("cancel", "gone").returncode == 0


def test_without_notify_nothing_is_written(playground: Playground) -> None:
    """It is off by default."""
    drop_some(playground)
    assert playground.once().returncode == 0
    assert notices(playground) == []


def test_failures_batches_and_the_end_of_all_work_are_told(playground: Playground) -> None:
    """With names and reasons; what a person has cancelled is no failure."""
    playground.configure(notify={"on": ["failure", "batch", "idle"]})
    drop_some(playground)
    assert playground.once().returncode == 0
    told = total(playground)
    assert (told.failures, told.batches, told.is_idle) == (2, 1, True)
    assert told.root == str(playground.root)
    lines = "\n".join(told.lines)
    assert "failed: failed/sub/bad: backend 'puppet' raised RuntimeError: " in lines
    assert "[backend_failed]" in lines
    assert "failed: failed/ugly: ugly.yaml:" in lines
    assert "[sidecar_invalid]" in lines
    assert "batch: grid: 2 finished, 0 failed" in lines
    assert told.title.endswith("2 jobs have failed, 1 batch is done, nothing is left to do")


@pytest.mark.parametrize("on", ["failure", "batch", "idle"])
def test_only_what_is_asked_for_is_told(playground: Playground, on: str) -> None:
    """Of the same run."""
    playground.configure(notify={"on": [on]})
    drop_some(playground)
    assert playground.once().returncode == 0
    told = total(playground)
    found = {"failure": told.failures, "batch": told.batches, "idle": told.is_idle}
    assert {name for name, value in found.items() if value} == {on}


def test_a_run_that_leaves_work_is_no_end_of_all_work(playground: Playground) -> None:
    """Nor is one in which nothing has ended."""
    playground.configure(notify={"on": ["idle"]})
    assert playground.once().returncode == 0
    playground.pair("beach", options={"steps": 5000, "pause": 0.02})
    playground.pair("done", priority=90)
    process = playground.start()
    wait_for(lambda: playground.events("job.started", name="beach"))
    assert playground.stop(process) == 0
    assert notices(playground) == []


class Writer:
    """A writer of notices beside a daemon that does not exist, and its folder."""

    def __init__(self, root: Path, on: list[str], files: Files | None = None) -> None:
        config = Config.at(root, notify={"on": on})
        self.scheduler, self.state = Scheduler([], config), DaemonState(has_input=False)
        shared = self.scheduler, self.state, DiskErrors()
        self.writer = NoticeWriter(config, files or Files(), *shared)
        self.folder = NoticeFolder(root / "work" / ".notices", Files())

    def fail(self, number: int = 0) -> None:
        """A job has failed."""
        line = {"output": f"failed/{number}", "code": "io_error", "message": "no\nway"}
        self.writer.note("job.failed", line)

    def told(self) -> list[Notice]:
        """What it has written."""
        found = [self.folder.read(name) for name in self.folder.names()]
        return [notice for notice in found if notice is not None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root without a daemon."""
    (tmp_path / "work").mkdir()
    return tmp_path


def test_a_thousand_failures_at_once_are_one_notice(
    root: Path,
) -> None:
    """And later ones at most one a second."""
    writer = Writer(root, ["failure"])
    writer.fail()
    writer.writer.work(100.0)
    for number in range(1000):
        writer.fail(number)
        writer.writer.work(100.5)
    assert writer.writer.next_event(100.5) == 100.0 + notice_writer.EVERY
    writer.writer.work(101.0)
    assert [notice.failures for notice in writer.told()] == [1, 1000]
    assert writer.told()[1].lines[0] == "failed: failed/0: no [io_error]"
    assert writer.writer.next_event(101.0) == float("inf")
    writer.writer.close()


def test_nothing_is_left_to_do_after_a_minute_of_quiet_and_once(
    root: Path,
) -> None:
    """People drop files one after another; a sidecar that may still come is work."""
    writer = Writer(root, ["idle"])
    writer.writer.work(0.0)
    assert writer.writer.next_event(0.0) == float("inf")
    writer.fail()
    writer.writer.work(100.0)
    assert writer.writer.next_event(100.0) == 100.0 + notice_writer.QUIET
    writer.state.has_input = True
    writer.writer.work(150.0)
    writer.state.has_input = False
    writer.writer.work(159.0)
    writer.writer.work(159.0 + notice_writer.QUIET - 1)
    assert writer.told() == []
    for _ in range(3):
        writer.writer.work(159.0 + notice_writer.QUIET)
    assert [notice.is_idle for notice in writer.told()] == [True]
    writer.writer.close()
    assert len(writer.told()) == 1


def test_a_notice_that_cannot_be_written_is_kept_and_harms_nothing(
    root: Path, logged: list[dict[str, Any]]
) -> None:
    """It is one `disk.full`, and written when there is space."""

    class Full(Files):
        is_full = True

        def step(self, operation: str, path: Path) -> None:
            if self.is_full:
                raise OSError(28, os.strerror(28), str(path))

    files = Full()
    writer = Writer(root, ["failure"], files)
    writer.fail()
    writer.writer.work(100.0)
    writer.writer.work(100.0 + notice_writer.AGAIN)
    assert [line["event"] for line in logged].count("disk.full") == 1
    files.is_full = False
    writer.fail()
    writer.writer.work(100.0 + 2 * notice_writer.AGAIN)
    assert [notice.failures for notice in writer.told()] == [2]
    writer.writer.close()


# With `nstd notify`


def test_what_a_daemon_has_written_is_sent_once(playground: Playground) -> None:
    """From the failure of a job to the web server; then nothing is left."""
    with web_server() as web:
        playground.configure(notify={"on": ["failure", "idle"], "webhook": web.url})
        playground.pair("bad", options={"act": "raise"})
        assert playground.once().returncode == 0
        for _ in range(2):
            done = playground.command("notify", "--once")
            assert done.returncode == 0, done.stderr
        (body,) = web.bodies
    assert (body["failures"], body["idle"]) == (1, True)
    assert body["text"].splitlines()[1].startswith("failed: failed/bad: backend 'puppet' raised")
    assert notices(playground) == []


def test_it_sends_what_it_sees_as_the_unit_runs_it(playground: Playground) -> None:
    """With a copy of the config and the secrets in one folder, and the notices; nothing else."""
    with web_server() as web:
        playground.configure(notify={"on": ["failure"]})
        playground.sidecar("ugly", stlye="x")
        assert playground.once().returncode == 0
        given = playground.folder / "credentials"
        given.mkdir()
        (given / "config.yaml").write_bytes(playground.config_path.read_bytes())
        (given / "webhook").write_text(web.url)
        (given / "webhook-token").write_text("s3cret\n")
        seen = playground.folder / "seen"
        (playground.work / ".notices").rename(seen)
        done = playground.command(
            *("notify", "--once", "-c", str(given / "config.yaml"), "--notices", str(seen)),
            env={"CREDENTIALS_DIRECTORY": str(given)},
        )
        assert done.returncode == 0, done.stderr
        assert web.headers[0]["Authorization"] == "Bearer s3cret"
    assert list(seen.glob("*.json")) == []


def test_what_cannot_be_sent_stays(playground: Playground) -> None:
    """Exit code 1 and why, without the address, which may be secret."""
    playground.configure(notify={"on": ["failure"]})
    playground.sidecar("ugly", stlye="x")
    assert playground.once().returncode == 0
    environment = {"NSTD_WEBHOOK": "http://127.0.0.1:1/secret"}
    done = playground.command("notify", "--once", env=environment)
    assert done.returncode == 1
    assert "webhook at 127.0.0.1: not sent, again in 15 s: " in done.stderr
    assert "secret" not in done.stderr
    assert len(notices(playground)) == 1


def test_it_goes_on_until_it_is_ended_and_a_test_can_be_sent(playground: Playground) -> None:
    """A notice that comes meanwhile is sent."""
    with web_server() as web:
        playground.configure(notify={"on": ["failure"], "webhook": web.url})
        assert "sent: nstd " in playground.command("notify", "--test").stdout
        assert web.bodies[0]["title"].endswith(": a test")
        web.answers = [500]
        refused = playground.command("notify", "--test")
        assert refused.returncode == 1
        assert "not sent: the server answered 500 Internal Server Error: so" in refused.stderr
        assert "look at its log, or try later" in refused.stderr
        process = subprocess.Popen(
            [sys.executable, "-m", "nstd", "notify", "-c", str(playground.config_path)],
            env=playground.environment,
            stderr=subprocess.PIPE,
        )
        playground.sidecar("ugly", stlye="x")
        assert playground.once().returncode == 0
        wait_for(lambda: len(web.bodies) == 2)
        wait_for(lambda: notices(playground) == [])
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert b"Traceback" not in errors
    assert b"webhook at 127.0.0.1: sent: nstd" in errors


def test_notices_for_nobody_are_an_error_of_the_config(playground: Playground) -> None:
    """Exit code 3, with the page of the manual."""
    done = playground.command("notify")
    assert done.returncode == 3
    assert "notify names nobody to be told: neither email nor webhook" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on: [failures]", "2:8: on: expected 'failure', 'batch' or 'idle', got 'failures'"),
        ("webhook: slack.com/x", "2:12: webhook: expected an address like https://"),
        ("email: {to: [ops]}", "2:16: to: expected an address like ops@example.org, got 'ops'"),
        ("email: {to: []}", "to: expected at least 1 in the list"),
    ],
)
def test_wrong_settings_are_refused_with_their_place(
    playground: Playground, text: str, words: str
) -> None:
    """With line and column."""
    playground.config_path.write_text(f"notify:\n  {text}\n")
    done = playground.command("check", str(playground.config_path))
    assert done.returncode == 1
    assert words in done.stdout + done.stderr


def test_the_notices_are_files_that_other_programs_can_read(playground: Playground) -> None:
    """JSON with a version, like all that nstd writes."""
    playground.configure(notify={"on": ["failure"]})
    playground.sidecar("ugly", stlye="x")
    assert playground.once().returncode == 0
    (path,) = (playground.work / ".notices").glob("*.json")
    assert json.loads(path.read_text())["schema_version"] == 1


def test_doctor_finds_notices_that_nobody_sends(playground: Playground) -> None:
    """After a quarter of an hour; before, they may only be on their way."""
    playground.configure(notify={"on": ["failure"]})
    assert found(playground) == [("ok", "all are sent")]
    playground.sidecar("ugly", stlye="x")
    assert playground.once().returncode == 0
    ((level, message),) = found(playground)
    assert level == "ok"
    assert message.startswith("1 wait, the first for ")
    (path,) = (playground.work / ".notices").glob("*.json")
    old = f"{int(path.name[:19]) - 10**9 * 7200}{path.name[19:]}"
    path.rename(path.with_name(old))
    ((level, message),) = found(playground)
    assert level == "warn"
    assert message.startswith("1 wait, the first for 2h")


def found(playground: Playground) -> list[tuple[str, str]]:
    """What doctor says about notices."""
    return [(each.level, each.message) for each in doctor._notices(playground.config)]
