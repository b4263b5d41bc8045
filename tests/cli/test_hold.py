"""`nstd hold`, `nstd release` and `nstd priority`: of jobs, batches and sidecars in the inbox."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.playground import Playground, wait_for

from nstd.client.status import read_status
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files

LONG = {"steps": 5000, "pause": 0.02}


def status(playground: Playground) -> dict[str, Any]:
    """The status as JSON."""
    found: dict[str, Any] = json.loads(playground.said("status", "--json"))
    return found


def busy(playground: Playground) -> Path:
    """Drop a job that keeps the only slot until a file is there; the path of that file."""
    flag = playground.folder / "go"
    playground.pair("busy", priority=100, options={**LONG, "until": str(flag)})
    playground.start()
    (line,) = wait_for(lambda: playground.events("job.started", name="busy"))
    wait_for(lambda: playground.events("job.progress", job=line["job"]), what="busy runs")
    return flag


def claimed(playground: Playground, name: str) -> str:
    """Wait until the job `name` is claimed; its id."""
    return str(wait_for(lambda: playground.events("job.claimed", name=name))[0]["job"])


def order(playground: Playground) -> list[str]:
    """The names of the jobs in the order of their starts."""
    return [line["name"] for line in playground.events("job.started")]


def changes(playground: Playground, count: int, **fields: Any) -> list[dict[str, Any]]:
    """Wait until jobs or sidecars were changed so often; the lines."""
    found: list[dict[str, Any]] = []

    def so_many() -> bool:
        found[:] = playground.events("job.changed", **fields)
        found.extend(playground.events("sidecar.changed", **fields))
        return len(found) >= count

    wait_for(so_many, what=f"{count} changes")
    return found


def test_a_held_job_never_starts_and_is_shown_as_held(playground: Playground) -> None:
    """Through a restart of the daemon, though slots are free; `release` lets it start."""
    flag = busy(playground)
    playground.pair("kept")
    playground.pair("other")
    kept = claimed(playground, "kept")
    claimed(playground, "other")
    assert playground.said("hold", "kept") == (
        f"{kept} will be held; `nstd release` lets it start\n"
    )
    (line,) = changes(playground, 1)
    assert (line["job"], line["held"], line["priority"]) == (kept, True, 50)
    text = playground.said("status")
    assert f"  held     {kept}  kept" in text
    assert "1 waiting, 1 held, 1 running" in text
    states = {entry["name"]: entry["state"] for entry in status(playground)["waiting"]}
    assert states == {"other": "waiting", "kept": "held"}
    flag.touch()
    wait_for(lambda: playground.events("job.finished", name="other"))
    playground.stop(playground._processes[0])
    assert playground.once().returncode == 0, "a run with --once does not wait for it"
    assert "kept" not in order(playground)
    assert "may start when the daemon runs again" in playground.said("release", "kept")
    assert playground.once().returncode == 0
    assert order(playground) == ["busy", "other", "kept"]


def test_a_sidecar_that_is_held_stays_in_the_inbox(playground: Playground) -> None:
    """It is not claimed, whatever its pictures do; the others are."""
    playground.pair("kept")
    assert "kept.yaml will be held when the daemon runs again" in playground.said("hold", "kept")
    assert "  request  hold kept.yaml, when the daemon" in playground.said("status")
    playground.pair("other")
    assert playground.once().returncode == 0
    assert order(playground) == ["other"]
    assert "  held     kept.yaml, in the inbox" in playground.said("status")
    assert status(playground)["held_in_inbox"] == ["kept.yaml"]
    playground.pair("kept", options={"steps": 2})  # changed, but still the same sidecar
    assert playground.once().returncode == 0
    assert order(playground) == ["other"]
    playground.said("release", "kept.yaml")
    assert playground.once().returncode == 0
    assert order(playground) == ["other", "kept"]
    assert playground.record("kept")["settings"]["options"]["steps"] == 2


def test_a_new_sidecar_of_the_name_of_a_held_one_that_was_taken_away_is_not_held(
    playground: Playground,
) -> None:
    """What was asked about the old one is forgotten with it."""
    playground.pair("beach")
    playground.said("hold", "beach")
    assert playground.once().returncode == 0
    (playground.inbox / "beach.yaml").unlink()
    assert playground.once().returncode == 0
    assert json.loads((playground.work / "overrides.json").read_text())["sidecars"] == {}
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert order(playground) == ["beach"]


def test_the_jobs_of_a_held_batch_do_not_start_and_the_one_that_runs_goes_on(
    playground: Playground,
) -> None:
    """Across a restart; the batch ends after its release."""
    flag = playground.folder / "go"
    options = {**LONG, "until": str(flag)}
    playground.pair("grid", style=None, styles=["style.png", "content.png"], options=options)
    process = playground.start()
    wait_for(lambda: playground.events("job.progress"))
    (batch,) = status(playground)["batches"]
    playground.said("hold", "grid")
    (line,) = changes(playground, 1, held=True)
    flag.touch()
    wait_for(lambda: "1 of 2 done, 1 held" in playground.said("status"), pause=0.3)
    playground.stop(process)
    assert playground.once().returncode == 0
    (batch,) = status(playground)["batches"]
    assert (batch["done"], batch["waiting"], batch["held"]) == (1, 0, 1)
    playground.said("release", batch["batch"])
    assert playground.once().returncode == 0
    assert len(playground.events("batch.finished")) == 1
    assert [each["job"] for each in playground.events("job.started")][-1] == line["job"]


def test_a_priority_changes_the_order_of_what_waits(playground: Playground) -> None:
    """Of a job, and of a sidecar in the inbox, whose own word no longer counts."""
    flag = busy(playground)
    for name in ("first", "second"):
        playground.pair(name)
        claimed(playground, name)
    playground.sidecar("third", content="later.png", priority=10)
    wait_for(lambda: playground.events("inbox.waiting", sidecar="third.yaml"))
    second = claimed(playground, "second")
    assert playground.said("priority", "second", "70") == f"{second} will have priority 70\n"
    assert "third.yaml will have priority 90" in playground.said("priority", "third", "90")
    changes(playground, 2)
    playground.picture("later.png")
    claimed(playground, "third")
    flag.touch()
    wait_for(lambda: len(playground.events("job.finished")) == 4)
    assert order(playground) == ["busy", "third", "second", "first"]
    assert playground.record("third")["settings"]["priority"] == 90
    assert playground.record("second")["settings"]["priority"] == 70


def test_the_priority_of_a_sidecar_is_that_of_each_job_of_its_batch(
    playground: Playground,
) -> None:
    """Asked for without a daemon, and carried out at its start."""
    playground.pair("grid", style=None, styles=["style.png", "content.png"])
    playground.said("priority", "grid", "0")
    assert playground.once().returncode == 0
    assert [line["priority"] for line in playground.events("job.claimed")] == [0, 0]


def test_held_jobs_can_be_cancelled_and_started_anew(playground: Playground) -> None:
    """Cancelled, they end as others; started anew, they are still held."""
    busy(playground)
    for name in ("a", "b"):
        playground.pair(name)
    ids = {name: claimed(playground, name) for name in ("a", "b")}
    playground.sidecar("inboxed", content="never.png")
    wait_for(lambda: playground.events("inbox.waiting", sidecar="inboxed.yaml"))
    for name in ("a", "b", "inboxed"):
        playground.said("hold", name)
    changes(playground, 3)
    playground.said("retry", "b")
    for name in ("a", "inboxed"):
        playground.said("cancel", name)
    wait_for(lambda: len(playground.events("job.failed", code="cancelled")) == 2)
    assert JobPaths(playground.work / ids["b"]).read_job().held
    playground.pair("inboxed")  # a new one of that name
    claimed(playground, "inboxed")
    assert playground.said("retry", "failed/a")
    wait_for(lambda: len(playground.events("job.claimed", name="a")) == 2)
    waiting = {entry["name"]: entry["state"] for entry in status(playground)["waiting"]}
    assert waiting == {"a": "waiting", "b": "held", "inboxed": "waiting"}


def test_held_jobs_take_no_room_in_the_queue(playground: Playground) -> None:
    """Otherwise as many held ones would stop the intake."""
    playground.configure(jobs={"queue": 2})
    flag = busy(playground)
    for name in ("a", "b"):
        playground.pair(name)
        claimed(playground, name)
        playground.said("hold", name)
    changes(playground, 2)
    playground.pair("c")
    claimed(playground, "c")
    flag.touch()
    wait_for(lambda: playground.events("job.finished", name="c"))


@pytest.mark.parametrize("command", ["hold", "cancel"])
def test_the_name_of_a_job_that_is_done_does_not_mean_another_that_begins_so(
    playground: Playground, command: str
) -> None:
    """It would be held, or ended, though nobody has asked for that."""
    playground.pair("beach")
    playground.once()
    playground.pair("beach-party")
    refused = playground.command(command, "beach")
    assert refused.returncode == 1
    assert "'beach' is done already: beach" in refused.stderr
    assert ControlRequests(playground.work, Files()).is_empty
    assert playground.command(command, "beach-p").returncode == 0


@pytest.mark.parametrize("command", ["hold", "release", "priority"])
def test_what_does_not_wait_is_refused_as_by_cancel(playground: Playground, command: str) -> None:
    """A running job, one that is done, and a name that nobody has; exit code 1."""
    value = ["7"] if command == "priority" else []
    playground.pair("done")
    playground.once()
    busy(playground)
    for name, words in (
        ("busy", "'busy' runs already: 20"),
        ("done", "'done' is done already: done"),
        ("bussy", "no such job: 'bussy'; did you mean 'busy'?"),
    ):
        refused = playground.command(command, name, *value)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert "[not_found]" in refused.stderr
    assert ControlRequests(playground.work, Files()).is_empty


def test_a_priority_is_a_number_from_0_to_100(playground: Playground) -> None:
    """Exit code 2."""
    playground.pair("beach")
    for number in ("101", "-1", "high"):
        assert playground.command("priority", "beach", "--", number).returncode == 2


def test_requests_that_come_too_late_are_told_with_the_reason(playground: Playground) -> None:
    """The job began, or ended, between the command and the daemon's look."""
    busy(playground)
    running = playground.events("job.started")[0]["job"]
    requests = ControlRequests(playground.work, Files())
    requests.write(ControlRequest("hold", running))
    requests.write(ControlRequest("priority", "never.yaml", priority=3))
    wait_for(lambda: len(playground.events("request.refused")) == 2)
    lines = playground.events("request.refused")
    refused = {line["action"]: (line["name"], line["reason"]) for line in lines}
    assert refused == {
        "hold": (running, "it runs already"),
        "priority": ("never.yaml", "no such job waits or runs"),
    }


def test_a_sidecar_that_was_claimed_meanwhile_is_held_as_the_job_that_it_is(
    playground: Playground,
) -> None:
    """Between the look into the inbox and the request; of a batch, all jobs."""
    flag = busy(playground)
    playground.pair("sub/grid", style=None, styles=["style.png", "content.png"])
    wait_for(lambda: len(playground.events("job.claimed")) == 3)
    ControlRequests(playground.work, Files()).write(ControlRequest("hold", "sub/grid.yaml"))
    assert len(changes(playground, 2, held=True)) == 2
    flag.touch()
    wait_for(playground.ended)
    time.sleep(1)
    assert order(playground) == ["busy"]
    ControlRequests(playground.work, Files()).write(ControlRequest("cancel", "sub/grid.yaml"))
    wait_for(lambda: len(playground.events("job.failed", code="cancelled")) == 2)


def test_a_bug_in_a_request_costs_that_request_alone(playground: Playground) -> None:
    """The others are carried out, and jobs start."""
    playground.sabotage(
        "from nstd.daemon.waiting_changes import WaitingChanges\n"
        "def broken(*arguments):\n    raise KeyError('a bug')\n"
        "WaitingChanges.apply = broken\n"
    )
    playground.pair("beach")
    requests = ControlRequests(playground.work, Files())
    for request in (ControlRequest("hold", "beach.yaml"), ControlRequest("cancel", "beach.yaml")):
        requests.write(request)
    playground.pair("other")
    assert playground.once().returncode == 0
    assert "KeyError" in playground.events("daemon.error")[0]["error"]
    assert playground.events("request.refused")[0]["reason"].startswith("a bug in nstd")
    assert playground.reason("beach")["code"] == "cancelled"
    assert order(playground) == ["other"]


@pytest.mark.parametrize("text", ["{", "[]", '{"sidecars": 3}', '{"sidecars": {"a": 1}}', ""])
def test_a_damaged_file_of_overrides_stops_nobody(playground: Playground, text: str) -> None:
    """Only a person can have damaged it: what it said is forgotten, and jobs go on."""
    playground.pair("beach")
    (playground.work / "overrides.json").write_text(text)
    assert read_status(playground.config).held_in_inbox == ()
    assert playground.once().returncode == 0
    assert order(playground) == ["beach"]
