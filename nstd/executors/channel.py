"""Messages between the daemon and a worker: models as JSON, one per line, over a socket.

The daemon's end never blocks, whatever the worker does; the worker's end waits.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from nstd.documents.error_words import in_words
from nstd.documents.model import Model

Received = TypeVar("Received")
"""The messages of the other side: a union of models, distinguished by their `kind`."""

LONGEST = 16 * 2**20
"""The most bytes of one message; a worker that sends a longer line is broken."""
_CHUNK = 2**16
_READS = 16
"""Chunks read at once, so that one worker with many messages does not delay the others."""


class DaemonEnd(Generic[Received]):
    """The daemon's end. What cannot be written yet is kept and sent by the next `flush`."""

    def __init__(self, end: socket.socket, received: TypeAdapter[Received]) -> None:
        end.setblocking(False)
        self._socket, self._received = end, received
        self._in, self._out = bytearray(), bytearray()
        self.is_closed = False
        """Whether no more messages will come: the worker has ended or closed its socket."""

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`: readable when there may be a message."""
        return self._socket.fileno()

    def send(self, message: Model) -> None:
        """Send a message as soon as the worker reads. A worker that has ended raises no error
        here."""
        self._out += _encode(message)
        self.flush()

    def flush(self) -> None:
        """Write what can be written now."""
        with suppress(OSError):  # full, or broken: reading will show that
            while self._out:
                del self._out[: self._socket.send(self._out)]

    def receive(self) -> list[Received]:
        """The messages that have arrived. Raises ValueError for data that is not a message."""
        for _ in range(_READS):
            if not self._read():
                break
        *lines, rest = self._in.split(b"\n")
        if len(rest) > LONGEST:
            raise ValueError(f"a message of more than {LONGEST} bytes")
        self._in = rest
        return [_decode(line, self._received) for line in lines]

    def _read(self) -> bool:
        try:
            chunk = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        self._in += chunk
        self.is_closed = not chunk
        return bool(chunk)

    def close(self) -> None:
        """Close the socket; the worker sees the end of the stream."""
        self._socket.close()


class WorkerEnd(Generic[Received]):
    """The worker's end, for one reading thread and any number of writing threads."""

    def __init__(self, end: socket.socket, received: TypeAdapter[Received]) -> None:
        self._socket, self._received = end, received
        self._sending = threading.Lock()

    def send(self, message: Model) -> None:
        """Write a message. Raises OSError when the daemon is gone."""
        with self._sending:
            self._socket.sendall(_encode(message))

    def messages(self) -> Iterator[Received]:
        """The daemon's messages, until the daemon is gone."""
        with suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                yield _decode(line, self._received)


def _encode(message: Model) -> bytes:
    return json.dumps(message.model_dump(mode="json")).encode() + b"\n"


def _decode(line: bytes | bytearray, received: TypeAdapter[Received]) -> Received:
    """The message in a line. Names may have bytes that are not UTF-8; only json decodes these."""
    try:
        return received.validate_python(json.loads(line))
    except RecursionError:
        raise ValueError("a message that is nested too deeply") from None
    except ValidationError as error:
        raise ValueError(f"no such message: {in_words(error)}") from None
