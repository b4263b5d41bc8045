"""What every executor promises: an attempt that was started ends once, whatever happens to it."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.clusters import needs_ray
from support.executors import TWO, Bench, make_config, make_job
from support.playground import Playground, codes, finished, wait_for

from nstd.executors.contract import Executor
from nstd.executors.inline import InlineExecutor
from nstd.executors.local import LocalExecutor
from nstd.executors.worker.attempt import PREVIEW_EVERY
from nstd.queue.job import Ending, Outcome
from nstd.system.layout import CACHE

KINDS = ["inline", "local", pytest.param("ray", marks=needs_ray("ray contract"))]
"""Every executor; a new kind joins here."""
APART = KINDS[1:]
"""Executors that run attempts in other processes, at the same time as the daemon."""


@pytest.fixture(scope="module")
def executors() -> Iterator[dict[str, Executor]]:
    """Open executors by kind, for the tests that need none of their own."""
    made: dict[str, Executor] = {}
    yield made
    close_all(made)


def close_all(executors: dict[str, Executor]) -> None:
    """Close them, which gives up the places that they hold in a cluster."""
    while executors:
        executors.popitem()[1].close()


@pytest.fixture
def own_executor() -> None:
    """Asked for by tests that change the executor, or need one that has not worked yet."""


alone = pytest.mark.usefixtures("own_executor")


@pytest.fixture
def bench(
    request: pytest.FixtureRequest,
    executors: dict[str, Executor],
    executor_site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """The executor named by the test's parameter, with two slots; each job of the last test over"""
    monkeypatch.syspath_prepend(executor_site)
    kind, is_own = request.param, "own_executor" in request.fixturenames
    if is_own:
        close_all(executors)
    executor = executors.pop(kind, None)
    if executor is None:
        executor = make_executor(kind, request, tmp_path)
        executor.open()
    bench = Bench(executor, tmp_path / "jobs", is_open=True)
    yield bench
    if is_own or bench.running():
        executor.close()
    else:
        executors[kind] = executor


def make_executor(kind: str, request: pytest.FixtureRequest, folder: Path) -> Executor:
    """One of this kind, whose root is the folder."""
    config, scratch = make_config(folder), folder / "scratch"
    if kind == "inline":
        return InlineExecutor(config)
    if kind == "local":
        return LocalExecutor(config, TWO, scratch)
    executor: Executor = request.getfixturevalue("cluster").executor(config, scratch)
    return executor


everywhere = pytest.mark.parametrize("bench", KINDS, indirect=True)
apart = pytest.mark.parametrize("bench", APART, indirect=True)


@everywhere
def test_an_attempt_leaves_its_picture_and_result(bench: Bench) -> None:
    """The picture is a picture and the result tells about it."""
    assert bench.run("beach", steps=3).ending is Ending.FINISHED
    folder = bench.folder / "beach"
    with Image.open(folder / "picture.png") as picture:
        assert picture.size == (32, 24)
    result = json.loads((folder / "result.json").read_text())
    assert (result["picture"]["width"], result["steps"]) == (32, 3)


@everywhere
def test_progress_is_told_before_the_end(bench: Bench) -> None:
    """The last report has all steps; every report names its job."""
    bench.run("beach", steps=4)
    last = bench.reports("beach")[-1]
    assert (last.step, last.steps, last.fraction) == (4, 4, 1.0)
    assert bench.events.index(last) < bench.events.index(bench.outcomes("beach")[0])


@everywhere
def test_an_attempt_is_told_to_have_begun_once_and_first(bench: Bench) -> None:
    """From there on its time runs."""
    for attempt in (1, 2):
        bench.run(f"beach-{attempt}", steps=2)
        (begun,) = bench.begun(f"beach-{attempt}")
        mine = [event for event in bench.events if event.job == f"beach-{attempt}"]
        assert mine[0] == begun
        assert len(mine) > 2


@everywhere
@pytest.mark.parametrize(
    ("backend", "options", "code"),
    [
        ("puppet", {"act": "raise"}, "backend_failed"),
        ("puppet", {"act": "oom"}, "out_of_memory"),
        ("puppet", {"act": "nonsense", "step": 1}, "options_invalid"),
        ("gremlin", {"act": "leave"}, "backend_failed"),
        ("gremlin", {"act": "interrupt"}, "backend_failed"),
        ("absent", {}, "backend_unknown"),
    ],
)
def test_an_error_becomes_a_failure_with_its_code(
    bench: Bench, backend: str, options: dict[str, Any], code: str
) -> None:
    """Even sys.exit and a KeyboardInterrupt; and the next job is well."""
    outcome = bench.run("beach", backend, **options)
    assert outcome.ending is Ending.FAILED
    assert outcome.failure is not None
    assert outcome.failure.code == code
    assert not outcome.at_start
    assert bench.run("next").ending is Ending.FINISHED


@everywhere
def test_a_broken_picture_fails_the_attempt_in_the_words_of_the_sidecar(bench: Bench) -> None:
    """The message names the file that the person dropped, not our copy."""
    job = make_job(bench.folder / "beach", "beach")
    (bench.folder / "beach" / "style-1.png").write_bytes(b"no picture")
    bench.start_again(job)
    failure = bench.outcome("beach").failure
    assert failure is not None
    assert failure.code == "picture_unreadable"
    assert "starry.png" in failure.message
    assert "style-1" not in failure.message


@apart
@pytest.mark.parametrize("act", ["exit", "kill"])
def test_a_worker_that_dies_costs_its_own_job_once(bench: Bench, act: str) -> None:
    """One outcome, with the blame on the worker; the slot takes the next job."""
    outcome = bench.run("beach", "puppet", act=act)
    assert (outcome.ending, outcome.device_fault) == (Ending.FAILED, True)
    assert outcome.failure is not None
    assert outcome.failure.code == "worker_died"
    assert not outcome.at_start
    assert bench.run("next").ending is Ending.FINISHED
    assert len(bench.outcomes("beach")) == 1


@apart
def test_a_running_attempt_can_be_cancelled(bench: Bench) -> None:
    """It ends soon, as cancelled, and its slot is free."""
    bench.start("beach", steps=10_000, pause=0.02)
    bench.until(lambda: bench.reports("beach"))
    bench.executor.cancel("beach")
    assert bench.outcome("beach").ending is Ending.CANCELLED
    assert bench.run("next").ending is Ending.FINISHED


@apart
@alone
@pytest.mark.parametrize(
    ("ask", "ending"), [("cancel", Ending.CANCELLED), ("stop", Ending.STOPPED)]
)
def test_an_attempt_can_be_ended_before_a_worker_took_it(
    bench: Bench, ask: str, ending: Ending, logged: list[dict[str, Any]]
) -> None:
    """While its worker still comes up: it never begins, and the worker is there for the next."""
    bench.start("beach", steps=10_000, pause=0.02)
    getattr(bench.executor, ask)("beach")
    assert bench.outcome("beach") == Outcome(job="beach", ending=ending)
    assert not bench.begun("beach")
    assert bench.run("next").ending is Ending.FINISHED
    told = [line["event"] for line in logged if line["event"].startswith("worker.")]
    assert told == ["worker.started"]


@everywhere
def test_a_preview_comes_while_the_job_runs(bench: Bench) -> None:
    """A small picture in its folder, before there is a result."""
    paths = bench.start("beach", steps=3, pause=0.52 * PREVIEW_EVERY)
    if not isinstance(bench.executor, InlineExecutor):
        bench.until(paths.preview.exists)
        assert not paths.result.exists()
    assert bench.outcome("beach").ending is Ending.FINISHED
    with Image.open(paths.preview) as preview:
        assert preview.size == (32, 24)


@apart
@pytest.mark.parametrize("kill", [False, True])
def test_an_attempt_that_does_not_heed_is_killed(bench: Bench, kill: bool) -> None:
    """After the grace, or at once."""
    bench.start("beach", act="hang")
    bench.until(lambda: bench.reports("beach"))
    asked = time.monotonic()
    bench.executor.cancel("beach", kill=kill)
    assert bench.outcome("beach").ending is Ending.FAILED
    assert kill or time.monotonic() - asked >= 2.0
    assert bench.run("next").ending is Ending.FINISHED


@apart
def test_a_stopped_attempt_is_resumed_where_it_was(bench: Bench) -> None:
    """Its checkpoint is in its folder; another worker goes on from there."""
    job = make_job(bench.folder / "beach", "beach", steps=60, pause=0.05)
    paths = bench.start_again(job)
    bench.until(lambda: bench.reports("beach"))
    bench.executor.stop("beach")
    assert bench.outcome("beach").ending is Ending.STOPPED
    saved = int(paths.checkpoint.read_text())
    assert 1 <= saved < 60
    first = len(bench.reports("beach"))
    bench.start_again(job, slot=1)
    assert bench.outcome("beach", count=2).ending is Ending.FINISHED
    assert bench.reports("beach")[first].step == saved + 1


@apart
def test_what_was_wanted_of_one_attempt_is_not_done_to_the_next(bench: Bench) -> None:
    """A stop or cancel that comes when its attempt is over is forgotten, for the same job too."""
    for number in range(6):
        job = make_job(bench.folder / f"job-{number}", f"job-{number}", steps=2)
        for attempt in (1, 2):
            bench.start_again(job)
            bench.until((bench.folder / job.id / "result.json").exists)
            getattr(bench.executor, ("stop", "cancel")[number % 2])(job.id)
            ending = bench.outcome(job.id, count=attempt).ending
            assert ending is Ending.FINISHED, (number, attempt)
            (bench.folder / job.id / "result.json").unlink()


@apart
def test_jobs_that_run_at_once_know_what_each_has_reserved(bench: Bench) -> None:
    """Memory is admitted where the job runs, by whatever worker there it is."""
    said = []
    for slot, name in enumerate(("beach", "pier")):
        note = bench.folder / f"{name}.json"
        bench.start(name, "gremlin", slot, act="reserve", note=str(note))
        bench.until(lambda name=name: bench.reports(name))  # type: ignore[misc]
        said.append(json.loads(note.read_text()))
    assert said[0]["folder"] == said[1]["folder"]
    assert said[1]["others"] > 0.5 * 2**30
    for name in ("beach", "pier"):
        bench.executor.stop(name)
        assert bench.outcome(name).ending is Ending.STOPPED


@everywhere
def test_asking_for_an_attempt_that_is_over_does_nothing(bench: Bench) -> None:
    """The daemon may be a moment late."""
    bench.run("beach")
    bench.executor.cancel("beach", kill=True)
    bench.executor.stop("beach")
    bench.executor.stop("never heard of")
    assert bench.run("next").ending is Ending.FINISHED
    assert len(bench.outcomes("beach")) == 1


@everywhere
@alone
def test_new_settings_count_from_the_next_attempt(bench: Bench, tmp_path: Path) -> None:
    """A limit that is lowered refuses the next picture."""
    bench.run("beach")
    bench.executor.configure(make_config(tmp_path, limits={"picture_pixels": 10}))
    failure = bench.run("next").failure
    assert failure is not None
    assert failure.code == "picture_refused"


@everywhere
@alone
def test_what_a_job_keeps_the_next_one_finds(bench: Bench, tmp_path: Path) -> None:
    """On another slot too; of the daemon's work only the cache is touched, and that by it alone."""
    (tmp_path / "work").mkdir()
    said = []
    for number in range(2):
        note = tmp_path / str(number)
        slot = number % len(bench.slots)
        bench.start(str(number), "gremlin", slot, act="keep", note=str(note))
        assert bench.outcome(str(number)).failure is None
        said.append(note.read_text())
    assert said == ["nothing", str(tmp_path / "0")]
    is_local = isinstance(bench.executor, InlineExecutor | LocalExecutor)
    assert [path.name for path in (tmp_path / "work").iterdir()] == [CACHE] * is_local


@everywhere
@alone
def test_nothing_is_kept_where_nothing_may_be(bench: Bench, tmp_path: Path) -> None:
    """`workers.cache` is 0."""
    bench.executor.configure(make_config(tmp_path, workers={"cache": 0}))
    bench.run("beach", "gremlin", act="keep", note=str(bench.folder / "note"))
    assert (bench.folder / "note").read_text() == "nowhere to look"


# Under a daemon


@pytest.fixture(params=APART)
def ground(
    request: pytest.FixtureRequest, executors: dict[str, Executor], playground: Playground
) -> Playground:
    """A root whose daemon has room for one job, here or on a cluster that has room for two."""
    close_all(executors)
    if request.param == "ray":
        cluster = request.getfixturevalue("cluster")
        playground.configure(executor=cluster.settings | {"jobs": 1})
    return playground


def test_jobs_end_by_their_time_out_or_by_a_person(ground: Playground) -> None:
    """While they run and while they wait; what waits has used no attempt."""
    daemon = ground.start()
    forever = {"steps": 100_000, "pause": 0.01}
    ground.pair("slow", timeout="500ms", options=forever)
    wait_for(lambda: codes(ground) == {"slow": "timed_out"})
    ground.pair("running", options=forever)
    wait_for(lambda: ground.events("job.started", name="running"))
    ground.pair("waiting", options=forever)
    wait_for(lambda: ground.events("job.claimed", name="waiting"))
    for name in ("waiting", "running"):
        assert ground.command("cancel", name).returncode == 0
        wait_for(lambda name=name: codes(ground).get(name) == "cancelled")  # type: ignore[misc]
    ended = {line["name"]: line for line in ground.events("job.failed")}
    attempts = [ended[name]["attempt"] for name in ("slow", "running", "waiting")]
    assert attempts == [1, 1, 0]
    assert "device" in ended["running"]
    assert "device" not in ended["waiting"]
    ground.pair("last")
    wait_for(lambda: finished(ground) == {"last"})
    assert len(ground.events("daemon.started")[0]["devices"]) == 1
    assert ground.stop(daemon) == 0


@pytest.mark.parametrize("signals", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_daemon_heeds_its_signals(ground: Playground, signals: int) -> None:
    """TERM saves and puts back, a second one ends at once; the attempt counts for neither."""
    daemon = ground.start()
    ground.pair("beach", options={"steps": 30, "pause": 0.1})
    wait_for(lambda: ground.events("job.progress"))
    for _ in range(signals):
        daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(timeout=120) == 0
    assert not ground.events("job.finished")
    done = ground.once()
    assert done.returncode == 0, done.stderr
    assert ground.events("job.finished")[0]["attempt"] == 1
    resumed = ground.events("job.progress")
    assert signals == 2 or not [line for line in resumed[2:] if line["step"] == 1]
