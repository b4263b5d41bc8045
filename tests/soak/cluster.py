"""`python -m tests.soak.cluster`: what a Ray cluster of several nodes on this machine shows.

The contract of the executors as a table, what each adds to a job, how the throughput grows with
the nodes, and how long it takes until the job of a killed node goes on elsewhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from support.clusters import RayCluster, ray_cluster
from support.executors import TWO, Bench, install_backends, make_config
from support.playground import Playground, wait_for

from nstd.executors.contract import Executor
from nstd.executors.local import LocalExecutor

KINDS = ("inline", "local", "ray")
SUITES = ("test_executor_contract.py", "test_ray.py")
"""What nothing but a cluster can promise is in the last."""
NODES = (1, 2, 4)
JOBS = 8
SLEEP = 2.0
TESTS = Path(__file__).parent.parent


def contract() -> Iterator[str]:
    """A row for each promise: how many of its cases each executor keeps."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        suites = [str(TESTS / name) for name in SUITES]
        options = ["-q", "-p", "no:randomly", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, *suites]
        subprocess.run(command, cwd=TESTS.parent, stdout=subprocess.DEVNULL)
        cases = list(ElementTree.parse(report).iter("testcase"))
    held, tried = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    for case in cases:
        row, _, parameters = case.attrib["name"].rstrip("]").partition("[")
        kind = next((kind for kind in KINDS if kind in re.split(r"\W", parameters)), "ray")
        tried[row][kind] += 1
        held[row][kind] += len(case) == 0  # a failure, an error or a skip would be inside
    yield f"{'kept of tried':<72}" + "".join(f"{kind:>8}" for kind in KINDS)
    for row, counts in tried.items():
        cells = (f"{held[row][k]}/{counts[k]}" if counts[k] else "-" for k in KINDS)
        yield f"{row.removeprefix('test_').replace('_', ' '):<72}" + "".join(
            f"{cell:>8}" for cell in cells
        )


def overhead(executor: Executor, folder: Path, jobs: int = 50) -> float:
    """Seconds that a job which does nothing takes on a warm worker."""
    bench = Bench(executor, folder)
    try:
        bench.run("first")
        began = time.monotonic()
        for number in range(jobs):
            bench.run(f"job-{number}")
        return (time.monotonic() - began) / jobs
    finally:
        executor.close()


@contextmanager
def ground(cluster: RayCluster) -> Iterator[Playground]:
    """A root whose daemon runs jobs on the cluster."""
    with tempfile.TemporaryDirectory() as folder:
        playground = Playground(Path(folder), executor=cluster.settings)
        try:
            yield playground
        finally:
            playground.close()


def throughput(cluster: RayCluster, nodes: int) -> float:
    """Seconds from the first start to the last end of jobs that sleep, on warm workers."""
    with ground(cluster) as playground:
        daemon = playground.start()
        run(playground, "warm", nodes, 1.0)  # one on each
        times = [when(line) for line in run(playground, "timed", JOBS * nodes, SLEEP)]
        playground.stop(daemon)
        return max(times) - min(times)


def run(playground: Playground, name: str, jobs: int, seconds: float) -> list[dict[str, Any]]:
    """Drop so many jobs that sleep; their starts and ends."""
    for number in range(jobs):
        playground.pair(f"{name}-{number:02}", options={"steps": 1, "pause": seconds})

    def told() -> list[dict[str, Any]]:
        lines = playground.events("job.started") + playground.events("job.finished")
        return [line for line in lines if line["name"].startswith(name)]

    wait_for(lambda: len(told()) == 2 * jobs, 300)
    return told()


def when(line: dict[str, Any]) -> float:
    """The time of a line of the log."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def progress(playground: Playground, step: int = 0, **fields: Any) -> list[dict[str, Any]]:
    """The reports beyond a step."""
    return [line for line in playground.events("job.progress", **fields) if line["step"] > step]


def recovery(site: Path) -> Iterator[str]:
    """Seconds from the kill of a node, without grace, to what follows for its job."""
    with ray_cluster(site, 2, 2) as cluster, ground(cluster) as playground:
        playground.configure(jobs={"backoff": "0s", "checkpoint": "1s"})
        daemon = playground.start()
        for name in ("beach", "pier"):  # one on each node
            playground.pair(name, options={"steps": 10_000, "pause": 0.05})
        wait_for(lambda: len({line["job"] for line in progress(playground, 60)}) == 2)
        began = time.time()
        cluster.kill(0)
        again = wait_for(lambda: playground.events("job.started", attempt=2), 120)[0]
        job = again["job"]

        def moved() -> list[dict[str, Any]]:
            return [line for line in progress(playground, job=job) if when(line) > when(again)]

        told = progress(playground, job=job)[-1]["step"]
        line = wait_for(moved, 120)[0]
        yield f"its job is started elsewhere after {when(again) - began:.1f} s"
        step = line["step"]
        yield f"and moves after {when(line) - began:.1f} s, at step {step}; {told} was told before"
        playground.stop(daemon)


def main() -> None:
    """Print it all."""
    show(contract())
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        site = here / "site"
        install_backends(site)
        sys.path.insert(0, str(site))
        config = make_config(here)
        print("\nmilliseconds of a job that does nothing, on a warm worker")
        local = LocalExecutor(config, TWO, here / "scratch")
        print(f"  local {1000 * overhead(local, here / 'local'):.1f}")
        with ray_cluster(site, 1) as cluster:
            executor = cluster.executor(config, here / "scratch-ray")
            print(f"  ray   {1000 * overhead(executor, here / 'ray'):.1f}", flush=True)
        print(f"\n{JOBS} jobs of {SLEEP:g} s for each node, from the first start to the last end")
        base = 0.0
        for nodes in NODES:
            with ray_cluster(site, *[1] * nodes) as cluster:
                seconds = throughput(cluster, nodes)
            base = base or seconds
            share = base / seconds
            print(f"  {nodes} nodes {seconds:.1f} s, {share:.0%} of linear", flush=True)
        print("\na node is killed")
        show(f"  {line}" for line in recovery(site))


def show(lines: Iterator[str]) -> None:
    """Print them as they come."""
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
