"""The daemon lets what is too old go, beside its other work, and the gallery follows."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.gallery import names
from support.playground import Playground, wait_for

from nstd.daemon.expiry import Expiry
from nstd.documents.config import Config
from nstd.system.waits import Waits

LATER = """
import time
wall = time.time
time.time = lambda: wall() + 100 * 86400
"""
"""The clock of every process of a playground is a hundred days fast: all is old at once."""


def test_results_that_are_too_old_go_while_the_daemon_runs(playground: Playground) -> None:
    """Each is told in the log, and leaves the gallery; what has no limit stays."""
    playground.configure(retention={"results": "90d"})
    playground.sabotage(LATER)
    playground.hurry(expire=0.5, gallery_scan=0.5)
    playground.pair("bad", options={"act": "raise"})
    playground.pair("beach")
    playground.pair("sub/pier")
    playground.start()
    wait_for(lambda: len(playground.events("outbox.expired")) == 2)
    gone = {(line["path"], line["kind"]) for line in playground.events("outbox.expired")}
    assert gone == {("beach", "result"), ("sub/pier", "result")}
    assert not (playground.outbox / "sub").exists()
    wait_for(lambda: names(playground.outbox) == ["bad"])
    assert playground.events("expiry.failed") == []


def test_a_sweep_that_cannot_move_is_told_and_nothing_goes(playground: Playground) -> None:
    """The folder is not there; the daemon and its jobs go on."""
    there = playground.folder / "not-mounted"
    playground.configure(retention={"results": "90d", "move_to": str(there)})
    playground.sabotage(LATER)
    playground.hurry(expire=0.2)
    playground.pair("beach")
    playground.start()
    (failed, *_) = wait_for(lambda: playground.events("expiry.failed"))
    assert str(there) in failed["reason"]
    wait_for(lambda: playground.events("job.finished"))
    assert (playground.outbox / "beach").exists()
    there.mkdir()
    (gone, *_) = wait_for(lambda: playground.events("outbox.expired"))
    assert gone["moved_to"] == str(there)
    assert (there / "beach" / "beach.png").exists()


def test_without_limits_no_process_is_started(playground: Playground) -> None:
    """And `next_event` wakes nobody."""
    part = Expiry(playground.config, Waits(expire=0.0))
    part.work(time.monotonic() + 10)
    assert part._child is None
    assert part.next_event(0.0) == float("inf")


def test_after_the_clock_was_set_nothing_goes_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    """All may seem to be too old."""
    started = list[bool]()
    config = Config.at(tmp_path, retention={"results": "90d"})
    part = Expiry(config, Waits(expire=0.0))
    monkeypatch.setattr(part, "_start", lambda: started.append(True))
    wall, now = time.time, time.monotonic() + 1
    monkeypatch.setattr(time, "time", lambda: wall() + 200 * 86400)
    part.work(now)
    assert started == []
    assert re.search("clock was set by (199|200)d.*nothing goes for a day", logged[-1]["reason"])
    part.work(now + 80_000)
    assert started == []
    monkeypatch.setattr(time, "time", lambda: wall() + 201 * 86400)
    part.work(now + 86_410)
    assert started == [True]


def test_expire_lists_what_goes_and_lets_it_go(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it goes it is told; what stays is told with the reason; the gallery follows."""
    playground.pair("beach")
    playground.pair("pier")
    playground.once()
    (playground.outbox / "pier" / "notes.txt").write_text("mine")
    assert "no limit" in playground.command("expire").stderr
    playground.configure(retention={"results": "90d"})
    assert playground.command("expire", "--dry-run").stdout == ""
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 100 * 86400)
    listed = playground.command("expire", "--dry-run")
    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [
        ["would", "go"],
        ["stays", "result"],
    ]
    assert "it holds 'notes.txt', which is not nstd's" in listed.stdout
    assert listed.stderr.startswith("1 would go, ")
    assert (playground.outbox / "beach").exists()
    done = playground.command("expire", "--json")
    assert [unit["path"] for unit in json.loads(done.stdout)] == ["beach"]
    assert not (playground.outbox / "beach").exists()
    assert names(playground.outbox) == ["pier"]
    assert playground.command("verify").returncode == 0
