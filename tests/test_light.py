"""The daemon and `nstd status` are light: in time, in memory, in what they load."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.playground import Playground, wait_for

MEMORY = 80 * 2**20
"""Bytes that an idle daemon may take."""


@pytest.fixture
def playground(playground: Playground) -> Playground:
    """Its daemons are executed: forked ones hold what the tests have imported."""
    playground.prefix = ["env"]
    return playground


def resident(pid: int) -> int:
    """Bytes of memory that a process takes."""
    size: int = psutil.Process(pid).memory_info().rss
    return size


def processor_time(pid: int) -> float:
    """Seconds for which all threads of a process have run so far, to the nanosecond."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


def test_status_loads_nothing_heavy(playground: Playground) -> None:
    """Neither structlog and rich nor the watcher, nor anything of the daemon."""
    (playground.site / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print(' '.join(sys.modules), file=sys.stderr))\n"
    )
    loaded = set(playground.command("status").stderr.split())
    assert "nstd.client.status" in loaded
    heavy = {
        "structlog",
        "rich",
        "watchdog",
        "torch",
        "numpy",
        "PIL",
        "asyncio",
        "nstd.daemon.daemon",
    }
    assert not loaded & heavy


def test_a_worker_that_encodes_a_picture_loads_no_yaml_reader(playground: Playground) -> None:
    """Nor anything else of the daemon or the commands; asked at its last rename."""
    listing = playground.folder / "modules"
    playground.sabotage(
        "import sys\n"
        "from pathlib import Path\n"
        "def hook(event, given):\n"
        "    if event == 'os.rename' and 'nstd.images.encode' in sys.modules:\n"
        f"        Path({str(listing)!r}).write_text(' '.join(sys.modules))\n"
        "sys.addaudithook(hook)\n"
    )
    playground.pair("beach", backend="color-transfer")
    playground.once()
    assert playground.events("job.finished")
    loaded = set(listing.read_text().split())
    assert {"nstd.executors.worker.attempt", "PIL.Image"} <= loaded
    elsewhere = {"yaml", "click", "watchdog", "jinja2", "torch"}
    assert not loaded & elsewhere
    parts = ("nstd.daemon", "nstd.intake", "nstd.outbox", "nstd.client", "nstd.cli")
    assert not [name for name in loaded if name.startswith(parts)]


def test_an_idle_daemon_is_small(
    playground: Playground, record_property: Callable[[str, object], None]
) -> None:
    """Before its first job and after it, with its worker gone."""
    playground.configure(workers={"keep_warm": "100ms"})
    process = playground.start()
    before = resident(process.pid)
    playground.pair("beach")
    wait_for(lambda: playground.events("worker.ended"))
    after = resident(process.pid)
    record_property("bytes", after)
    print(f"idle daemon: {before / 2**20:.0f} MiB before its first job, {after / 2**20:.0f} after")
    assert max(before, after) < MEMORY


def test_the_daemon_never_loads_torch(playground: Playground) -> None:
    """Not even with jobs of its own backends: their options are read without it."""
    playground.pair("beach", backend="gatys", options={"steps": "many"})
    playground.pair("palm", backend="color-transfer")
    process = playground.start()
    wait_for(lambda: playground.ended() == 2)
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    assert "torch" not in maps
    assert "numpy" not in maps
    assert "PIL" not in maps


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["events", "poll"])
def test_an_idle_daemon_hardly_uses_a_core(
    playground: Playground, mode: str, record_property: Callable[[str, object], None]
) -> None:
    """The aim is 0.5 % of a core, with the settings that `nstd init` writes."""
    playground.config_path.write_text(f"watch: {{mode: {mode}}}\ndevices: [cpu]\n")
    for number in range(200):
        (playground.inbox / f"picture-{number}.png").write_bytes(b"not yet named by a sidecar")
    process = playground.start()
    time.sleep(5)
    began, before = time.monotonic(), processor_time(process.pid)
    time.sleep(20)
    share = (processor_time(process.pid) - before) / (time.monotonic() - began)
    assert process.poll() is None
    record_property("share", share)
    print(f"idle daemon, {mode}: {share:.3%} of a core")
    assert share < 0.05
