"""The driver: the process through which the daemon uses a Ray cluster.

It receives `connect`, assignments and requests to end attempts over its socket, and sends `places`,
`begun`, reports and outcomes, and `failed` when the cluster cannot be used. It reads the pictures
of a job and writes its results for the daemon, because nodes cannot access the daemon's folders.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading

import ray

from nstd.documents.settings import ExecutorSettings
from nstd.executors.channel import WorkerEnd
from nstd.executors.cluster.messages import (
    TO_DRIVER,
    ClusterFailed,
    Connect,
    PlacesFound,
    Reload,
    RunAttempt,
    ToDriver,
)
from nstd.executors.cluster.pictures import PictureStore
from nstd.executors.cluster.places import Nodes, Place, places, resources_per_job
from nstd.executors.cluster.remote_worker import RemoteWorker
from nstd.executors.messages import EndAttempt
from nstd.system.child import die_with_parent

_HEARTBEAT = 1.0
_CONNECT = 5.0
"""The time limit for connecting to the head, in seconds."""
_CHECK_DELAY, _ANSWER = 0.5, 10.0
"""When a worker is lost: seconds until the head is asked, and the time limit of its answer."""


class Driver:
    """Serves the daemon until the daemon, this process or the cluster ends."""

    def __init__(self, channel: WorkerEnd[ToDriver], settings: ExecutorSettings) -> None:
        self._channel, self._settings = channel, settings
        self._names, self._pictures = Nodes(), PictureStore(ray.put)
        self._places: dict[str, Place] = {}
        self._workers: dict[str, RemoteWorker] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send the places regularly; this is also the heartbeat that the daemon expects."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        while True:
            nodes = await asyncio.to_thread(ray.nodes)
            found = places(nodes, self._names, self._settings)
            self._places = {place.device: place for place in found}
            alive = sum(bool(node["Alive"]) for node in nodes)
            self._channel.send(PlacesFound(places=tuple(self._places), nodes=alive))
            for worker in self._workers.values():
                worker.end_if_idle()
            await asyncio.sleep(_HEARTBEAT)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for message in self._channel.messages():
            loop.call_soon_threadsafe(self._handle, message)
        os._exit(0)  # the daemon is gone: its jobs must not be changed any more

    def _handle(self, message: ToDriver) -> None:
        if isinstance(message, RunAttempt):
            task = asyncio.ensure_future(self._worker_for(message).run(message))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        elif isinstance(message, EndAttempt):
            for worker in self._workers.values():
                worker.end_attempt(message.job, message.how, message.grace)
        elif isinstance(message, Reload):
            for worker in self._workers.values():
                worker.replace()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if (error := task.exception()) is not None:  # no cluster, or a bug: the daemon replaces us
            _fail(self._channel, error)

    def _worker_for(self, order: RunAttempt) -> RemoteWorker:
        device = order.device
        worker = self._workers.get(device)
        place = self._places.get(device)
        if worker is None or (place is not None and place.node != worker.place.node):
            place = place or Place(device, "")  # gone meanwhile: its worker will not start
            resources, send = resources_per_job(self._settings), self._channel.send
            worker = RemoteWorker(place, resources, send, self._check_cluster, self._pictures)
            self._workers[device] = worker
        return worker

    async def _check_cluster(self) -> None:
        """Check that only a worker is lost. Raises TimeoutError when the whole cluster is lost."""
        await asyncio.sleep(_CHECK_DELAY)  # a lost head is noticed with a delay
        try:
            await asyncio.wait_for(asyncio.to_thread(ray.nodes), _ANSWER)
        except TimeoutError:
            raise TimeoutError(f"the head gave no answer in {_ANSWER:g} s") from None


def connect(settings: ExecutorSettings) -> None:
    """Join the cluster. Raises the errors of Ray. Installs our signal handlers again afterwards."""
    _check_connection(settings.address)
    ray.init(
        address=settings.address,
        namespace=settings.namespace,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    _set_signals()


def _check_connection(address: str) -> None:
    """Raise ConnectionError at once when nothing listens; Ray itself would try for two minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:  # "auto": only Ray knows the address
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(f"nobody answers at {address}: {error}") from None


def main() -> None:
    """`python -m nstd.executors.cluster.driver FD`: serve the socket with the descriptor FD."""
    die_with_parent()
    _set_signals()
    end = socket.socket(fileno=int(sys.argv[1]))
    end.set_inheritable(False)
    channel = WorkerEnd(end, TO_DRIVER)
    first = next(channel.messages())
    assert isinstance(first, Connect)
    try:
        connect(first.settings)
        asyncio.run(Driver(channel, first.settings).run())
    except Exception as error:
        _fail(channel, error)


def _set_signals() -> None:
    """Ignore the terminal's ^C, which is for the daemon, and undo Ray's own handler of SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _fail(channel: WorkerEnd[ToDriver], error: BaseException) -> None:
    """Report the error and exit at once: a clean exit would wait for the cluster to answer."""
    try:
        channel.send(ClusterFailed(reason=f"{type(error).__name__}: {error}"))
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
