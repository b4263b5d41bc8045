"""`nstd pause`, `nstd resume` and the hours of `schedule`: when jobs are started, and when not."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.playground import Playground, wait_for

from nstd.client.status import read_status
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files

LONG = {"steps": 5000, "pause": 0.02}
SHORT = {"steps": 3, "pause": 0.02}


def paused(playground: Playground) -> dict[str, Any]:
    """Wait until the daemon has paused; the line of the log."""
    lines = wait_for(lambda: playground.events("starts.paused"), what="starts.paused")
    return dict(lines[-1])


def closed_now() -> str:
    """A window of hours that does not come within the next hours."""
    soon = datetime.now() + timedelta(hours=6)
    return f"{soon:%H:%M}-{soon + timedelta(minutes=1):%H:%M}"


def test_while_it_is_paused_what_runs_goes_on_and_nothing_else_starts(
    playground: Playground,
) -> None:
    """Sidecars are taken in and refused as always; `resume` starts what waits."""
    flag = playground.folder / "go"
    playground.pair("first", options={**LONG, "until": str(flag)})
    playground.start()
    wait_for(lambda: playground.events("job.progress"))
    assert playground.said("pause", "--reason", "a new\ndisk") == (
        "no job is started: paused until `nstd resume` (a new\\ndisk)\n"
    )
    line = paused(playground)
    assert (line["cause"], line["reason"], line["level"]) == ("person", "a new\\ndisk", "info")
    playground.pair("second", options=SHORT)
    playground.sidecar("wrong", stlye="x")
    wait_for(lambda: playground.events("job.failed", name="wrong"))
    flag.touch()
    wait_for(lambda: playground.events("job.finished", name="first"))
    wait_for(lambda: playground.events("job.claimed", name="second"))
    time.sleep(1.5)
    assert not playground.events("job.started", name="second")
    assert playground.said("resume") == "jobs are started again\n"
    wait_for(lambda: playground.events("job.finished", name="second"))
    assert playground.events("starts.resumed")[0]["cause"] == "person"


def test_a_pause_now_saves_what_runs_and_later_goes_on_from_there(playground: Playground) -> None:
    """As at a stop: the attempt does not count."""
    flag = playground.folder / "go"
    playground.pair("beach", options={**LONG, "until": str(flag)})
    playground.start()
    wait_for(lambda: playground.events("job.progress"))
    playground.said("pause", "--now")
    wait_for(lambda: playground.events("job.requeued", reason="stopped"))
    flag.touch()
    time.sleep(1)
    assert len(playground.events("job.started")) == 1
    playground.said("resume")
    wait_for(lambda: playground.events("job.finished"))
    first, second = playground.events("job.started")
    assert (first["attempt"], second["attempt"]) == (1, 1)
    steps = [line["step"] for line in playground.events("job.progress")]
    assert playground.events("job.finished")[0]["steps"] >= max(steps) > 1


def test_a_pause_survives_a_restart_and_its_end_is_kept(playground: Playground) -> None:
    """`--for`: it ends by itself, also in the life of another daemon."""
    process = playground.start()
    assert "paused until " in playground.said("pause", "--for", "1h")
    until = paused(playground)["until"]
    assert playground.stop(process) == 0
    assert "no job is started: paused until " in playground.said("status")
    playground.pair("beach")
    playground.start()
    assert playground.events("starts.paused")[-1]["until"] == until
    wait_for(lambda: playground.events("job.claimed"))
    assert not playground.events("job.started")
    playground.said("pause", "--for", "1s")
    wait_for(lambda: playground.events("job.finished"))
    assert not (playground.work / "pause.json").exists()


def test_a_pause_that_is_asked_for_without_a_daemon_is_there_from_its_start(
    playground: Playground,
) -> None:
    """The command says that it waits, and `nstd status` shows it."""
    playground.pair("beach")
    assert playground.said("pause").startswith("no job is started when the daemon runs again: ")
    text = playground.said("status")
    assert "  request  pause: paused until `nstd resume`, when the daemon runs again" in text
    (request,) = json.loads(playground.said("status", "--json"))["requests"]
    assert (request["action"], request["until"], request["now"]) == ("pause", None, False)
    playground.start()
    paused(playground)
    wait_for(lambda: playground.events("job.claimed"))
    assert read_status(playground.config).requests == ()
    playground.said("resume")
    wait_for(lambda: playground.events("job.finished"))


def test_a_run_with_once_says_that_it_is_paused_and_ends(playground: Playground) -> None:
    """With an exit code of its own, and nothing lost; with no work it ends well."""
    playground.said("pause", "--until", "2999-01-01 08:00", "--reason", "moving house")
    assert playground.once().returncode == 0
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 6
    assert "no job is started: paused until Tue 01 Jan 08:00 (moving house) [paused]" in done.stderr
    assert "`nstd resume` ends the pause" in done.stderr
    assert not playground.events("job.started")
    playground.said("resume")
    assert playground.once().returncode == 0
    assert playground.record("beach")["state"] == "finished"


def test_a_pause_in_the_middle_of_a_run_with_once_ends_it_after_what_runs(
    playground: Playground,
) -> None:
    """The others wait for the next run."""
    flag = playground.folder / "go"
    playground.pair("first", priority=90, options={**LONG, "until": str(flag)})
    playground.pair("second")
    process = playground.start("--once")
    wait_for(lambda: playground.events("job.progress"))
    playground.said("pause")
    paused(playground)
    flag.touch()
    assert process.wait(timeout=120) == 6
    assert playground.record("first")["state"] == "finished"
    assert not playground.events("job.started", name="second")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until", "18:00", "--for", "2h"], "give --until or --for, not both"),
        (["--until", "soon"], "not a time: 'soon'; write it like 18:00"),
        (["--until", "2020-01-01"], "has passed"),
        (["--for", "2 hours"], "not a duration: '2 hours'"),
    ],
)
def test_a_pause_without_a_clear_end_is_refused(
    playground: Playground, arguments: list[str], words: str
) -> None:
    """Exit code 2, and nothing is asked of the daemon."""
    done = playground.command("pause", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert ControlRequests(playground.work, Files()).is_empty


def test_a_damaged_note_of_a_pause_is_a_pause(playground: Playground) -> None:
    """Somebody wanted one; `resume` removes it."""
    (playground.work / "pause.json").write_text('{"cause": "per')
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 6
    assert "pause.json cannot be read" in done.stderr
    playground.said("resume")
    assert playground.once().returncode == 0


def test_status_shows_a_pause_to_people_and_to_machines(playground: Playground) -> None:
    """With the reason, while the daemon runs and while it does not."""
    process = playground.start()
    playground.said("pause", "--reason", "a new disk")
    paused(playground)
    wait_for(lambda: read_status(playground.config).start_pause)
    for _ in range(2):
        found = json.loads(playground.said("status", "--json"))["start_pause"]
        assert (found["cause"], found["until"], found["reason"]) == ("person", None, "a new disk")
        text = playground.said("status")
        assert "  no job is started: paused until `nstd resume` (a new disk)\n" in text
        if process.poll() is None:
            playground.stop(process)


def test_systemd_and_the_metrics_know_of_a_pause(playground: Playground) -> None:
    """`systemctl status`, and `nstd_starts_paused` by who wants it."""
    playground.configure(metrics={"file": "nstd.prom", "every": "1s"})
    address = str(playground.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(60)
        playground.start(env={"NOTIFY_SOCKET": address})
        playground.said("pause", "--reason", "a new disk")
        told = ""
        while "paused until `nstd resume` (a new disk)" not in told:
            told = manager.recv(4096).decode()
        assert told.startswith("STATUS=0 running, 0 waiting; paused")
    text = wait_for(
        lambda: re.search(
            r'paused{cause="person"} 1.0\n.*{cause="schedule"} 0.0',
            (playground.root / "nstd.prom").read_text(),
        )
    )
    assert text


def test_the_metrics_count_held_jobs_apart_from_those_that_wait(playground: Playground) -> None:
    """In the work folder and in the inbox; nobody needs to be called for them."""
    playground.configure(metrics={"file": "nstd.prom", "every": "1s"})
    playground.sidecar("inboxed", content="never.png")
    playground.pair("beach")
    for name in ("inboxed", "beach"):
        playground.said("hold", name)
    assert playground.once().returncode == 0
    text = (playground.root / "nstd.prom").read_text()
    for state, count in (("held", 2.0), ("inbox", 0.0), ("waiting", 0.0)):
        assert f'nstd_jobs{{state="{state}"}} {count}' in text


# The schedule


def test_outside_of_its_hours_no_job_starts_and_the_next_ones_are_told(
    playground: Playground,
) -> None:
    """In the log and in status; a HUP with other hours takes effect at once."""
    playground.configure(schedule=[closed_now()])
    playground.pair("beach")
    process = playground.start()
    wait_for(lambda: playground.events("job.claimed"))
    line = paused(playground)
    opens = datetime.fromisoformat(line["until"]).astimezone()
    assert line["cause"] == "schedule"
    assert timedelta(hours=5) < opens - datetime.now().astimezone() < timedelta(hours=7)
    match = wait_for(lambda: re.search(r"no job is started: (.*)", playground.said("status")))
    assert match is not None
    text = match[1]
    assert text.startswith("outside the hours of `schedule`, until ")
    assert text.endswith(f"{opens:%H:%M}")
    assert not playground.events("job.started")
    assert playground.said("resume").startswith("jobs are started again, but outside the hours")
    playground.configure(schedule=["00:00-24:00"])
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: playground.events("job.finished"))
    assert playground.events("starts.resumed")[0]["cause"] == "schedule"


def test_a_pause_outside_of_the_hours_leaves_the_schedule_as_it_was(
    playground: Playground,
) -> None:
    """The pause of a person comes first; after it the schedule holds."""
    playground.configure(schedule=closed_now())
    playground.start()
    playground.said("pause")
    wait_for(lambda: [x["cause"] for x in playground.events("starts.paused")][1:] == ["person"])
    playground.said("resume")
    wait_for(lambda: len(playground.events("starts.paused")) == 3)
    causes = [line["cause"] for line in playground.events("starts.paused")]
    assert causes == ["schedule", "person", "schedule"]
    assert playground.events("starts.resumed") == []


def test_a_run_with_once_outside_of_the_hours_says_when_they_are(playground: Playground) -> None:
    """Exit code 6, as for a pause; status without a daemon says the same."""
    playground.configure(schedule=[closed_now()])
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 6
    assert "no job is started: outside the hours of `schedule`, until " in done.stderr
    assert "the config says when, in `schedule`" in done.stderr
    assert "no job is started: outside the hours of `schedule`" in playground.said("status")
    assert (playground.inbox / "beach.yaml").exists()


def test_hours_begin_by_the_clock_that_is_set_meanwhile(playground: Playground) -> None:
    """The night comes an hour early for a machine whose clock was an hour late."""
    playground.sabotage(
        "import os, time\n"
        "now = time.time\n"
        f"flag = {str(playground.folder / 'later')!r}\n"
        "time.time = lambda: now() + 6.5 * 3600 * os.path.exists(flag)\n"
    )
    soon = datetime.now() + timedelta(hours=6)
    playground.configure(schedule=[f"{soon:%H:%M}-{soon + timedelta(hours=2):%H:%M}"])
    playground.pair("beach")
    playground.start()
    paused(playground)
    (playground.folder / "later").touch()
    wait_for(lambda: playground.events("job.finished"))


def test_wrong_hours_at_a_hup_change_nothing(playground: Playground) -> None:
    """The old ones hold, and the log says where the mistake is."""
    playground.pair("beach")
    process = playground.start()
    playground.config_path.write_text(f"{playground.config_path.read_text()}schedule: [mo-fri]\n")
    process.send_signal(signal.SIGHUP)
    (line,) = wait_for(lambda: playground.events("daemon.reload_failed"))
    assert re.search(r"config\.yaml:\d+:12: schedule: no such day: 'mo'", line["error"])
    wait_for(lambda: playground.events("job.finished"))


# Requests that others write by hand


@pytest.mark.parametrize(
    "fields",
    [
        *({"until": "18:00"}, {"until": float("nan")}, {"until": 10**400}, {"until": True}),
        *({"reason": 5}, {"now": "yes"}, {"job": "beach"}),
    ],
)
def test_a_pause_with_wrong_values_asks_nothing(
    playground: Playground, fields: dict[str, Any]
) -> None:
    """The folder is open to the group."""
    folder = playground.work / ".requests"
    folder.mkdir(exist_ok=True)
    (folder / "0.json").write_text(json.dumps({"action": "pause", "job": ""} | fields))
    requests = ControlRequests(playground.work, Files())
    assert list(requests.take()) == []
    assert requests.is_empty


def test_a_request_that_may_be_repeated_is_removed_after_it_was_carried_out(
    playground: Playground,
) -> None:
    """One that fails in between is asked for again, and those after it wait for it."""
    requests = ControlRequests(playground.work, Files())
    for request in (ControlRequest("pause"), ControlRequest("resume")):
        requests.write(request)
        time.sleep(0.02)
    taken = requests.take()
    assert next(taken).action == "pause"
    taken.close()  # type: ignore[attr-defined]
    assert [request.action for request in requests.take()] == ["pause", "resume"]
    assert requests.is_empty
