"""Messages between the daemon and a worker: models as JSON, one a line, over a socket.

The two ends differ. The daemon's never blocks, whatever the worker does; the worker's waits.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from nstd.documents.model import Model

Heard = TypeVar("Heard")
"""What the other side may say: a union of models, told apart by their `kind`."""

LONGEST = 16 * 2**20
"""Bytes of one message; a worker that sends more without an end of line talks nonsense."""
_CHUNK = 2**16
_READS = 16
"""Chunks read in one go: a worker that floods the daemon must not keep it from the others."""


class DaemonEnd(Generic[Heard]):
    """The daemon's end. What cannot be written yet is kept, and sent by the next `flush`."""

    def __init__(self, end: socket.socket, heard: TypeAdapter[Heard]) -> None:
        end.setblocking(False)
        self._socket, self._heard = end, heard
        self._in, self._out = bytearray(), bytearray()
        self.is_closed = False
        """No more will come: the worker is dead, or as good as dead."""

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`: readable when there may be a message."""
        return self._socket.fileno()

    def send(self, message: Model) -> None:
        """Send a message as soon as the worker reads; one that is gone is noticed elsewhere."""
        self._out += _encode(message)
        self.flush()

    def flush(self) -> None:
        """Write what can be written now."""
        with suppress(OSError):  # full, or broken: then the reading side tells
            while self._out:
                del self._out[: self._socket.send(self._out)]

    def receive(self) -> list[Heard]:
        """The messages that have come. Raises ValueError for what is no message."""
        for _ in range(_READS):
            if not self._read():
                break
        *lines, rest = self._in.split(b"\n")
        if len(rest) > LONGEST:
            raise ValueError(f"a message of more than {LONGEST} bytes")
        self._in = rest
        return [_decode(line, self._heard) for line in lines]

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
        """Let go of the socket; the worker sees the end of its own."""
        self._socket.close()


class WorkerEnd(Generic[Heard]):
    """The worker's end, for one reading thread and any number of writing ones."""

    def __init__(self, end: socket.socket, heard: TypeAdapter[Heard]) -> None:
        self._socket, self._heard = end, heard
        self._sending = threading.Lock()

    def send(self, message: Model) -> None:
        """Write a message. Raises OSError when the daemon is gone."""
        with self._sending:
            self._socket.sendall(_encode(message))

    def messages(self) -> Iterator[Heard]:
        """What the daemon sends, until it is gone."""
        with suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                yield _decode(line, self._heard)


def _encode(message: Model) -> bytes:
    return json.dumps(message.model_dump(mode="json")).encode() + b"\n"


def _decode(line: bytes | bytearray, heard: TypeAdapter[Heard]) -> Heard:
    """The message in a line; names may hold bytes that are no UTF-8, which only json passes on."""
    try:
        return heard.validate_python(json.loads(line))
    except RecursionError:
        raise ValueError("a message that is nested too deeply") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"no such message: {first['loc']}: {first['msg']}") from None
