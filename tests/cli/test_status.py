"""`nstd status`: read from the disk alone, whether the daemon runs or not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest
from support.gallery import put_result
from support.playground import Playground, wait_for

from nstd.cli.status_text import render
from nstd.client.status import read_status
from nstd.client.status_entries import Status
from nstd.queue.health import DeviceHealth
from nstd.system.lock import Lock

LONG = {"steps": 5000, "pause": 0.02}


def status(playground: Playground) -> dict[str, Any]:
    """The status as JSON."""
    done = playground.command("status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_status_of_a_root_where_nothing_has_happened(playground: Playground) -> None:
    """Folders that are not even there count as empty."""
    for folder in (playground.work, playground.outbox, playground.inbox):
        shutil.rmtree(folder)
    found = status(playground)
    assert (found["pid"], found["state"]) == (None, "not running")
    assert (found["inbox"], found["waiting"], found["running"]) == ([], [], [])
    assert (found["done"], found["failed"]) == (0, 0)


def test_status_follows_a_job_from_the_inbox_to_the_outbox(playground: Playground) -> None:
    """In the inbox, running with device, step, loss, ETA and memory, waiting behind it, done."""
    playground.pair("first", priority=90, options={"steps": 4000, "pause": 0.02})
    playground.pair("second")
    assert status(playground)["inbox"] == ["first.yaml", "second.yaml"]
    process = playground.start()
    wait_for(lambda: any(line["eta"] for line in playground.events("job.progress")))
    found = status(playground)
    assert (found["pid"], found["state"]) == (process.pid, "running")
    (running,) = found["running"]
    assert (running["name"], running["slot"], running["device"]) == ("first", "cpu/0", "cpu")
    assert 0 < running["step"] < running["steps"] == 4000
    assert running["losses"]["total"] > 0
    assert running["eta"] > 1
    assert running["memory"] > 2**20
    assert [entry["name"] for entry in found["waiting"]] == ["second"]
    assert found["devices"] == [{"device": "cpu", "slots": 1, "state": "up", "failures": 0}]
    text = playground.command("status").stdout
    assert f"daemon running, pid {process.pid}" in text
    assert "first  cpu/0 [" in text
    assert "/4000 loss " in text
    assert re.search(r" left \d+MiB$", text, re.MULTILINE)


@pytest.mark.parametrize("runs", [False, True])
def test_status_says_what_sidecars_wait_for_and_what_looks_like_a_mistake(
    playground: Playground, runs: bool
) -> None:
    """With the nearest name and since when; a daemon tells it, or a look at the inbox."""
    playground.picture("chelsea.JPG")
    playground.picture("other.png")
    playground.sidecar("first", content="chelsea.jpg", style="s.jpg")
    (playground.inbox / "b.yaml.txt").write_text("content: a.png")
    (playground.inbox / "closed.yaml").symlink_to("b.yaml.txt")
    if runs:
        playground.start()
    notes = wait_for(lambda: [n for n in status(playground)["notes"] if n["kind"] == "waiting"])
    (note,) = notes
    assert (note["name"], note["missing"]) == ("first.yaml", ["chelsea.jpg", "s.jpg"])
    assert note["nearest"] == {"chelsea.jpg": "chelsea.JPG"}
    assert 0 <= time.time() - note["since"] < 600
    text = playground.command("status").stdout
    told = (
        r"first.yaml \(for \d+s\) waits for 'chelsea.jpg' \(did you mean 'chelsea.JPG'\?\), 's.jpg'"
    )
    assert re.search(told, text)
    assert "b.yaml.txt is no sidecar" in text
    assert "closed.yaml cannot be read: 'closed.yaml' is a symbolic link" in text
    assert "other.png is named by no sidecar" in text
    assert "chelsea.JPG is named" not in text


@pytest.mark.parametrize("runs", [False, True])
def test_status_names_what_was_meant_by_each_missing_picture(
    playground: Playground, runs: bool
) -> None:
    """Of both pictures of a pair, and none of them is told to have no sidecar."""
    playground.picture("beach.png")
    playground.picture("starry.png")
    playground.sidecar("first", content="beech.png", style="stary.png")
    if runs:
        playground.start()
    wait_for(lambda: status(playground)["notes"])
    text = playground.command("status").stdout
    assert (
        "waits for 'beech.png' (did you mean 'beach.png'?), 'stary.png' (did you mean 'starry"
        in text
    )
    assert "is named by no sidecar" not in text


def test_status_leaves_pictures_alone_once_something_was_made(playground: Playground) -> None:
    """Those of old jobs stay in the inbox, and nobody needs to be told."""
    playground.pair("beach")
    playground.picture("more.png")
    playground.once()
    assert status(playground)["notes"] == []


def test_status_of_what_a_dead_daemon_left(playground: Playground) -> None:
    """A job whose daemon was killed waits; nothing is said to run."""
    playground.pair("beach", options={"steps": 500, "pause": 0.05})
    process = playground.start()
    wait_for(lambda: playground.events("job.started"))
    process.kill()
    process.wait()
    found = status(playground)
    assert (found["pid"], found["running"]) == (None, [])
    assert [entry["name"] for entry in found["waiting"]] == ["beach"]
    assert "daemon not running" in playground.command("status").stdout


def test_status_counts_and_lists_what_has_ended(playground: Playground) -> None:
    """Done and failed, the latest first, with the reason of a failure."""
    playground.pair("sub/good")
    playground.pair("bad", options={"act": "raise"})
    playground.once()
    found = status(playground)
    assert (found["done"], found["failed"]) == (1, 1)
    recent = {entry["output"]: entry for entry in found["recent"]}
    assert set(recent) == {"sub/good", "failed/bad"}
    assert recent["failed/bad"]["code"] == "backend_failed"
    text = playground.command("status").stdout
    assert "1 done, 1 failed" in text
    assert "the puppet raises" in text


def test_what_a_person_cancelled_counts_as_cancelled_and_not_as_failed(
    playground: Playground,
) -> None:
    """In the status, the metrics, the counts of a batch and the level of the log."""
    playground.configure(metrics={"file": "nstd.prom"})
    playground.pair("bad", options={"act": "raise"})
    playground.once()
    for name, wishes in (("other", {}), ("grid", {"content": ["content.png", "never.png"]})):
        playground.sidecar(name, **{"content": "never.png", **wishes})
        assert playground.command("cancel", name).returncode == 0
    playground.once()
    found = status(playground)
    assert (found["done"], found["failed"], found["cancelled"]) == (0, 1, 2)
    assert [entry["state"] for entry in found["recent"]] == ["cancelled", "cancelled", "failed"]
    assert "0 done, 1 failed, 2 cancelled" in playground.command("status").stdout
    text = (playground.root / "nstd.prom").read_text()
    assert 'nstd_jobs_ended_total{code="cancelled",outcome="cancelled"} 2.0' in text
    levels = {line["code"]: line["level"] for line in playground.events("job.failed")}
    assert levels == {"backend_failed": "error", "cancelled": "info"}
    stopped = playground.events("daemon.stopped")[-1]
    assert (stopped["failed"], stopped["cancelled"]) == (0, 2)


def test_members_of_a_batch_that_were_cancelled_are_counted_as_such(
    playground: Playground,
) -> None:
    """Beside those that have failed."""
    playground.pair("grid", style=None, styles=["style.png", "content.png"], options=LONG)
    daemon = playground.start()
    wait_for(lambda: playground.events("job.progress"))
    (batch,) = status(playground)["batches"]
    assert playground.command("cancel", batch["batch"]).returncode == 0
    wait_for(lambda: playground.events("batch.finished"))
    playground.stop(daemon)
    (batch,) = status(playground)["batches"]
    assert (batch["done"], batch["failed"], batch["cancelled"]) == (0, 0, 2)
    assert "0 of 2 done, 2 cancelled" in playground.command("status").stdout


def test_status_says_how_many_more_have_ended_than_it_lists(playground: Playground) -> None:
    """So that ten lines are not taken for all."""
    for number in range(13):
        put_result(playground.outbox, number)
    text = playground.command("status").stdout
    assert "13 done" in text
    assert text.splitlines()[-1] == "  ... and 3 earlier ones: all are in the gallery"
    assert len([line for line in text.splitlines() if line.startswith("  finished")]) == 10


def test_status_survives_what_others_left_in_the_folders(playground: Playground) -> None:
    """Broken records, odd names and strange files are shown as far as they can be."""
    playground.pair("good")
    playground.once()
    (playground.outbox / "good" / "good.json").write_text("{")
    odd = playground.outbox / "failed" / "x\n\x1b[2Jy"
    odd.mkdir(parents=True)
    (odd / "reason.json").write_text("[]")
    (playground.work / "20260101-000000-abcdef").mkdir()
    (playground.work / "daemon.json").write_text("\x00")
    (playground.inbox / os.fsdecode(b"\xff.yaml")).write_text("content: x\n")
    done = playground.command("status")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "x\\n\\x1b[2Jy" in done.stdout
    assert status(playground)["failed"] == 1


def cluster_of(nodes: int, down: set[str]) -> Status:
    """A daemon on a cluster of nodes with eight devices each."""
    names = [f"studio{node}/gpu:{number}" for number in range(8) for node in range(1, nodes + 1)]
    devices = tuple(
        DeviceHealth(device=name, slots=1, state="down" if name in down else "up", failures=0)
        for name in names
    )
    return Status(root="/srv/nstd", pid=7, state="running", devices=devices)


def test_status_has_a_line_for_each_node_of_a_cluster() -> None:
    """With what is down on it; lines that fit a terminal."""
    gone = {f"studio2/gpu:{number}" for number in range(8)}
    lines = render(cluster_of(3, gone | {"studio3/gpu:5"})).splitlines()
    assert lines[1:4] == [
        "  node studio1: 8 of 8 devices up",
        "  node studio2: 0 of 8 devices up; down: "
        "gpu:0, gpu:1, gpu:2, gpu:3, gpu:4, gpu:5, gpu:6, gpu:7",
        "  node studio3: 7 of 8 devices up; down: gpu:5",
    ]


def test_status_of_a_large_cluster_shows_what_is_wrong() -> None:
    """A few of the nodes that are well, and each that is not."""
    lines = render(cluster_of(125, {"studio77/gpu:1"})).splitlines()
    assert len(lines) < 20
    assert "  node studio77: 7 of 8 devices up; down: gpu:1" in lines
    assert "  ... and 114 more nodes, all up" in lines


def test_status_watch_goes_on_until_it_is_interrupted(playground: Playground) -> None:
    """A new look every second; ^C ends it without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", "status", "--watch", "-c", str(playground.config_path)],
        env=playground.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    looks = 0
    while looks < 2:
        looks += "daemon not running" in process.stdout.readline()
    process.send_signal(2)
    _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors
    assert process.returncode == 1


def test_a_daemon_whose_pid_is_not_known_runs(playground: Playground) -> None:
    """The disk was full when it started, or somebody has written into its lock."""
    lock = Lock(playground.work / "daemon.lock")
    lock.acquire()
    for text in ("", "somebody's notes\n"):
        lock.path.write_text(text)
        status = read_status(playground.config)
        assert (status.state, status.pid) == ("running", None)
        assert "running" in playground.command("status").stdout.splitlines()[0]
    lock.release()
