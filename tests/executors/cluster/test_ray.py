"""A daemon on a Ray cluster whose nodes and head come and go."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from manual.documents import page
from support import CHECKOUT
from support.clusters import RayCluster, free_port, needs_ray, ray_cluster
from support.executors import Bench, make_config, make_job
from support.playground import Playground, finished, wait_for

from nstd.errors import ClusterError
from nstd.executors.cluster import executor as cluster_executor
from nstd.executors.contract import Assignment
from nstd.executors.devices import CPU_TUNING
from nstd.queue.job import Ending
from nstd.queue.slots import Slot
from nstd.system import proc

pytestmark = list(needs_ray("ray"))

breaks_its_cluster = pytest.mark.xdist_group("broken")
"""These have clusters of their own, and run beside the others."""

LONG: dict[str, Any] = {"steps": 10_000, "pause": 0.05}
DRIVER = "nstd.executors.cluster.driver"
COUNT_PUTS = """
import sys
if "nstd.executors.cluster.driver" in sys.orig_argv:
    import ray
    put = ray.put

    def counted(data):
        with open({log!r}, "a") as log:
            print(len(data), file=log)
        return put(data)

    ray.put = counted
"""


@pytest.fixture
def bench(cluster: RayCluster, tmp_path: Path) -> Iterator[Bench]:
    """An executor on the cluster."""
    executor = cluster.executor(make_config(tmp_path), tmp_path / "scratch")
    yield Bench(executor, tmp_path / "jobs")
    executor.close()


def joined(make: Callable[[], cluster_executor.RayExecutor], folder: Path) -> Bench:
    """An executor on a cluster that is still coming up, with jobs in `folder`."""

    def join() -> Bench | None:
        with suppress(ClusterError):
            return Bench(make(), folder / "jobs")
        return None

    bench = wait_for(join, 120)
    assert bench is not None
    return bench


def daemon_on(cluster: RayCluster, playground: Playground) -> None:
    """Have the playground's daemon run jobs on the cluster."""
    playground.configure(executor=cluster.settings)


def test_a_node_computes_on_its_cores_as_the_daemon_s_own_machine_does(
    cluster: RayCluster, tmp_path: Path
) -> None:
    """Without the same settings of malloc and OpenMP it would take longer."""
    config, note = make_config(tmp_path), tmp_path / "note"
    on_cores = cluster.executor(config, tmp_path / "scratch", num_gpus=0, num_cpus=2)
    bench = Bench(on_cores, tmp_path / "jobs")
    try:
        assert bench.run("look", "gremlin", act="environment", note=str(note)).failure is None
    finally:
        on_cores.close()
    said = json.loads(note.read_text())
    assert CPU_TUNING.items() <= said.items()


# Ways to a cluster


def test_auto_is_the_cluster_that_ray_finds_by_itself(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it finds the node of this machine where no variable says which."""
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    executor = cluster.executor(make_config(tmp_path), tmp_path / "scratch", address="auto")
    bench = Bench(executor, tmp_path / "jobs")
    assert len(bench.slots) == 2
    assert bench.run("beach").ending is Ending.FINISHED
    executor.close()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("grpc") is None, reason="needs ray[client]")
def test_a_machine_that_is_no_node_runs_jobs_through_the_client(
    executor_site: Path, tmp_path: Path
) -> None:
    """`ray://`: the same ends as from a node."""
    port = free_port()
    with ray_cluster(executor_site, 1, ray_client_server_port=port) as cluster:
        address = f"ray://127.0.0.1:{port}"
        config, scratch = make_config(tmp_path), tmp_path / "scratch"
        bench = joined(lambda: cluster.executor(config, scratch, address=address), tmp_path)
        assert bench.run("beach", steps=3).ending is Ending.FINISHED
        failure = bench.run("pier", act="kill").failure
        assert failure is not None
        assert failure.code == "worker_died"
        paths = bench.start("dune", **LONG)
        bench.until(lambda: bench.reports("dune"))
        bench.executor.stop("dune")
        assert bench.outcome("dune").ending is Ending.STOPPED
        assert paths.checkpoint.exists()
        bench.executor.close()


@pytest.fixture
def units(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """What `systemctl start nstd-ray-node` does with a line of the manual; it returns the port."""
    unit = (CHECKOUT / "systemd" / "nstd-ray-node.service").read_text()
    command = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)[0]
    port, started = str(free_port()), []
    with tempfile.TemporaryDirectory() as short:  # Ray's sockets need a short path

        def start(line: str) -> str:
            said = command.replace("$RAY_NODE", line.removeprefix("RAY_NODE="))
            said = said.replace("/opt/nstd/bin", str(Path(sys.executable).parent))
            said = said.replace("/run/nstd-ray", short).replace("10.0.0.", "127.0.0.")
            with (tmp_path / "ray.log").open("ab") as log:
                process = subprocess.Popen(
                    said.replace("6379", port).split(), stdout=log, stderr=log
                )
            started.append(process)
            return f"127.0.0.1:{port}"

        yield start
        for process in reversed(started):
            process.terminate()
            process.wait(60)


@pytest.mark.slow
def test_the_unit_makes_a_cluster_of_the_lines_in_the_manual(
    units: Callable[[str], str], tmp_path: Path
) -> None:
    """The head's, then another machine's: the daemon has a place on each."""
    head, other = re.findall(r"^RAY_NODE=.*$", page("cluster"), re.MULTILINE)
    address = units(head)
    asked = {"kind": "ray", "address": address, "num_gpus": 0}
    config = make_config(tmp_path, executor=asked)
    bench = joined(lambda: cluster_executor.RayExecutor(config, tmp_path / "scratch"), tmp_path)
    units(other)
    bench.until(lambda: len({slot.node for slot in bench.executor.slots()}) == 2)
    bench.executor.close()


# What stays of an attempt


def test_a_node_keeps_no_file_of_a_job(bench: Bench, cluster: RayCluster) -> None:
    """Neither after a good end, nor, once another worker came up, after a kill."""

    def left() -> list[Path]:
        return list(cluster.tmp.glob("nstd-node-*"))

    bench.run("beach")
    wait_for(lambda: not left(), what="no folder left by a job that ended well")
    bench.run("pier", act="kill")
    assert bench.run("next").ending is Ending.FINISHED
    wait_for(lambda: not left(), what="no folder left by a worker that was killed")


def test_what_a_worker_left_is_swept_even_before_its_parent_has_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was killed may stay a zombie for long; a living one keeps its folder."""
    from nstd.executors.cluster.node import NodeWorker

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(["sleep", "60"]) as worker:
        folder = tmp_path / f"nstd-node-{worker.pid}-{proc.start_time(worker.pid)}-abcd"
        folder.mkdir()
        NodeWorker()
        assert folder.exists()
        worker.kill()
        wait_for(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE)
        NodeWorker()
        assert not folder.exists()


def test_a_node_whose_disk_is_full_does_not_take_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so at once, and leaves nothing; the job goes on elsewhere."""
    from nstd.executors.cluster.node import NodeWorker

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    config, worker = make_config(tmp_path), NodeWorker()
    job = make_job(tmp_path / "beach", "beach")
    told = Assignment.of(job, tmp_path, Slot("near/gpu:0", 0), "cpu", config)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        worker.begin(told.model_dump(mode="json"), ["content.png"], b"picture")
    assert not list((tmp_path / "node").iterdir())
    assert worker.take_messages(0) == []


def test_a_style_that_jobs_share_is_put_into_the_store_once(
    cluster: RayCluster, playground: Playground
) -> None:
    """From there each node fetches it by itself; contents go each with its job."""
    daemon_on(cluster, playground)
    log = playground.folder / "puts"
    playground.sabotage(COUNT_PUTS.format(log=str(log)))
    style = playground.picture("style.png", (64, 48), "orange").stat().st_size
    for number in range(6):
        name = f"job-{number}"
        playground.picture(f"{name}.png", (32, 24 + number), "teal")
        playground.pair(name, content=f"{name}.png")
    assert playground.once().returncode == 0
    assert len(finished(playground)) == 6
    assert len({line["device"] for line in playground.events("job.finished")}) == 2
    sizes = [int(size) for size in log.read_text().split()]
    assert len(sizes) == 7
    assert sizes.count(style) == 1


def test_workers_end_with_the_daemon(bench: Bench) -> None:
    """No process goes on with a job whose daemon was killed."""
    bench.start("beach", **LONG)
    bench.until(lambda: bench.reports("beach"))
    busy = [
        p
        for p in psutil.process_iter(["cmdline"])
        if "NodeWorker" in " ".join(p.info["cmdline"] or [])
    ]
    assert busy
    bench.executor.close()
    psutil.wait_procs(busy, timeout=30)
    assert not [process for process in busy if process.is_running()]


def test_a_worker_stays_warm_for_the_next_job(bench: Bench) -> None:
    """The second job on a slot needs no new process."""
    bench.run("beach", "gremlin", act="environment", note=str(bench.folder / "first"))
    bench.run("pier", "gremlin", act="environment", note=str(bench.folder / "second"))
    assert (bench.folder / "first").read_text() == (bench.folder / "second").read_text()


def test_after_new_settings_every_job_gets_a_new_worker(bench: Bench) -> None:
    """Idle workers end at once, busy ones after their job: a changed plug-in is used."""

    def process_of(job: str) -> int:
        note = bench.folder / f"{job}-note"
        assert bench.run(job, "gremlin", act="environment", note=str(note)).failure is None
        return int(json.loads(note.read_text())["pid"])

    first = process_of("first")
    bench.executor.configure(make_config(bench.folder))
    second = process_of("second")
    bench.start("busy", steps=5, pause=0.2)
    bench.until(lambda: bench.begun("busy"))
    bench.executor.configure(make_config(bench.folder))
    assert bench.outcome("busy").ending is Ending.FINISHED
    assert len({first, second, process_of("third")}) == 3


# Nodes and heads that go


@breaks_its_cluster
def test_a_killed_node_costs_its_own_jobs_an_attempt(executor_site: Path, tmp_path: Path) -> None:
    """The neighbour's job goes on; the slot is gone until a node comes."""
    with ray_cluster(executor_site, 1, 1) as cluster:
        executor = cluster.executor(make_config(tmp_path), tmp_path / "scratch")
        bench = Bench(executor, tmp_path / "jobs")
        for slot in (0, 1):
            bench.start(f"job-{slot}", slot=slot, **LONG)
        bench.until(lambda: all(bench.reports(f"job-{slot}") for slot in (0, 1)))
        cluster.kill(0)
        bench.until(lambda: bench.outcomes("job-0") or bench.outcomes("job-1"))
        dead = 0 if bench.outcomes("job-0") else 1
        outcome, survivor = bench.outcome(f"job-{dead}"), f"job-{1 - dead}"
        assert outcome.failure is not None
        assert (outcome.failure.code, outcome.device_fault) == ("worker_died", True)
        assert bench.slots[dead].device in outcome.failure.message
        seen = len(bench.reports(survivor))
        bench.until(lambda: len(executor.slots()) == 1)
        bench.until(lambda: len(bench.reports(survivor)) > seen)
        cluster.add(gpus=1)
        bench.until(lambda: len(executor.slots()) == 2)
        bench.slots = [slot for slot in executor.slots() if slot != bench.slots[1 - dead]]
        assert bench.run("next").ending is Ending.FINISHED
        executor.close()


@breaks_its_cluster
def test_a_head_that_is_lost_and_comes_back_costs_no_attempt(
    executor_site: Path, playground: Playground
) -> None:
    """The job waits meanwhile, in its first attempt still, and the daemon is the same one."""
    with ray_cluster(executor_site, 1) as cluster:
        daemon_on(cluster, playground)
        daemon = playground.start()
        playground.pair("beach", options={"steps": 100, "pause": 0.05})
        wait_for(lambda: playground.events("job.progress"))
        assert ": 1 of 1 device up" in playground.command("status").stdout
        cluster.behead()
        lost = wait_for(lambda: playground.events("cluster.lost"))[0]
        assert not lost["reason"].endswith(": "), "an error without words tells nobody anything"
        wait_for(lambda: playground.events("job.requeued", reason="cluster_lost"))
        reason = wait_for(lambda: playground.events("intake.paused"))[0]["reason"]
        assert "out of reach" in reason
        cluster.head()
        cluster.add(gpus=1)
        wait_for(lambda: playground.events("job.finished"), 120)
        assert playground.events("job.finished")[0]["attempt"] == 1
        assert playground.stop(daemon) == 0


# The daemon itself


def test_pictures_come_back_from_the_cluster(cluster: RayCluster, playground: Playground) -> None:
    """Dropped here, made there, published here; the record and the log name the node."""
    daemon_on(cluster, playground)
    for name in ("beach", "pier", "dune"):
        playground.pair(name, options={"steps": 3})
    done = playground.once()
    assert done.returncode == 0, done.stderr
    assert {line["name"] for line in playground.events("job.finished")} == {"beach", "pier", "dune"}
    assert (playground.outbox / "beach" / "beach.png").exists()
    assert "/gpu:0" in playground.events("job.finished", name="beach")[0]["device"]
    assert playground.events("cluster.changed")[0]["slots"] == 2


def test_every_line_of_a_job_says_where_it_is(
    cluster: RayCluster, playground: Playground, tmp_path: Path
) -> None:
    """From its start on: the device with the name of its node, whatever becomes of the job."""
    daemon_on(cluster, playground)
    playground.pair("good", options={"steps": 3})
    playground.pair("bad", options={"act": "raise"})
    once = {"attempts_file": str(tmp_path / "attempts"), "times": 1}
    playground.pair("shaky", options={"act": "kill", **once})
    assert playground.once().returncode == 0
    devices = set(playground.events("daemon.started")[0]["devices"])
    assert len(devices) == 2
    assert finished(playground) == {"good", "shaky"}
    for name in ("good", "bad", "shaky"):
        job = playground.events("job.claimed", name=name)[0]["job"]
        lines = playground.events("", job=job)[1:]
        assert lines[0]["event"] == "job.started"
        for line in lines:
            assert (line.get("device") or line["slot"].rpartition("/")[0]) in devices, line
    assert playground.reason("bad")["device"] in devices


def test_a_job_that_no_node_can_hold_waits_and_says_so(
    cluster: RayCluster, playground: Playground
) -> None:
    """Or ends the daemon, where the config says so."""
    daemon_on(cluster, playground)
    playground.configure(executor={"num_gpus": 5})
    playground.pair("beach")
    daemon = playground.start()
    reason = wait_for(lambda: playground.events("intake.paused"))[0]["reason"]
    assert reason == "no node of the cluster has 5 GPU for a job"
    assert playground.stop(daemon) == 0
    assert (playground.inbox / "beach.yaml").exists()
    playground.configure(workers={"exit_when_all_down": True})
    assert playground.command("run").returncode == 5


# Clusters that cannot be used


def test_a_driver_that_cannot_be_started_is_a_cluster_out_of_reach(tmp_path: Path) -> None:
    """Told in those words at the start; later it is tried again like a head that is lost."""
    (tmp_path / "file").touch()
    executor = cluster_executor.RayExecutor(make_config(tmp_path), tmp_path / "file" / "scratch")
    with pytest.raises(ClusterError, match="its driver could not be started"):
        executor.open()
    assert list(executor.events()) == []
    assert "could not be started" in executor.why_no_slots()
    executor.close()


def test_an_unreachable_head_is_told_at_the_start_and_by_the_doctor(playground: Playground) -> None:
    """In one sentence, at once."""
    address = f"127.0.0.1:{free_port()}"
    playground.configure(executor={"kind": "ray", "address": address})
    for command in ("run", "doctor"):
        done = playground.command(command)
        assert done.returncode == (5 if command == "run" else 1)
        said = " ".join((done.stdout + done.stderr).split())
        assert f"nobody answers at {address}" in said
        assert "ray start --head" in said


def test_another_version_of_ray_is_told(cluster: RayCluster, playground: Playground) -> None:
    """Both versions stand in the message."""
    daemon_on(cluster, playground)
    playground.sabotage(
        "import sys\nif 'nstd.executors.cluster.driver' in sys.orig_argv:\n"
        "    import ray\n    ray.__version__ = '1.0.0'\n"
    )
    for command, status in ((("run", "--once"), 5), (("doctor",), 1)):
        done = playground.command(*command)
        assert done.returncode == status, done.stderr
        said = " ".join((done.stdout + done.stderr).split())
        assert "ersion mismatch" in said
        assert "Ray: 1.0.0" in said
        assert "install the same Ray and Python" in said


def test_a_node_with_another_nstd_does_not_take_the_job(
    cluster: RayCluster, playground: Playground
) -> None:
    """The attempt does not count, and the log says what to install."""
    daemon_on(cluster, playground)
    playground.sabotage(
        "import sys\nif 'nstd.executors.cluster.driver' in sys.orig_argv:\n"
        "    import nstd\n    nstd.__version__ = '99.0'\n"
    )
    playground.configure(workers={"failures": 1})
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 5, done.stderr
    assert "the daemon is 99.0" in playground.events("device.down")[0]["reason"]
    assert not playground.events("job.failed")


def test_a_driver_that_falls_silent_counts_as_a_lost_cluster(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is replaced, and the next job runs."""
    monkeypatch.setattr(cluster_executor, "SILENCE", 4.0)
    bench.start("beach", **LONG)
    bench.until(lambda: bench.reports("beach"))
    children = psutil.Process().children()
    driver = next(
        p for p in children if p.status() != psutil.STATUS_ZOMBIE and DRIVER in p.cmdline()
    )
    driver.suspend()
    outcome = bench.outcome("beach")
    assert outcome.failure is not None
    assert outcome.failure.code == "cluster_lost"
    assert "no answer" in outcome.failure.message
    bench.until(bench.executor.slots)
    assert bench.run("next").ending is Ending.FINISHED
