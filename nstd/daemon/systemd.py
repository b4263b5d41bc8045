"""The notify protocol of systemd (sd_notify(3)): readiness, reloads, status and the watchdog.

Every call is safe without systemd, never blocks and never raises: a message that cannot be sent
now is dropped.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping

_STATUS_BYTES = 2000  # systemd ignores datagrams of more than 4096 bytes


class Notifier:
    """Sends messages to the socket `$NOTIFY_SOCKET`; without one, does nothing.

    Removes the protocol's variables from `environ`, so that child processes do not send messages
    for the daemon. `watchdog_interval` is half of the service's watchdog time-out in seconds, or
    None where systemd expects no `watchdog` calls.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self.watchdog_interval = _watchdog_interval(
            environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        )
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self._status = ""
        self._socket: socket.socket | None = None
        if self._address is not None:
            with contextlib.suppress(OSError):
                # Python's sockets are close-on-exec.
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)

    def ready(self, status: str = "") -> None:
        """Report that the daemon is ready: after its start, and again after `reloading`."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """Report that the config is being read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str = "") -> None:
        """Report that the daemon has begun to shut down."""
        self._send("STOPPING=1", *_status(status))

    def status(self, text: str) -> None:
        """Send a line of text for `systemctl status`; sent only when it changes."""
        if text != self._status:
            self._status = text
            self._send(*_status(text))

    def watchdog(self) -> None:
        """Report progress of the loop; must be called at least every `watchdog_interval`
        seconds."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Close the socket; later calls do nothing."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is None or self._address is None or not lines:
            return
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _address(name: str) -> str | None:
    """The socket's address: a path, or an abstract name written with a leading `@`."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog_interval(microseconds: str, pid: str) -> float | None:
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000


def _status(text: str) -> tuple[str, ...]:
    """The status line with control characters escaped: a newline would start another variable."""
    if not text:
        return ()
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return ("STATUS=" + line.encode("utf-8", "replace")[:_STATUS_BYTES].decode("utf-8", "ignore"),)
