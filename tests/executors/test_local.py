"""Worker processes: what they are given, what ends them, and what they must not do to others."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import CHECKOUT, TESTS
from support.executors import TWO, Bench, install_backends, make_config
from support.playground import wait_for

from nstd.executors.local import LocalExecutor
from nstd.queue.job import Ending, Outcome
from nstd.system.cpus import Cpus

Make = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make a bench with a local executor of two CPU slots."""
    install_backends(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    executors: list[LocalExecutor] = []

    def make(**workers: Any) -> Bench:
        executor = LocalExecutor(
            make_config(tmp_path, workers=workers), TWO, tmp_path / "work" / ".workers"
        )
        executors.append(executor)
        return Bench(executor, tmp_path / "work")

    yield make
    for executor in executors:
        executor.close()


def pids(logged: list[dict[str, Any]], slot: str = "cpu/0") -> list[int]:
    """The workers that came up on a slot, in order."""
    return [x["pid"] for x in logged if x["event"] == "worker.started" and x["slot"] == slot]


def environment(bench: Bench, name: str = "look", slot: int = 0) -> dict[str, Any]:
    """What a worker says about itself."""
    note = bench.folder / f"{name}.json"
    assert bench.run(name, "gremlin", slot, act="environment", note=str(note)).failure is None
    said: dict[str, Any] = json.loads(note.read_text())
    return said


def test_a_worker_is_pinned_before_its_python_starts(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No GPU is visible to a CPU slot, cores are shared, and the daemon outlives its workers."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    said = environment(make())
    cores = len(os.sched_getaffinity(0))
    assert said["CUDA_VISIBLE_DEVICES"] == ""
    assert 1 <= int(said["OMP_NUM_THREADS"]) <= max(1, cores // 2)
    assert said["threads_at_import"] == said["OMP_NUM_THREADS"]
    assert said["torch"] is False
    assert said["oom"] == "500"
    assert said["session"] == said["pid"]


def test_a_worker_keeps_to_the_numa_node_of_its_slot(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its threads, from the first: memory is of the node whose CPU first writes to it."""
    allowed = frozenset(os.sched_getaffinity(0))
    if len(allowed) < 2:
        pytest.skip("this process may use one CPU alone")
    first = frozenset({min(allowed)})
    monkeypatch.setattr(Cpus, "usable", lambda: Cpus((first, allowed - first), allowed))
    bench = make()
    for slot, node in enumerate((first, allowed - first)):
        worker = psutil.Process(environment(bench, f"look-{slot}", slot)["pid"])
        threads = [os.sched_getaffinity(thread.id) for thread in worker.threads()]
        assert threads == [node] * len(threads)
    assert os.sched_getaffinity(0) == allowed


def test_a_worker_that_dies_leaves_its_neighbour_alone(
    make: Make, logged: list[dict[str, Any]], tmp_path: Path
) -> None:
    """The neighbour goes on with its job, and with the next, in the same process."""
    bench = make()
    enough = tmp_path / "enough"
    bench.start("slow", slot=1, steps=100_000, pause=0.05, until=str(enough))
    bench.until(lambda: bench.reports("slow"))
    outcome = bench.run("bad", slot=0, act="kill")
    assert outcome.failure is not None
    assert "SIGKILL" in outcome.failure.message
    assert not bench.outcomes("slow")
    enough.touch()
    assert bench.outcome("slow").ending is Ending.FINISHED
    assert bench.run("more", slot=1).ending is Ending.FINISHED
    assert bench.run("next", slot=0).ending is Ending.FINISHED
    assert len(pids(logged, "cpu/1")) == 1
    assert len(set(pids(logged, "cpu/0"))) == 2


def test_a_worker_that_is_stopped_dead_is_killed_after_the_grace(make: Make) -> None:
    """SIGSTOP leaves it no chance to heed anything."""
    bench = make(grace="500ms")
    bench.start("bad", act="stop")
    bench.until(lambda: bench.reports("bad"))
    bench.executor.cancel("bad")
    assert bench.outcome("bad").device_fault
    assert bench.run("next").ending is Ending.FINISHED


def test_a_second_request_does_not_lengthen_the_grace(make: Make) -> None:
    """Whoever cancels again and again still gets the end of it."""
    bench = make(grace="1s")
    bench.start("bad", act="hang")
    bench.until(lambda: bench.reports("bad"))

    def ask_and_look() -> bool:
        bench.executor.cancel("bad")
        return bool(bench.outcomes("bad"))

    bench.until(ask_and_look)


def test_the_failure_of_a_hung_worker_tells_where_it_hung(make: Make) -> None:
    """Its last words are a Python traceback."""
    bench = make(grace="200ms")
    bench.start("bad", act="hang")
    bench.until(lambda: bench.reports("bad"))
    bench.executor.cancel("bad", kill=True)
    failure = bench.outcome("bad").failure
    assert failure is not None
    assert re.search(r'File ".*nstd_puppet_module.py", line \d+ in act', failure.detail)


def test_a_crash_in_native_code_leaves_a_traceback(make: Make) -> None:
    """Faulthandler says which line of Python called it."""
    failure = make().run("bad", "gremlin", act="segfault").failure
    assert failure is not None
    assert "SIGSEGV" in failure.message
    assert "in segfault" in failure.detail


def test_a_worker_is_replaced_after_so_many_jobs(make: Make, logged: list[dict[str, Any]]) -> None:
    """Two jobs each; leaks do not live for ever."""
    bench = make(recycle=2)
    for number in range(5):
        assert bench.run(f"job-{number}").ending is Ending.FINISHED
    assert len(set(pids(logged))) == 3


def test_a_worker_is_replaced_after_it_ran_out_of_memory(
    make: Make, logged: list[dict[str, Any]]
) -> None:
    """A traceback may hold on to what filled the memory; a new process does not."""
    bench = make()
    bench.run("bad", act="oom")
    bench.run("next")
    assert len(set(pids(logged))) == 2


def test_an_error_of_a_backend_keeps_its_worker_warm(
    make: Make, logged: list[dict[str, Any]]
) -> None:
    """A broken picture is no reason to load the networks again."""
    bench = make()
    bench.run("bad", act="raise")
    bench.run("next")
    assert len(pids(logged)) == 1


def test_an_idle_worker_ends_after_a_while(make: Make, logged: list[dict[str, Any]]) -> None:
    """And gives its memory back; the next job starts another."""
    bench = make(keep_warm="300ms")
    bench.run("first")
    bench.until(lambda: not bench.executor.waitables())
    (line,) = [line for line in logged if line["event"] == "worker.ended"]
    assert line["reason"] == "idle"
    assert "exit" not in line  # it did not crash
    assert not psutil.pid_exists(pids(logged)[0])
    assert bench.run("second").ending is Ending.FINISHED


def test_after_new_settings_every_job_gets_a_new_worker(
    make: Make, logged: list[dict[str, Any]]
) -> None:
    """Idle workers end at once, busy ones after their job: a changed plug-in is used."""
    bench = make()
    bench.run("a")
    bench.executor.configure(make_config(bench.folder))
    assert [line["reason"] for line in logged if line["event"] == "worker.ended"] == [
        "replaced after HUP"
    ]
    bench.start("b", steps=5, pause=0.2)
    bench.until(lambda: bench.begun("b"))
    bench.executor.configure(make_config(bench.folder))
    assert bench.outcome("b").ending is Ending.FINISHED
    ended = [line for line in logged if line["event"] == "worker.ended"]
    assert [line["reason"] for line in ended] == ["replaced after HUP"] * 2


def test_a_worker_that_died_while_idle_costs_no_job(
    make: Make, logged: list[dict[str, Any]]
) -> None:
    """The kernel may take a warm worker when memory runs short."""
    bench = make()
    bench.run("first")
    os.kill(pids(logged)[0], signal.SIGKILL)
    threads = Path(f"/proc/{pids(logged)[0]}/task")  # its main thread may be gone before the others
    wait_for(lambda: len(list(threads.iterdir())) == 1)
    wait_for(lambda: psutil.Process(pids(logged)[0]).status() == psutil.STATUS_ZOMBIE)
    assert bench.run("second").ending is Ending.FINISHED


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_worker_lost_before_it_took_its_job_costs_no_attempt(
    make: Make, logged: list[dict[str, Any]], how: str
) -> None:
    """A warm one that dies in the moment of hand-over, or takes nothing any more."""
    bench = make(start="15s")
    bench.run("first")
    (pid,) = pids(logged)
    os.kill(pid, signal.SIGSTOP)
    bench.start("second")
    if how == "kill":
        os.kill(pid, signal.SIGKILL)
    outcome = bench.outcome("second")
    assert outcome.at_start
    assert outcome.failure is not None
    words = {"kill": "died", "stop": "did not take the job in time"}
    assert words[how] in outcome.failure.message
    assert bench.run("third").ending is Ending.FINISHED


def test_what_a_worker_said_before_its_death_is_heard(make: Make) -> None:
    """It took the job and killed itself at once: the attempt counts, every time."""
    bench = make()
    for number in range(5):
        outcome = bench.run(f"job-{number}", act="kill")
        assert not outcome.at_start
        assert len(bench.reports(f"job-{number}")) == 1


@pytest.mark.parametrize("how", ["program", "import", "folder"])
def test_a_worker_that_cannot_start_is_not_the_jobs_fault(
    make: Make, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One outcome that says so, with what the process said; later it may work again."""
    bench = make()
    with monkeypatch.context() as patch:
        if how == "program":
            patch.setattr(sys, "executable", "/nonexistent/python")
        elif how == "import":
            (tmp_path / "broken" / "nstd").mkdir(parents=True)
            (tmp_path / "broken" / "nstd" / "__init__.py").write_text("raise OSError('torn disk')")
            patch.setattr(sys, "path", [str(tmp_path / "broken"), *sys.path])
        else:
            (tmp_path / "work").mkdir()
            (tmp_path / "work" / ".workers").write_text("in the way")
        outcome = bench.run("beach")
    assert outcome.at_start
    assert outcome.device_fault
    assert outcome.failure is not None
    assert outcome.failure.code == "device_failed"
    if how == "import":
        assert "torn disk" in outcome.failure.detail
    (tmp_path / "work" / ".workers").unlink() if how == "folder" else None
    assert bench.run("next").ending is Ending.FINISHED


def test_a_worker_that_does_not_come_up_is_killed(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its imports may hang on a network mount."""
    (tmp_path / "slow" / "nstd").mkdir(parents=True)
    (tmp_path / "slow" / "nstd" / "__init__.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "slow"), *sys.path])
    outcome = make(start="500ms").run("beach")
    assert outcome.at_start
    assert outcome.failure is not None
    assert "did not come up in time" in outcome.failure.message


def test_a_process_that_sigkill_cannot_end_closes_its_slot(
    make: Make, logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver may hold it for ever: nothing else is started beside it on that slot."""
    bench = make(grace="0s")
    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", lambda pid, number: None)
        patch.setattr("nstd.system.child._LAST_WAIT", 0.05)
        bench.start("bad", act="stop")
        bench.until(lambda: bench.reports("bad"))
        wait_for(lambda: psutil.Process(pids(logged)[0]).status() == psutil.STATUS_STOPPED)
        bench.executor.cancel("bad")
        ended = bench.outcome("bad").failure
        assert ended is not None
        assert "still there after SIGKILL" in ended.message
        refused = bench.run("next")
    assert refused.at_start
    assert refused.failure is not None
    assert f"process {pids(logged)[0]} is still there" in refused.failure.message
    os.kill(pids(logged)[0], signal.SIGKILL)
    # Its state says "zombie" while threads of it still end; the wait does not.
    os.waitid(os.P_PID, pids(logged)[0], os.WEXITED | os.WNOWAIT)
    assert bench.run("last").ending is Ending.FINISHED


def test_what_a_worker_prints_bears_its_job_and_its_slot(make: Make) -> None:
    """The words of a backend, and a warning that Python prints for it."""
    bench = make()
    assert bench.run("beach", "gremlin", act="say").ending is Ending.FINISHED
    said = (bench.folder / ".workers" / "cpu-0.log").read_text().splitlines()
    assert said[0].endswith(" beach cpu/0  hello")
    assert any(line.endswith("UserWarning: oh") for line in said)
    assert all(" beach cpu/0  " in line for line in said)


def test_a_backend_that_prints_without_end_does_not_fill_the_disk(make: Make) -> None:
    """200 MB go by; what is kept is bounded, and the last words are there."""
    bench = make()
    largest = 0
    bench.start("loud", "gremlin", act="print_a_lot")
    output = bench.folder / ".workers" / "cpu-0.log"

    def measure() -> bool:
        nonlocal largest
        largest = max(largest, output.stat().st_blocks * 512)
        return bool(bench.outcomes("loud"))

    bench.until(measure)
    bench.look()
    assert bench.outcome("loud").ending is Ending.FINISHED
    assert largest < 100 * 2**20
    assert output.stat().st_size < 9 * 2**20


@pytest.mark.parametrize("act", ["close_everything", "forge", "lie", "flood", "fork"])
def test_a_backend_that_meddles_with_its_process_harms_only_its_job(make: Make, act: str) -> None:
    """Its attempt ends once, one way or the other, and both slots go on."""
    bench = make()
    bench.start("neighbour", slot=1, steps=20, pause=0.05)
    bench.until(lambda: bench.reports("neighbour"))
    bench.start("bad", "gremlin", act=act)
    assert bench.outcome("bad").job == "bad"
    assert bench.outcome("neighbour").ending is Ending.FINISHED
    assert (bench.folder / "neighbour" / "result.json").exists()
    assert bench.run("next").ending is Ending.FINISHED
    assert len([event for event in bench.events if isinstance(event, Outcome)]) == 3


def test_a_flood_of_reports_is_thinned_in_the_worker(make: Make) -> None:
    """A hundred thousand reports of one last step are one."""
    bench = make()
    bench.run("bad", "gremlin", act="flood")
    assert len(bench.reports("bad")) < 20


def test_what_a_backend_started_dies_with_its_worker(make: Make) -> None:
    """Children of a worker that crashed would keep memory and devices."""
    bench = make()
    note = bench.folder / "child"
    bench.folder.mkdir()
    outcome = bench.run("bad", "gremlin", act="die_with_a_child", note=str(note))
    assert outcome.failure is not None
    assert "exit status 9" in outcome.failure.message
    child = int(note.read_text())
    wait_for(lambda: not psutil.pid_exists(child) or _is_zombie(child))


def test_an_order_larger_than_the_socket_holds_comes_through(make: Make) -> None:
    """The daemon goes on while the worker starts, and sends the rest when there is room."""
    bench = make()
    bench.start("big", steps=1, attempts_file="x" * 3_000_000, act="")
    assert bench.outcome("big").ending is Ending.FINISHED


def test_a_worker_that_does_not_read_never_blocks_the_daemon(make: Make) -> None:
    """Megabytes for a stopped process are kept, and thrown away with it."""
    bench = make(grace="500ms")
    bench.start("first", act="stop")
    bench.until(lambda: bench.reports("first"))
    for _ in range(200_000):
        bench.executor.stop("first")
    assert bench.outcome("first").device_fault


PARENT = """
import sys, time
from pathlib import Path
import psutil
from support.executors import TWO, Bench, make_config
from nstd.executors.local import LocalExecutor

root = Path(sys.argv[1])
bench = Bench(LocalExecutor(make_config(root), TWO, root / "scratch"), root / "jobs")
bench.start("one", slot=0, steps=10_000, pause=0.05)
bench.start("two", slot=1, act="hang")
bench.until(lambda: bench.reports("one") and bench.reports("two"))
print(*[child.pid for child in psutil.Process().children()], flush=True)
time.sleep(600)
"""
"""A daemon in short: two jobs run, one of them heeds nothing."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process with two busy workers, and their pids."""
    install_backends(tmp_path / "site")
    path = os.pathsep.join([str(tmp_path / "site"), str(TESTS), str(CHECKOUT)])
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        yield process, [int(pid) for pid in process.stdout.readline().split()]
        process.kill()


def test_no_worker_outlives_the_daemon(daemon: tuple[subprocess.Popen[str], list[int]]) -> None:
    """SIGKILL leaves it no time to clean up: the kernel ends its workers."""
    process, workers = daemon
    assert len(workers) == 2
    process.kill()
    wait_for(lambda: not any(_is_alive(pid) for pid in workers))


def test_a_terminals_interrupt_does_not_reach_workers(
    daemon: tuple[subprocess.Popen[str], list[int]],
) -> None:
    """^C goes to the process group of the daemon; workers are in sessions of their own."""
    _, workers = daemon
    assert {os.getsid(pid) for pid in workers} == set(workers)
    for pid in workers:
        os.kill(pid, signal.SIGINT)
    assert all(_is_alive(pid) for pid in workers)


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and not _is_zombie(pid)
