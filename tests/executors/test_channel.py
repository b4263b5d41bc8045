"""The channel between daemon and worker: whole messages, and no waiting at the daemon's end."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import TypeAdapter

from nstd.documents.model import Model
from nstd.executors import channel
from nstd.executors.channel import DaemonEnd, WorkerEnd


class Letter(Model):
    """A message that may hold anything."""

    body: Any


LETTER = TypeAdapter(Letter)


@pytest.fixture
def pair() -> Iterator[tuple[DaemonEnd[Letter], socket.socket]]:
    """The daemon's end, and the bare socket of the worker's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield DaemonEnd(ours, LETTER), theirs


def drain(end: DaemonEnd[Letter], count: int) -> list[Letter]:
    """Receive until so many messages have come."""
    messages: list[Letter] = []
    deadline = time.monotonic() + 30
    while len(messages) < count and time.monotonic() < deadline:
        end.flush()
        messages += end.receive()
    return messages


def test_messages_pass_whole_in_both_directions(
    pair: tuple[DaemonEnd[Letter], socket.socket],
) -> None:
    """Whatever a name holds: newlines, other scripts and bytes that are no UTF-8 too."""
    daemon, theirs = pair
    worker = WorkerEnd(theirs, LETTER)
    text = Letter(body={"name": "a\nb \u2028 \U0001f3a8 \udcff", "n": 1.5})
    daemon.send(text)
    assert next(worker.messages()) == text
    worker.send(text)
    worker.send(Letter(body=True))
    assert drain(daemon, 2) == [text, Letter(body=True)]


def test_half_a_message_is_kept_until_the_rest_comes(
    pair: tuple[DaemonEnd[Letter], socket.socket],
) -> None:
    """A worker that is stopped in the middle of a message does not stop the daemon."""
    daemon, theirs = pair
    theirs.sendall(b'{"body": ')
    assert daemon.receive() == []
    theirs.sendall(b'1}\n{"body"')
    assert daemon.receive() == [Letter(body=1)]
    theirs.sendall(b": 2}\n")
    assert daemon.receive() == [Letter(body=2)]


def test_both_ends_may_send_more_than_the_socket_holds(
    pair: tuple[DaemonEnd[Letter], socket.socket],
) -> None:
    """Nobody waits for the other one for ever."""
    daemon, theirs = pair
    worker, big = WorkerEnd(theirs, LETTER), Letter(body="y" * 3_000_000)
    received: list[Letter] = []
    daemon.send(big)

    def serve() -> None:
        worker.send(big)
        received.append(next(worker.messages()))

    thread = threading.Thread(target=serve)
    thread.start()
    assert drain(daemon, 1) == [big]
    deadline = time.monotonic() + 30
    while thread.is_alive() and time.monotonic() < deadline:
        daemon.flush()
    thread.join(timeout=1)
    assert received == [big]


def test_the_end_is_seen_after_the_last_message(
    pair: tuple[DaemonEnd[Letter], socket.socket],
) -> None:
    """What was said before the end counts; sending to nobody is no error."""
    daemon, theirs = pair
    theirs.sendall(b'{"body": 1}\n')
    theirs.close()
    assert daemon.receive() == [Letter(body=1)]
    assert daemon.is_closed
    daemon.send(Letter(body="to nobody"))
    assert daemon.receive() == []


@pytest.mark.parametrize(
    "line", [b"!!!\n", b"[1]\n", b'{"nobody": 1}\n', b"\xff\xfe\n", b"\n", b"[" * 10_000 + b"\n"]
)
def test_nonsense_is_refused(pair: tuple[DaemonEnd[Letter], socket.socket], line: bytes) -> None:
    """Only what is one of the kinds is a message."""
    daemon, theirs = pair
    theirs.sendall(line)
    with pytest.raises(ValueError, match=r".*"):
        daemon.receive()


def test_a_message_without_end_is_refused(
    pair: tuple[DaemonEnd[Letter], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker cannot fill the memory of the daemon."""
    monkeypatch.setattr(channel, "LONGEST", 1000)
    daemon, theirs = pair
    theirs.sendall(b"x" * 1001)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        daemon.receive()


def test_a_flood_is_taken_in_pieces(pair: tuple[DaemonEnd[Letter], socket.socket]) -> None:
    """One worker must not keep the daemon from the others."""
    daemon, theirs = pair
    line = json.dumps({"body": "y" * 1000}).encode() + b"\n"
    stop = threading.Event()

    def flood() -> None:
        with suppress(OSError):  # the daemon's end is closed
            while not stop.is_set():
                theirs.sendall(line * 1000)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        for _ in range(5):
            assert len(daemon.receive()) <= 16 * 2**16 / len(line) + 1
    finally:
        stop.set()
        daemon.close()
        thread.join(timeout=5)
