"""Commands of other users than the daemon's: closed folders are told, and advice is right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.playground import Playground, finished, wait_for

USER, SERVICE = 65534, 64321
"""Who asks, and whom the daemon runs as; the group of the service has the same number."""
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}"]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, of util-linux"),
]


@pytest.fixture
def playground() -> Iterator[Playground]:
    """A root that others get to, as they do not get to the folders of pytest."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="nstd-others-") as name:
        Path(name).chmod(0o755)
        playground = Playground(Path(name))
        yield playground
        playground.close()


def ask(
    playground: Playground, *arguments: str, groups: str = "--clear-groups"
) -> subprocess.CompletedProcess[str]:
    """What a command says to the user."""
    playground.prefix = [*AS_USER, groups]
    if playground.command("--version").returncode != 0:
        pytest.skip("the user cannot run this Python")
    done = playground.command(*arguments)
    playground.prefix = []
    return done


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        ("status", "inbox"),
        ("status --json", "work"),
        ("status", "outbox"),
        ("status", "outbox/failed"),
        ("logs", "outbox/logs"),
        ("logs bad", "outbox/logs"),
        ("cancel bad", "work"),
        ("retry bad", "outbox/failed"),
    ],
)
def test_a_folder_that_is_really_closed_is_said_to_be(
    playground: Playground, command: str, closed: str
) -> None:
    """By the kernel, to another user: it is named, with who asks; exit code 1, and no zeros."""
    playground.pair("bad", options={"act": "refuse"})
    playground.once()
    folder = playground.root / closed
    folder.chmod(0o700)
    done = ask(playground, *command.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert f"nstd: {folder} is closed to " in done.stderr


def test_a_log_file_that_is_closed_is_said_to_be(playground: Playground) -> None:
    """Where its folder is open."""
    playground.once()
    log = playground.outbox / "logs" / "nstd.jsonl"
    log.chmod(0o600)
    done = ask(playground, "logs")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"nstd: {log} is closed to " in done.stderr


def serve(playground: Playground) -> None:
    """Rights as the unit and its tmpfiles give them."""
    for path in (playground.root, *playground.root.rglob("*")):
        os.chown(path, SERVICE, SERVICE)
        is_open = path.name in {"inbox", "styles", ".requests"} or "outbox" in path.parts
        path.chmod((0o2770 if is_open else 0o2750) if path.is_dir() else 0o660)
    playground.config_path.chmod(0o640)
    (playground.work / ".notices").chmod(0o2700)  # of another group, that of the unit that sends


def test_a_member_of_the_service_s_group_is_told_no_wrong_thing_by_doctor(
    playground: Playground,
) -> None:
    """No advice to take files away from the daemon; that it alone writes `work` is as it should."""
    playground.once()
    serve(playground)
    done = ask(playground, "doctor", groups=f"--groups={SERVICE}")
    assert "chown" not in done.stdout
    assert f"written by user {SERVICE} alone; you are" in done.stdout
    assert f"user {SERVICE} can write all that lies in the folders" in done.stdout
    assert "only root and the service may look at them" in done.stdout
    os.chown(playground.outbox / "logs" / "nstd.jsonl", 0, 0)
    (playground.outbox / "logs" / "nstd.jsonl").chmod(0o644)
    done = ask(playground, "doctor", groups=f"--groups={SERVICE}")
    assert f"run: sudo chown -R {SERVICE} " in done.stdout


def test_a_member_rebuilds_the_gallery_while_a_daemon_runs_and_leaves_no_files_of_their_own(
    playground: Playground,
) -> None:
    """Without one, they are told who can."""
    playground.pair("beach")
    playground.once()
    serve(playground)
    member = f"--groups={SERVICE}"
    done = ask(playground, "gallery", "--rebuild", groups=member)
    assert done.returncode == 1
    assert f"sudo -u '#{SERVICE}' nstd gallery --rebuild" in done.stderr
    daemon = playground.start()
    done = ask(playground, "gallery", "--rebuild", groups=member)
    assert done.returncode == 0, done.stderr
    assert "makes it anew" in done.stderr
    assert playground.stop(daemon) == 0
    assert USER not in {path.stat().st_uid for path in playground.root.rglob("*")}


def test_without_threads_the_inbox_is_polled_and_all_goes_on_when_there_are_some(
    playground: Playground,
) -> None:
    """A real limit on tasks: the daemon starts, says so, and makes the picture in the end."""
    reach = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]  # for Python itself
    playground.prefix = [*AS_USER, "--clear-groups", *reach, "prlimit", "--nproc=1:"]
    for path in (playground.folder, *playground.folder.rglob("*")):
        os.chown(path, USER, USER)
    daemon = playground.start()
    if daemon.poll() is not None:
        pytest.skip("the user cannot run this Python")
    (degraded,) = wait_for(lambda: playground.events("watch.degraded"))
    assert "can't start new thread" in json.dumps(degraded)
    playground.pair("beach")
    wait_for(lambda: playground.events("plugin.failed") or playground.events("device.down"))
    more = ["prlimit", f"--pid={daemon.pid}", "--nproc=4096:"]
    subprocess.run([*AS_USER, "--clear-groups", *more], check=True)
    wait_for(lambda: finished(playground) == {"beach"})
    assert playground.stop(daemon) == 0
