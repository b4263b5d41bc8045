"""Hooks: commands that the daemon runs when a job has ended, and that can do it no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.playground import Playground, wait_for

TELL = """
import json, os, sys
told = {key: value for key, value in os.environ.items() if key.startswith("NSTD_")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(told | {"arguments": sys.argv[2:]}) + "\\n")
"""
"""A program that writes down what it was given."""
STAY = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(3600)"


def program(source: str, *arguments: object) -> list[str]:
    """The command that runs a piece of Python."""
    return [sys.executable, "-c", source, *map(str, arguments)]


def lines(path: Path) -> list[Any]:
    """What `TELL` or `STAY` wrote down so far."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def is_gone(pid: int) -> bool:
    """Whether a process is no more, or nothing but a status that nobody has asked for."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_hooks_are_told_of_the_job_and_where_its_record_lies(playground: Playground) -> None:
    """By their environment; the arguments come as they stand in the config, past no shell."""
    told = playground.folder / "told"
    odd = ["$HOME", "a b", "; touch pwned", "*"]
    playground.configure(
        hooks={"on_success": program(TELL, told, *odd), "on_failure": program(TELL, told)}
    )
    playground.pair("sub/beach")
    playground.pair("pier", options={"act": "raise"})
    assert playground.once().returncode == 0
    good, bad = sorted(lines(told), key=lambda each: each["NSTD_CODE"])
    assert good["arguments"] == odd
    assert good["NSTD_NAME"] == "beach"
    assert good["NSTD_RECORD"] == str(playground.outbox / "sub" / "beach" / "beach.json")
    assert good["NSTD_JOB"] == playground.record("sub/beach")["job"]
    assert (bad["NSTD_NAME"], bad["NSTD_CODE"]) == ("pier", "backend_failed")
    assert json.loads(Path(bad["NSTD_RECORD"]).read_text())["job"] == bad["NSTD_JOB"]
    jobs = {line["job"] for line in playground.events("hook.finished")}
    assert jobs == {good["NSTD_JOB"], bad["NSTD_JOB"]}


def test_a_sidecar_that_is_refused_runs_the_hook_of_failures(playground: Playground) -> None:
    """Also where no attempt was made."""
    told = playground.folder / "told"
    playground.configure(hooks={"on_failure": program(TELL, told)})
    (playground.inbox / "bad.yaml").write_text("contents: x\n")
    assert playground.once().returncode == 0
    assert [each["NSTD_CODE"] for each in lines(told)] == ["sidecar_invalid"]


@pytest.mark.parametrize(
    ("command", "reason", "printed"),
    [
        (["/nowhere/tell"], "exit status 1", "/nowhere/tell cannot be run: No such file"),
        (["/etc/passwd"], "exit status 1", "/etc/passwd cannot be run: Permission denied"),
        (program("print('oh\\x1b[2J'); raise SystemExit(3)"), "exit status 3", "oh\x1b[2J"),
        (program("import os; os.kill(os.getpid(), 9)"), "ended by SIGKILL", ""),
    ],
    ids=["absent", "not-a-program", "fails", "killed"],
)
def test_a_hook_that_fails_is_told_of_and_harmless(
    playground: Playground, command: list[str], reason: str, printed: str
) -> None:
    """One event with the end of what it printed; the picture is there, and the job has finished."""
    playground.configure(hooks={"on_success": command})
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 0, done.stderr
    (line,) = playground.events("hook.failed")
    assert line["reason"] == reason
    assert line["printed"].startswith(printed)
    assert line["job"] == playground.record("beach")["job"]
    assert "\x1b" not in done.stderr
    assert len(playground.events("job.finished")) == 1


def test_a_hook_that_takes_too_long_is_killed_with_its_children(playground: Playground) -> None:
    """And no job waits for it."""
    pids = playground.folder / "pids"
    parent = f"import subprocess, sys; subprocess.Popen({program(STAY, pids)!r}); {STAY}"
    playground.configure(hooks={"on_success": program(parent, pids), "timeout": "3s"})
    playground.pair("beach")
    assert playground.once().returncode == 0
    (line,) = playground.events("hook.failed")
    assert line["reason"] == "not done after 3 s; it was killed"
    assert len(lines(pids)) == 2
    wait_for(lambda: all(is_gone(pid) for pid in lines(pids)))


def test_hooks_hold_up_neither_jobs_nor_each_other_for_long(playground: Playground) -> None:
    """`at_once` of them run while the others wait; the daemon makes pictures all the while."""
    pids = playground.folder / "pids"
    playground.configure(
        hooks={"on_success": program(STAY, pids), "at_once": 2, "timeout": "1h"},
        workers={"grace": "100ms"},
    )
    process = playground.start()
    for number in range(6):
        playground.pair(f"beach-{number}")
    wait_for(lambda: playground.ended() == 6 and len(lines(pids)) == 2)
    running = {child.pid for child in psutil.Process(process.pid).children()}
    assert len(running & set(lines(pids))) == 2
    for pid in lines(pids):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(lines(pids)) == 4)
    assert len(playground.events("hook.failed", reason="ended by SIGKILL")) == 2
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: playground.events("daemon.stopping"))
    process.send_signal(signal.SIGTERM)  # two at once may be one
    assert process.wait(timeout=120) == 0
    assert all(is_gone(pid) for pid in lines(pids))


def test_one_that_prints_without_end_fills_neither_memory_nor_log(playground: Playground) -> None:
    """It gets no further than its pipe, is killed at its time, and its end is kept."""
    endless = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    playground.configure(hooks={"on_success": program(endless), "timeout": "2s"})
    playground.pair("beach")
    assert playground.once().returncode == 0
    (line,) = playground.events("hook.failed")
    assert set(line["printed"]) == {"x"}
    assert len(line["printed"]) <= 1000


def started(playground: Playground, source: str, **settings: Any) -> subprocess.Popen[bytes]:
    """A daemon whose first hook runs and whose second waits; each begins by writing its pid."""
    pids = playground.folder / "pids"
    hooks = {"on_success": program(source, pids), "at_once": 1, **settings}
    playground.configure(hooks=hooks, workers={"grace": "100ms"})
    process = playground.start()
    playground.pair("beach")
    playground.pair("pier")
    wait_for(lambda: playground.ended() == 2 and len(lines(pids)) == 1)
    return process


def test_hooks_are_drained_at_a_stop(playground: Playground) -> None:
    """What runs may end, and what waits is run, before the daemon does."""
    stop = playground.folder / "stop"
    source = (
        f"{STAY.replace('time.sleep(3600)', '')}\nwhile not os.path.exists({str(stop)!r}): "
        + ("time.sleep(0.05)")
    )
    process = started(playground, source, timeout="1h")
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: playground.events("daemon.stopping"))
    assert process.poll() is None
    stop.touch()
    assert process.wait(timeout=120) == 0
    assert len(playground.events("hook.finished")) == 2


@pytest.mark.long
@pytest.mark.parametrize("second", [False, True], ids=["time-out", "second TERM"])
def test_a_stop_does_not_wait_for_hooks_for_ever(playground: Playground, second: bool) -> None:
    """For their time-out, or until a second TERM; each that got no end is told of."""
    process = started(playground, STAY, timeout="1h" if second else "20s")
    process.send_signal(signal.SIGTERM)
    if second:
        wait_for(lambda: playground.events("daemon.stopping"))
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=100) == 0
    assert all(is_gone(pid) for pid in lines(playground.folder / "pids"))
    assert len(playground.events("hook.failed")) == 2
    assert playground.events()[-1]["event"] == "daemon.stopped"


def test_hooks_are_taken_over_by_a_reload(playground: Playground) -> None:
    """HUP, and the next ending runs the new command."""
    process = playground.start()
    told = playground.folder / "told"
    playground.configure(hooks={"on_success": program(TELL, told)})
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: playground.events("daemon.reloaded"))
    playground.pair("beach")
    wait_for(lambda: lines(told))


def test_a_burst_of_endings_is_bounded(playground: Playground) -> None:
    """Those beyond the bound are told of, and get no command."""
    playground.sabotage("import nstd.daemon.hooks\nnstd.daemon.hooks.MOST = 1\n")
    playground.configure(hooks={"on_failure": program("import time; time.sleep(5)"), "at_once": 1})
    for number in range(5):
        (playground.inbox / f"bad-{number}.yaml").write_text("contents: x\n")
    assert playground.once().returncode == 0
    unrun = playground.events("hook.failed", reason="1 others wait; it was not run")
    assert unrun
    assert len(unrun) + len(playground.events("hook.finished")) == 5


@pytest.mark.skipif(
    subprocess.run(["which", "strace"], capture_output=True).returncode != 0, reason="needs strace"
)
def test_a_command_on_a_share_that_hangs_does_not_hold_up_the_daemon(
    playground: Playground,
) -> None:
    """Opening its file takes a minute; meanwhile pictures are made."""
    share = playground.folder / "share"
    share.write_text("#!/bin/sh\n")
    share.chmod(0o755)
    probe = ["strace", "-o", "/dev/null", "-P", str(share), "-e", "inject=execve:delay_enter=1"]
    if subprocess.run([*probe, "true"], capture_output=True).returncode:
        pytest.skip("may not trace, or not inject")
    playground.configure(
        hooks={"on_success": [str(share)], "timeout": "1h"}, workers={"grace": "100ms"}
    )
    delay = "inject=execve:delay_enter=60000000"
    playground.prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(share), "-e", delay]
    process = playground.start()
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished", name="beach"))
    began = time.monotonic()
    playground.pair("pier")
    wait_for(lambda: playground.events("job.finished", name="pier"))
    assert not playground.events("hook.finished")
    assert time.monotonic() - began < 60
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"on_success": "tell.sh"}, "on_success: expected a list"),
        ({"on_success": [""]}, "expected the name of a program first"),
        ({"on_succes": ["x"]}, "did you mean 'on_success'?"),
        ({"at_once": 0}, "at_once: expected at least 1"),
    ],
)
def test_a_wrong_hook_is_refused_with_its_place(
    playground: Playground, settings: dict[str, Any], words: str
) -> None:
    """By the config, before anything runs."""
    playground.configure(hooks=settings)
    done = playground.once()
    assert done.returncode == 3
    assert words in done.stderr
