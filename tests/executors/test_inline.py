"""The executor without processes; what it shares with the others is in the contract's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.executors import Bench, install_backends, make_config
from support.playground import Playground

from nstd.executors.inline import InlineExecutor
from nstd.queue.job import Ending


def test_an_attempt_is_over_when_start_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A debugger steps straight into the backend; events tell everything once."""
    install_backends(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    bench = Bench(InlineExecutor(make_config(tmp_path)), tmp_path / "jobs")
    paths = bench.start("beach")
    assert paths.result.exists()
    assert not bench.executor.waitables()
    bench.look()
    assert bench.outcome("beach").ending is Ending.FINISHED
    assert list(bench.executor.events()) == []


def test_the_whole_daemon_runs_with_it(playground: Playground) -> None:
    """One process, and the same result in the outbox."""
    playground.configure(executor={"kind": "inline"})
    playground.pair("beach")
    assert playground.once().returncode == 0
    assert (playground.outbox / "beach" / "beach.png").exists()
    assert not playground.events("worker.started")
