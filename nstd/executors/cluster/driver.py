"""The driver: the process through which the daemon talks to a Ray cluster.

Over its socket come `connect`, assignments, and what is wanted of attempts; `places`, `begun`,
reports and outcomes go out, and `failed` when the cluster cannot be used. It reads the pictures of
a job and writes what comes back, on behalf of the daemon: nodes see none of its folders.
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
    SeatOrder,
    ToDriver,
)
from nstd.executors.cluster.pictures import PictureStore
from nstd.executors.cluster.places import Nodes, Place, places, wanted
from nstd.executors.cluster.seat import NodeSeat
from nstd.executors.messages import Want
from nstd.system.child import die_with_parent

_HEARTBEAT = 1.0
_KNOCK = 5.0
"""Seconds that the head has to take a connection."""
_SECOND_LOOK, _ANSWER = 0.5, 10.0
"""When a worker is lost: seconds until the head is asked, and that it has to answer."""


class Driver:
    """Serves the daemon until one of the two, or the cluster, is gone."""

    def __init__(self, channel: WorkerEnd[ToDriver], settings: ExecutorSettings) -> None:
        self._channel, self._settings = channel, settings
        self._names, self._pictures = Nodes(), PictureStore(ray.put)
        self._places: dict[str, Place] = {}
        self._seats: dict[str, NodeSeat] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Tell the places again and again: what the daemon hears is also that we live."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        while True:
            nodes = await asyncio.to_thread(ray.nodes)
            found = places(nodes, self._names, self._settings)
            self._places = {place.device: place for place in found}
            alive = sum(bool(node["Alive"]) for node in nodes)
            self._channel.send(PlacesFound(places=tuple(self._places), nodes=alive))
            for seat in self._seats.values():
                seat.rest()
            await asyncio.sleep(_HEARTBEAT)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for message in self._channel.messages():
            loop.call_soon_threadsafe(self._heed, message)
        os._exit(0)  # the daemon is gone, and with it the right to touch its jobs

    def _heed(self, message: ToDriver) -> None:
        if isinstance(message, SeatOrder):
            task = asyncio.ensure_future(self._seat(message).attend(message))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        elif isinstance(message, Want):
            for seat in self._seats.values():
                seat.ask(message.job, message.wanted, message.grace)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if (error := task.exception()) is not None:  # no cluster, or a bug: we are to be replaced
            _fail(self._channel, error)

    def _seat(self, order: SeatOrder) -> NodeSeat:
        device = order.device
        seat = self._seats.get(device)
        place = self._places.get(device)
        if seat is None or (place is not None and place.node != seat.place.node):
            place = place or Place(device, "")  # gone meanwhile: its worker will not come up
            asked, say = wanted(self._settings), self._channel.send
            seat = NodeSeat(place, asked, say, self._confirm, self._pictures)
            self._seats[device] = seat
        return seat

    async def _confirm(self) -> None:
        """Make sure that a worker is lost, and not the whole cluster: that raises TimeoutError."""
        await asyncio.sleep(_SECOND_LOOK)  # a head that goes takes a moment to be missed
        try:
            await asyncio.wait_for(asyncio.to_thread(ray.nodes), _ANSWER)
        except TimeoutError:
            raise TimeoutError(f"the head gave no answer in {_ANSWER:g} s") from None


def connect(settings: ExecutorSettings) -> None:
    """Join the cluster. Raises what Ray raises; the handlers of signals are ours afterwards."""
    _knock(settings.address)
    ray.init(
        address=settings.address,
        namespace=settings.namespace,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    _set_signals()


def _knock(address: str) -> None:
    """Raise ConnectionError at once where nobody listens: Ray itself tries for two minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:  # "auto": only Ray knows
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK).close()
    except (OSError, ValueError) as error:
        raise ConnectionError(f"nobody answers at {address}: {error}") from None


def main() -> None:
    """`python -m nstd.executors.cluster.driver FD`: serve the socket whose descriptor is given."""
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
    """A terminal's ^C is for the daemon; Ray replaces the handler of TERM by one of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _fail(channel: WorkerEnd[ToDriver], error: BaseException) -> None:
    """Say why, and end at once: a clean end would wait for a cluster that may not answer."""
    try:
        channel.send(ClusterFailed(reason=f"{type(error).__name__}: {error}"))
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
