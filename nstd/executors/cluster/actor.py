"""The Ray actor at one place of the cluster: started when it is needed, kept, and ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nstd import __version__
from nstd.executors.cluster.messages import FromDriver, RemoteWorkerEnded, RemoteWorkerStarted
from nstd.executors.cluster.node import NodeWorker
from nstd.executors.cluster.places import Place
from nstd.executors.devices import CPU_TUNING


class NoWorkerError(Exception):
    """No worker at this place has taken the job."""


class PlaceActor:
    """The actor, of the class `NodeWorker`; `jobs` counts the attempts that it has run, and
    `is_outdated` says that it was started before the last HUP.

    `handle` is Ray's handle, or None; the process id is known once the actor has answered.
    """

    def __init__(
        self, place: Place, resources: Mapping[str, float], send: Callable[[FromDriver], None]
    ) -> None:
        self._place, self._resources, self._send = place, resources, send
        self.handle: Any = None
        self.jobs, self.is_outdated = 0, False
        self._requested_at, self._pid = 0.0, 0

    async def wait_ready(self, patience: float) -> None:
        """Wait for an actor that answers, for at most about `patience` seconds.

        A kept actor is checked too, because its node may be lost. Raises NoWorkerError.
        """
        if self._pid:
            try:
                await asyncio.wait_for(self.handle.hello.remote(), patience)
                return
            except (RayActorError, GetTimeoutError, TimeoutError):
                self.end("died while idle")
        if self.handle is None:  # else one is still starting, for a job that was withdrawn
            self.handle, self._requested_at = self._start(), time.monotonic()
        try:
            hello = await asyncio.wait_for(self.handle.hello.remote(), patience)
        except TimeoutError:
            message = f"Ray did not start it in {patience:g} s; see `ray status`"
            raise NoWorkerError(message) from None
        if hello["version"] != __version__:
            theirs = f"it is nstd {hello['version']}, the daemon is {__version__}"
            raise NoWorkerError(f"{theirs}: install the same on all nodes")
        self._pid = hello["pid"]
        seconds = round(time.monotonic() - self._requested_at, 2)
        self._send(RemoteWorkerStarted(device=self._place.device, pid=self._pid, seconds=seconds))

    def _start(self) -> Any:
        """Ask Ray for an actor; it starts later, and Ray never restarts it."""
        if not self._place.node:
            raise NoWorkerError("its node has left the cluster")
        custom = {k: v for k, v in self._resources.items() if k not in {"CPU", "GPU", "memory"}}
        options = {
            "num_cpus": self._resources.get("CPU", 0),
            "num_gpus": self._resources.get("GPU", 0),
            "memory": self._resources.get("memory"),
            "resources": custom,
            "max_restarts": 0,
            "max_task_retries": 0,
            "max_concurrency": 4,
            "runtime_env": {} if "GPU" in self._resources else {"env_vars": CPU_TUNING},
        }
        remote: Any = ray.remote
        there = NodeAffinitySchedulingStrategy(self._place.node, soft=False)
        return remote(**options)(NodeWorker).options(scheduling_strategy=there).remote()

    def kill(self) -> None:
        """Kill the actor, so that pending calls raise an error; `end` must follow."""
        if self.handle is not None:
            ray.kill(self.handle, no_restart=True)

    def end(self, reason: str) -> None:
        """Kill the actor, if there is one, and report its end."""
        if self.handle is None:
            return
        self.kill()
        self.handle, self.jobs, self.is_outdated = None, 0, False
        if self._pid:
            ended = RemoteWorkerEnded(device=self._place.device, pid=self._pid, reason=reason)
            self._send(ended)
        self._pid = 0
