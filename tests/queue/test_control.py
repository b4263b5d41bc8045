"""Cancel and retry: of jobs in the inbox, waiting, running, failed; daemon running or not."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.disk import StepFiles
from support.playground import Playground, wait_for

from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files
from nstd.system.layout import REQUESTS

LONG = {"steps": 5000, "pause": 0.02}


@pytest.fixture
def requests(tmp_path: Path) -> ControlRequests:
    """A folder of notes."""
    return ControlRequests(tmp_path, Files())


def note(folder: Path, text: bytes) -> None:
    """Leave a note by hand."""
    (folder / ".requests").mkdir(exist_ok=True)
    (folder / ".requests" / "0.json").write_bytes(text)


# The notes


def test_notes_are_given_once_in_the_order_they_were_left(requests: ControlRequests) -> None:
    """What was asked first is done first, and only once."""
    asked = [
        ControlRequest("cancel", "a"),
        ControlRequest("retry", "b"),
        ControlRequest("cancel", "c\n\udcff"),
    ]
    assert requests.is_empty
    for request in asked:
        requests.write(request)
    assert not requests.is_empty
    assert list(requests.take()) == asked
    assert list(requests.take()) == []


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"action": "explode", "job": "x"}'),
        *(b'{"action": "cancel"}', b'{"action": "cancel", "job": 3}'),
        b'{"action": [], "job": "x"}',
    ],
)
def test_a_broken_note_is_dropped(requests: ControlRequests, tmp_path: Path, text: bytes) -> None:
    """It asks nothing, and does not come again."""
    note(tmp_path, text)
    requests.write(ControlRequest("cancel", "a"))
    assert list(requests.take()) == [ControlRequest("cancel", "a")]
    assert requests.is_empty


def test_what_is_no_note_neither_holds_up_the_daemon_nor_asks_anything(
    requests: ControlRequests, tmp_path: Path
) -> None:
    """The folder may be open to a group: a FIFO, links, a folder, more than anybody reads."""
    folder = tmp_path / ".requests"
    folder.mkdir()
    (tmp_path / "elsewhere").write_text('{"action": "cancel", "job": "b"}')
    os.mkfifo(folder / "0.json")
    (folder / "1.json").symlink_to(tmp_path / "elsewhere")
    (folder / "2.json").symlink_to(tmp_path)
    (folder / "3.json").mkdir()
    (folder / "4.json").write_text(json.dumps({"action": "cancel", "job": "c" * 2**20}))
    requests.write(ControlRequest("cancel", "a"))
    assert list(requests.take()) == [ControlRequest("cancel", "a")]
    assert requests.is_empty
    assert (tmp_path / "elsewhere").exists()


def test_a_note_is_gone_for_good_before_it_is_heeded(tmp_path: Path) -> None:
    """A power cut must not bring it back, to be heeded about another sidecar of that name."""
    files = StepFiles()
    requests = ControlRequests(tmp_path, files)
    requests.write(ControlRequest("cancel", "beach.yaml"))
    files.log.clear()
    next(requests.take())
    assert [operation for operation, _ in files.log] == ["unlink", "fsync_folder"]


def test_a_note_that_cannot_be_removed_is_told_once_and_passed_over(tmp_path: Path) -> None:
    """It would be heeded again and again; those beside it are heeded."""
    told: list[Path] = []

    class Stuck(Files):
        def step(self, operation: str, path: Path) -> None:
            if operation == "unlink" and path.name == "0.json":
                raise PermissionError(13, "no", str(path))

    note(tmp_path, b'{"action": "cancel", "job": "x"}')
    requests = ControlRequests(tmp_path, Stuck(), lambda path, _: told.append(path))
    requests.write(ControlRequest("cancel", "a"))
    assert list(requests.take()) == [ControlRequest("cancel", "a")]
    assert list(requests.take()) == []
    assert [path.name for path in told] == ["0.json"]
    assert requests.is_empty, "a run with --once must not wait for it"
    assert [r.job for r in ControlRequests(tmp_path, Files()).take()] == ["x"], "given back, it is"


def test_a_folder_that_cannot_be_read_is_told_of_and_then_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails once is looked at again; one that fails for long ends no daemon."""
    told: list[Path] = []
    requests = ControlRequests(tmp_path, Files(), lambda path, _: told.append(path))
    requests.write(ControlRequest("cancel", "a"))

    def broken(path: Path) -> list[str]:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("nstd.queue.control.os.listdir", broken)
        assert not requests.is_empty
        assert list(requests.take()) == list(requests.take()) == []
        assert requests.is_empty
    assert told == [tmp_path / REQUESTS]
    assert list(requests.take()) == [ControlRequest("cancel", "a")]


@pytest.mark.parametrize(
    "fields",
    [
        *({"priority": 101}, {"priority": -1}, {"priority": 5.5}, {"priority": "9"}, {}),
        *({"priority": True}, {"priority": 7, "job": ""}, {"priority": 7, "job": None}),
    ],
)
def test_a_priority_with_wrong_values_asks_nothing(
    requests: ControlRequests, tmp_path: Path, fields: dict[str, Any]
) -> None:
    """It is dropped, as what is no note."""
    note(tmp_path, json.dumps({"action": "priority", "job": "beach"} | fields).encode())
    assert list(requests.take()) == []
    assert requests.is_empty


def test_every_value_of_a_note_arrives(requests: ControlRequests) -> None:
    """Also a name that ends with a slash, which is a folder; a look takes nothing away."""
    asked = [
        ControlRequest("priority", "starry/", priority=0),
        ControlRequest("pause", until=1.9e9, reason="why", now=True),
        ControlRequest("release", "b\udcff.yaml"),
    ]
    for request in asked:
        requests.write(request)
    assert requests.pending() == asked
    assert list(requests.take()) == asked
    words = [request.describe() for request in asked]
    assert words[0] == "priority starry/ 0"
    assert words[1].startswith("pause: paused until ")
    assert words[1].endswith(" (why)")


def test_the_order_of_notes_survives_a_copy(requests: ControlRequests, tmp_path: Path) -> None:
    """As of a backup, which may set other times: the names have the order."""
    asked = [ControlRequest("hold", "a"), ControlRequest("release", "a"), ControlRequest("pause")]
    for request in asked:
        requests.write(request)
    for path in (tmp_path / ".requests").glob("*.json"):
        os.utime(path, ns=(0, random.randrange(2**60)))
    assert requests.pending() == asked


def test_a_note_that_cannot_be_removed_after_it_was_carried_out_is_not_again(
    tmp_path: Path,
) -> None:
    """A pause that comes back with every look could not be ended."""

    class Stuck(Files):
        def step(self, operation: str, path: Path) -> None:
            if operation == "unlink":
                raise PermissionError(13, "no", str(path))

    requests = ControlRequests(tmp_path, Stuck())
    ControlRequests(tmp_path, Files()).write(ControlRequest("pause"))
    assert [request.action for request in requests.take()] == ["pause"]
    assert list(requests.take()) == []
    assert requests.is_empty


# Through the commands and the daemon


def started(playground: Playground, name: str) -> str:
    """Wait until the job `name` runs and reports; its id."""
    wait_for(lambda: playground.events("job.started", name=name), what=f"{name} started")
    job = str(playground.events("job.started", name=name)[0]["job"])
    wait_for(lambda: playground.events("job.progress", job=job), what=f"{name} moves")
    return job


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """The output of a command that must succeed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cancel_of_running_waiting_and_inbox_jobs(playground: Playground) -> None:
    """By name, by the beginning of the id, and by the sidecar; each fails as cancelled."""
    playground.configure(workers={"grace": "1s"})
    playground.pair("running", options=LONG)
    playground.start()
    started(playground, "running")
    playground.pair("waiting")
    waiting = wait_for(lambda: playground.events("job.claimed", name="waiting"))[0]["job"]
    playground.sidecar("inboxed", content="never.png")
    wait_for(lambda: playground.events("inbox.waiting", sidecar="inboxed.yaml"))
    for wanted in ("inboxed.yaml", waiting[:20], "running"):
        assert "will be cancelled" in ok(playground.command("cancel", wanted))
    wait_for(lambda: len(playground.events("job.failed", code="cancelled")) == 3)
    for name in ("running", "waiting", "inboxed"):
        assert playground.reason(name)["code"] == "cancelled"
    assert not list(playground.inbox.glob("*.yaml"))


def test_retry_of_a_running_job_starts_from_its_inputs(playground: Playground) -> None:
    """What its attempt made is forgotten, and the attempt does not count."""
    playground.pair("beach", options={"steps": 60, "pause": 0.05})
    playground.start()
    job = started(playground, "beach")
    wait_for((playground.work / job / "checkpoint").exists)
    assert "starts again" in ok(playground.command("retry", "beach"))
    wait_for(lambda: playground.events("job.requeued", job=job, reason="retry"))
    wait_for(playground.ended)
    restarted = playground.events("job.started", job=job)
    assert [line["attempt"] for line in restarted] == [1, 1]
    after = [
        line["step"]
        for line in playground.events("job.progress", job=job)
        if line["timestamp"] > restarted[1]["timestamp"]
    ]
    assert after[0] < 25


def test_retry_of_a_waiting_job_ends_its_wait(playground: Playground) -> None:
    """A job that waits for its next attempt starts at once, with all its attempts before it."""
    playground.configure(jobs={"backoff": "1h"})
    once = playground.folder / "once"
    playground.pair("beach", options={"act": "exit", "attempts_file": str(once), "times": 1})
    playground.start()
    (retried,) = wait_for(lambda: playground.events("job.retried"))
    assert retried["delay"] == 3600
    ok(playground.command("retry", retried["job"][:18]))
    wait_for(lambda: playground.events("job.finished"))
    assert [line["attempt"] for line in playground.events("job.started")] == [1, 1]


def test_retry_of_a_failed_job_runs_it_again(playground: Playground) -> None:
    """It goes back into the inbox by its old name, and the failed folder is gone."""
    once = playground.folder / "once"
    playground.pair("sub/beach", options={"act": "raise", "attempts_file": str(once), "times": 1})
    playground.once()
    assert playground.reason("sub/beach")["code"] == "backend_failed"
    assert "beach.yaml is in the inbox again" in ok(playground.command("retry", "failed/sub/beach"))
    assert not (playground.outbox / "failed" / "sub" / "beach").exists()
    playground.once()
    assert playground.record("sub/beach")["state"] == "finished"


def test_a_note_that_is_left_while_the_daemon_is_down_is_heeded(playground: Playground) -> None:
    """At its next start; the job never runs."""
    playground.pair("beach", options=LONG)
    process = playground.start()
    job = started(playground, "beach")
    playground.stop(process)
    assert ok(playground.command("cancel", job)).endswith("when the daemon runs again\n")
    assert playground.once().returncode == 0
    assert playground.reason("beach")["code"] == "cancelled"
    assert len(playground.events("job.started", job=job)) == 1


def test_a_note_for_a_job_that_has_ended_is_refused_with_an_event(playground: Playground) -> None:
    """It came too late, and says so once."""
    playground.pair("beach")
    playground.once()
    job = playground.events("job.finished")[0]["job"]
    ControlRequests(playground.work, Files()).write(ControlRequest("cancel", job))
    playground.once()
    (refused,) = playground.events("request.refused")
    assert (refused["action"], refused["name"]) == ("cancel", job)
    assert playground.record("beach")["state"] == "finished"


def test_a_sidecar_that_was_claimed_meanwhile_is_cancelled_all_the_same(
    playground: Playground,
) -> None:
    """Between the look into the inbox and the note, the daemon may have been faster."""
    playground.pair("sub/beach", options=LONG)
    playground.start()
    started(playground, "beach")
    ControlRequests(playground.work, Files()).write(ControlRequest("cancel", "sub/beach.yaml"))
    wait_for(lambda: playground.events("job.failed", code="cancelled"))


def test_jobs_that_are_not_there_are_answered_with_the_nearest(playground: Playground) -> None:
    """Exit code 1; and what is elsewhere is said to be there."""
    playground.pair("beach")
    playground.once()
    playground.sidecar("lonely", content="never.png")
    absent = playground.command("cancel", "lonley")
    assert absent.returncode == 1
    assert "did you mean 'lonely'?" in absent.stderr
    done = playground.command("cancel", "beach")
    assert done.returncode == 1
    assert "'beach' is done already: beach [not_found]" in done.stderr
    early = playground.command("retry", "lonely")
    assert "not yet a job" in early.stderr


def test_a_name_that_means_several_jobs_is_refused(playground: Playground) -> None:
    """With the ids to choose from."""
    for folder in ("a", "b"):
        playground.sidecar(f"{folder}/beach", content="never.png")
    done = playground.command("cancel", "beach")
    assert done.returncode == 1
    assert "means several jobs:\n  a/beach.yaml  beach\n  b/beach.yaml  beach" in done.stderr
    assert ok(playground.command("cancel", "b/beach"))
    notes = list((playground.work / ".requests").glob("*.json"))
    assert [json.loads(path.read_text())["job"] for path in notes] == ["b/beach.yaml"]


def test_the_beginning_of_a_name_means_the_job_that_begins_so(playground: Playground) -> None:
    """Where one alone does; a name in full comes first, and short beginnings mean nothing."""
    for name in ("beach", "beach-2", "pier-at-night"):
        playground.sidecar(name, content="never.png")
    assert "pier-at-night.yaml will be" in playground.command("cancel", "pier").stdout
    assert "beach.yaml will be cancelled" in playground.command("cancel", "beach").stdout
    several = playground.command("cancel", "beac")
    assert "means several jobs:\n  beach-2.yaml  beach-2\n  beach.yaml  beach" in several.stderr
    assert playground.command("cancel", "pi").returncode == 1


def test_a_beginning_that_is_too_short_is_told_what_it_takes(playground: Playground) -> None:
    """Of an id and of a name; instead of that there is no such job."""
    playground.pair("pier", options=LONG)
    daemon = playground.start()
    job = started(playground, "pier")
    playground.stop(daemon)
    for wanted in (job[:4], "pi"):
        done = playground.command("cancel", wanted)
        assert done.returncode == 1
        assert f"{wanted!r} is too short: 1 id or name begins so" in done.stderr
        assert "give at least 8 characters of an id, or 3 of a name" in done.stderr
