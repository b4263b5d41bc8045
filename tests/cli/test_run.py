"""`nstd run`: its options, its exit codes and its last line."""

from __future__ import annotations

import json
import re

import pytest
from support.playground import Playground, on_a_terminal, wait_for


def test_once_works_off_the_inbox_and_counts_failures_in_its_last_line(
    playground: Playground,
) -> None:
    """Failed jobs do not change the exit code; the last line counts them."""
    playground.pair("good")
    playground.pair("bad", options={"act": "raise"})
    playground.sidecar("ugly", stlye="x")
    done = playground.once()
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stderr.splitlines()[-1])
    counts = {key: last[key] for key in ("event", "finished", "failed", "waiting")}
    assert counts == {"event": "daemon.stopped", "finished": 1, "failed": 2, "waiting": 0}


def test_once_in_an_empty_inbox_ends(playground: Playground) -> None:
    """Nothing to do is done at once."""
    assert playground.once().returncode == 0
    (stopped,) = playground.events("daemon.stopped")
    assert (stopped["finished"], stopped["failed"]) == (0, 0)


def test_once_leaves_a_sidecar_whose_pictures_are_not_there(playground: Playground) -> None:
    """It is told and counted, and stays for a later run."""
    playground.sidecar("lonely")
    assert playground.once().returncode == 0
    assert playground.events("daemon.stopped")[0]["waiting"] == 1
    assert (playground.inbox / "lonely.yaml").exists()


def test_once_gives_up_when_every_device_is_down(playground: Playground) -> None:
    """Exit code 5, and the job waits for a better day."""
    playground.configure(workers={"failures": 1})
    playground.pair("a", options={"act": "assert"})
    playground.pair("b", options={"act": "assert"})
    assert playground.once().returncode == 5


def test_options_override_the_config(playground: Playground) -> None:
    """They replace what the file says, for this run."""
    playground.configure(watch={"mode": "events", "settle": "1h"})
    playground.pair("beach")
    done = playground.once(
        *("--watch-mode", "poll", "--settle", "100ms", "--devices", "cpu"),
        *("--log-level", "error", "--console", "none"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert playground.record("beach")["state"] == "finished"
    assert playground.events() == []


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--settle", "soon", "command line: settle: not a duration"),
        ("--devices", "gpu", "command line"),
        ("--watch-mode", "pool", "'pool' is not one of"),
    ],
)
def test_a_wrong_option_is_refused(
    playground: Playground, option: str, value: str, words: str
) -> None:
    """With the option's name and what it may be."""
    done = playground.once(option, value)
    assert done.returncode in {2, 3}
    assert words in done.stderr


def test_poll_mode_runs_without_events(playground: Playground) -> None:
    """Pairs are found by looking, and the daemon says how it watches."""
    playground.start("--watch-mode", "poll")
    assert playground.events("daemon.started")[0]["watch"] == "poll"
    playground.pair("beach")
    wait_for(playground.ended)


def test_a_hang_leaves_a_stack(playground: Playground) -> None:
    """SIGABRT, which systemd's watchdog sends, shows where the daemon was."""
    process = playground.start()
    assert playground.stop(process, 6) == -6
    assert "Fatal Python error: Aborted" in (playground.folder / "stderr").read_text()


def test_on_a_terminal_a_person_sees_bars_and_a_line_for_what_matters(
    playground: Playground,
) -> None:
    """No fields, nothing of what goes well by itself; trouble with what to do."""
    playground.pair("beach", options={"steps": 3})
    playground.pair("bad", options={"act": "raise"})
    arguments = ("run", "--once", "--console", "auto", "-c", str(playground.config_path))
    seen = on_a_terminal(playground, *arguments)
    assert re.search(r"nstd +works in .*Ctrl-C ends it", seen)
    assert re.search(r"beach .*%", seen)
    assert re.search(r"done +beach  32x24 in .*: beach", seen)
    assert re.search(r"failed +bad  backend_failed: ", seen)
    assert "nstd    ended: 1 done, 1 failed, 0 waiting" in seen
    for event in ("job.claimed", "job.progress", "worker.started", "plugins.loaded", "timestamp"):
        assert event not in seen


def test_on_a_terminal_the_log_is_printed_where_it_is_asked_for(playground: Playground) -> None:
    """As it is elsewhere."""
    playground.pair("beach")
    arguments = ("run", "--once", "--console", "text", "-c", str(playground.config_path))
    assert "job.finished" in on_a_terminal(playground, *arguments)
