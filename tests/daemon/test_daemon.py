"""The loop: what it survives, and in which order it does things."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import psutil
import pytest
from support.playground import Playground, finished, wait_for

from nstd.client.status import read_status

BROKEN_STEP = """
import os
from nstd.daemon.pipeline import Pipeline

whole = Pipeline.{step}

def broken(self, now):
    if os.path.exists({flag!r}):
        raise ZeroDivisionError("the loop's own bug")
    whole(self, now)

broken.__name__ = "{step}"
Pipeline.{step} = broken
"""


def test_a_bug_in_the_loop_is_told_once_and_the_rest_goes_on(playground: Playground) -> None:
    """A broken intake does not stop running jobs, and is no flood; mended, it goes on."""
    flag = playground.folder / "broken"
    playground.sabotage(BROKEN_STEP.format(step="admit", flag=str(flag)))
    playground.pair("first", options={"steps": 40, "pause": 0.05})
    process = playground.start()
    wait_for(lambda: playground.events("job.progress"))
    flag.touch()
    playground.pair("second")
    wait_for(lambda: playground.events("job.finished", name="first"))
    time.sleep(2.5)
    (error,) = playground.events("daemon.error")
    assert error["error"] == """ZeroDivisionError("the loop's own bug")"""
    assert "in broken" in error["traceback"]
    assert not playground.events("job.claimed", name="second")
    assert psutil.Process(process.pid).cpu_percent(1.0) < 50  # no hot loop
    flag.unlink()
    wait_for(lambda: playground.events("job.finished", name="second"))
    assert playground.stop(process) == 0


def test_a_bug_everywhere_still_lets_the_daemon_end(playground: Playground) -> None:
    """Signals are heeded even when no other step works."""
    flag = playground.folder / "broken"
    steps = ("admit", "publish", "next_event")
    source = "".join(
        f"def broken_{step}(*arguments, **more):\n    raise ZeroDivisionError\n"
        f"nstd.daemon.pipeline.Pipeline.{step} = broken_{step}\n"
        for step in steps
    )
    playground.sabotage(f"import nstd.daemon.pipeline\n{source}")
    process = playground.start()
    wait_for(lambda: len(playground.events("daemon.error")) >= 3)
    assert playground.stop(process) == 0
    assert len(playground.events("daemon.error")) < 10
    assert not flag.exists()


def test_a_bug_at_start_up_is_in_the_log_and_the_exit_code(playground: Playground) -> None:
    """It ends with 70, with the traceback in the log, and the lock is free again."""
    playground.sabotage(
        "import nstd.backends.registry\n"
        "def broken(self):\n    raise ZeroDivisionError\n"
        "nstd.backends.registry.Backends.check_all = broken\n",
    )
    done = playground.command("run", "--once", env={"TMPDIR": str(playground.folder)})
    assert done.returncode == 70
    assert "in broken" in playground.events("daemon.error")[0]["traceback"]
    assert playground.events()[-1]["event"] == "daemon.stopped"
    (playground.site / "sitecustomize.py").unlink()
    assert playground.once().returncode == 0


def test_a_free_slot_is_filled_at_once(playground: Playground) -> None:
    """The next job starts when one ends, not at the next look into the inbox."""
    playground.configure(watch={"rescan": "1h", "poll": "1h"})
    for number in range(4):
        playground.pair(f"job-{number}")
    began = time.monotonic()
    assert playground.once().returncode == 0
    assert len(playground.events("job.finished")) == 4
    assert time.monotonic() - began < 120


def test_the_folders_of_the_root_are_made(playground: Playground) -> None:
    """A root that lost a folder gets it back."""
    for folder in (playground.work, playground.outbox, playground.inbox, playground.styles):
        shutil.rmtree(folder)
    assert playground.once().returncode == 0
    for folder in (playground.work, playground.outbox, playground.inbox, playground.styles):
        assert folder.is_dir()


def test_a_root_with_an_odd_name_works(tmp_path: Path) -> None:
    """Spaces, newlines and bytes that are no text in the path of the root."""
    folder = tmp_path / "a b\nc\udcff"
    folder.mkdir()
    playground = Playground(folder)
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 0, done.stderr
    assert playground.record("beach")["state"] == "finished"
    assert "\\n" in playground.events("daemon.started")[0]["root"]


def test_names_of_any_language_work_in_the_c_locale_without_utf8_mode(
    playground: Playground,
) -> None:
    """As cron and small containers start programs."""
    playground.picture("größe.png")
    playground.sidecar("日本", content="größe.png", style="größe.png", output={"name": "çà"})
    locale = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = playground.command("run", "--once", env=locale)
    assert done.returncode == 0, done.stderr
    assert (playground.outbox / "çà" / "çà.png").exists()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_name_that_is_no_text_stops_nothing_while_it_waits(
    playground: Playground, locale: str
) -> None:
    """Bytes that the encoding of names cannot hold: told by status, and the others are made."""
    odd = os.fsdecode(b"caf\xe9.yaml")
    (playground.inbox / odd).write_text("content: gr\u00f6\u00dfe.png\nstyle: style.png\n")
    playground.prefix = ["env", f"LC_ALL={locale}", f"LANG={locale}", "PYTHONUTF8=0"]
    daemon = playground.start()
    wait_for(lambda: playground.events("inbox.waiting", sidecar="caf\\xe9.yaml"))
    playground.pair("beach")
    wait_for(lambda: finished(playground) == {"beach"})
    wait_for(lambda: read_status(playground.config).notes)
    for command in (("status",), ("status", "--json"), ("check", str(playground.inbox / odd))):
        done = playground.command(*command)
        assert done.returncode == 0, done.stderr
        assert "caf\\xe9.yaml" in done.stdout.replace("\\\\", "\\")
    assert playground.stop(daemon) == 0
    assert not playground.events("daemon.error")
