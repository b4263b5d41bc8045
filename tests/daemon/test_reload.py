"""HUP: the config is read again."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

from support.playground import Playground, wait_for
from support.plugins import install

from nstd.client.status import read_status


def reload(playground: Playground, process: subprocess.Popen[bytes], event: str) -> dict[str, Any]:
    """Send HUP and wait for the event that answers; its line."""
    before = len(playground.events(event))
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(playground.events(event)) > before, what=event)
    return playground.events(event)[-1]


def test_new_settings_are_taken_over(playground: Playground) -> None:
    """The settle time, the log level and the defaults of jobs change without a restart."""
    playground.configure(watch={"settle": "1h"})
    process = playground.start()
    playground.pair("beach")
    wait_for(lambda: playground.command("status").stdout.count("1 in the inbox"))
    playground.configure(watch={"settle": "200ms"}, jobs={"format": "webp"})
    assert reload(playground, process, "daemon.reloaded")["needs_restart"] == []
    wait_for(lambda: playground.events("job.finished"))
    assert playground.record("beach")["settings"]["format"] == "webp"
    playground.configure(log={"level": "error"})
    process.send_signal(signal.SIGHUP)
    playground.pair("quiet")
    wait_for((playground.outbox / "quiet").exists)
    assert not playground.events("job.finished", name="quiet")


def test_hup_with_bad_config_keeps_the_old_one_and_says_so(playground: Playground) -> None:
    """With the place of the error; jobs go on."""
    process = playground.start()
    good = playground.config_path.read_text()
    playground.config_path.write_text("watch: {setle: 1s}\n")
    line = reload(playground, process, "daemon.reload_failed")
    assert "config.yaml:1:9: unknown key 'setle'; did you mean 'settle'?" in line["error"]
    playground.config_path.unlink()
    assert "No such file" in reload(playground, process, "daemon.reload_failed")["error"]
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished"))
    playground.config_path.write_text(good)
    reload(playground, process, "daemon.reloaded")
    assert playground.stop(process) == 0


def test_what_needs_a_restart_is_named_and_left_as_it_is(playground: Playground) -> None:
    """Folders, executor, devices and slots stay; nothing is half taken over."""
    process = playground.start()
    (playground.root / "elsewhere").mkdir()
    playground.configure(folders={"inbox": "elsewhere"}, slots={"cpu": 2})
    assert reload(playground, process, "daemon.reloaded")["needs_restart"] == ["folders", "slots"]
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished"))
    assert playground.stop(process) == 0


def test_options_of_the_command_line_stay(playground: Playground) -> None:
    """They override the config that is read again, too."""
    playground.configure(watch={"mode": "events", "settle": "1h"})
    process = playground.start("--settle", "100ms")
    reload(playground, process, "daemon.reloaded")
    playground.pair("beach")
    wait_for(lambda: playground.events("job.finished"))


def test_running_jobs_are_not_disturbed(playground: Playground) -> None:
    """A job in the middle of its work goes on through many reloads."""
    playground.pair("beach", options={"steps": 100, "pause": 0.02})
    process = playground.start()
    wait_for(lambda: playground.events("job.progress"))
    for _ in range(5):
        reload(playground, process, "daemon.reloaded")
    wait_for(lambda: playground.events("job.finished"))
    assert len(playground.events("job.started")) == 1
    assert not playground.events("job.requeued")


def test_hup_looks_again_at_a_backend_that_was_off(playground: Playground) -> None:
    """Somebody has mended it: no restart is needed."""
    flag = playground.folder / "broken"
    flag.touch()
    broken = f"import os\nif os.path.exists({str(flag)!r}): raise RuntimeError('no licence')"
    install(playground.site, "mended", before=broken)
    process = playground.start()
    assert playground.events("plugin.failed", name="mended")
    flag.unlink()
    reload(playground, process, "daemon.reloaded")
    loaded = lambda: "mended" in playground.events("plugins.loaded")[-1]["backends"]  # noqa: E731
    wait_for(loaded, what="the backend is on")


def test_the_jobs_of_a_backend_that_is_short_of_memory_wait_and_status_tells(
    playground: Playground,
) -> None:
    """They run when it can be used again; other jobs go on meanwhile."""
    flag = playground.folder / "short"
    flag.touch()
    short = f"import os\nif os.path.exists({str(flag)!r}): raise MemoryError('none left')"
    install(playground.site, "large", before=short)
    playground.start()
    playground.pair("later", backend="large")
    playground.pair("now")
    wait_for(lambda: playground.events("job.finished", name="now"))
    status = wait_for(lambda: read_status(playground.config).unavailable)
    assert "none left" in status["large"]
    assert (playground.inbox / "later.yaml").exists()
    assert not playground.events("job.failed")
    flag.unlink()
    wait_for(lambda: playground.ended() == 2, what="the job is claimed and ends")
    assert not playground.events("job.failed", code="backend_unknown")
