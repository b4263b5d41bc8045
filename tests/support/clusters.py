"""Ray clusters for tests: several nodes with GPUs that do not exist, on this machine."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nstd.documents.config import Config
from nstd.executors.cluster.executor import RayExecutor
from support import CHECKOUT, TESTS

_needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="ray is not installed: pip install 'nstd[ray]'",
)

HURRIED = {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Ray's workers are nice, by 15: beside busy cores each would take far longer to start."""


def needs_ray(group: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of tests that share a cluster, in one process, as `group`."""
    return _needs_ray, pytest.mark.xdist_group(group), pytest.mark.long


class RayCluster:
    """A cluster whose nodes find the backends in `site`; the head has no place for a job."""

    def __init__(self, site: Path, **head: Any) -> None:
        """`head` are further arguments of the head's node."""
        self._head = head
        self.tmp = site / "tmp"  # of its nodes; Ray's sockets need a shorter path
        self.tmp.mkdir(exist_ok=True)
        path = os.pathsep.join(map(str, (site, CHECKOUT, TESTS)))
        places = {"TMPDIR": str(self.tmp), "RAY_TMPDIR": tempfile.gettempdir()}
        places["XDG_CACHE_HOME"] = str(self.tmp)
        self._log = (site / "ray.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(TESTS / "support" / "ray_cluster.py")],
            env=os.environ | places | HURRIED | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self.port = free_port()
        self.address = ""

    def _ask(self, name: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the cluster's process died; ray.log beside the backends tells why"
        return json.loads(answer)

    def head(self) -> None:
        """Start the head, always at the same address."""
        self.address = self._ask("head", port=self.port, num_cpus=0, **self._head)

    def behead(self) -> None:
        """Kill the head with all that hangs on it."""
        self._ask("behead")

    def add(self, gpus: int, cpus: int = 4) -> int:
        """Add a node; its number."""
        number: int = self._ask("add", num_gpus=gpus, num_cpus=cpus)
        return number

    def kill(self, number: int) -> str:
        """Kill a node without grace; Ray's id of it."""
        node: str = self._ask("kill", number=number)
        return node

    def executor(self, config: Config, scratch: Path, **settings: Any) -> RayExecutor:
        """An executor on this cluster; `settings` go to its section of the config."""
        section = config.executor.model_copy(update=self.settings | settings)
        return RayExecutor(config.model_copy(update={"executor": section}), scratch)

    @property
    def settings(self) -> dict[str, Any]:
        """The section `executor` of a config for it."""
        return {"kind": "ray", "address": self.address, "num_cpus": 0}

    def close(self) -> None:
        """End it all."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


@contextmanager
def ray_cluster(site: Path, *gpus: int, **head: Any) -> Iterator[RayCluster]:
    """A cluster with a node for each number of GPUs."""
    cluster = _started(site, gpus, head)
    try:
        yield cluster
    finally:
        cluster.close()


def _started(site: Path, gpus: tuple[int, ...], head: dict[str, Any], tries: int = 4) -> RayCluster:
    """A cluster that is up: beside busy cores Ray ends a node that takes 15 seconds to start."""
    cluster = RayCluster(site, **head)
    try:
        cluster.head()
        for count in gpus:
            cluster.add(count)
    except AssertionError:
        cluster.close()
        if tries == 1:
            raise
        return _started(site, gpus, head, tries - 1)
    return cluster


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
