"""The notify protocol, spoken over real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.tables import table

from nstd.daemon.systemd import Notifier


class Manager:
    """Stands in for systemd: a bound datagram socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        self.environ = {"NOTIFY_SOCKET": address}

    def receive(self) -> list[str]:
        """The lines of the next message."""
        return self.socket.recv(8192).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """A manager at a path, and one at an abstract name."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@nstd-{uuid.uuid4().hex}"
    manager = Manager(address)
    yield manager
    manager.socket.close()


def test_the_life_of_a_service_is_told(manager: Manager) -> None:
    """Ready, status, watchdog, reload and stop arrive as systemd documents them."""
    notifier = Notifier(manager.environ)
    notifier.ready("waiting for pictures")
    assert manager.receive() == ["READY=1", "STATUS=waiting for pictures"]
    notifier.status("2 running")
    assert manager.receive() == ["STATUS=2 running"]
    notifier.watchdog()
    assert manager.receive() == ["WATCHDOG=1"]
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    reloading, stamp = manager.receive()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert reloading == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= after
    notifier.ready()
    assert manager.receive() == ["READY=1"]
    notifier.stopping()
    assert manager.receive() == ["STOPPING=1"]
    notifier.close()
    notifier.status("unheard")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("beach\nREADY=1", "STATUS=beach\\nREADY=1"),
        ("tab\tbell\a", "STATUS=tab\\tbell\\x07"),
        ("plage à côté", "STATUS=plage à côté"),
        ("not utf-8: \udcff", "STATUS=not utf-8: \\udcff"),
    ],
)
def test_a_status_stays_one_line(manager: Manager, text: str, line: str) -> None:
    """A file name with a newline cannot speak to systemd."""
    with_closed(Notifier(manager.environ), text)
    assert manager.receive() == [line]


def with_closed(notifier: Notifier, text: str) -> None:
    """Send one status and free the socket."""
    notifier.status(text)
    notifier.close()


def test_a_long_status_is_cut_between_characters(manager: Manager) -> None:
    """systemd drops datagrams over 4096 bytes, and text that is not UTF-8."""
    with_closed(Notifier(manager.environ), "é" * 5000)
    [line] = manager.receive()
    assert line.removeprefix("STATUS=") == "é" * 1000


def test_an_empty_status_is_not_sent(manager: Manager) -> None:
    """There is nothing to say."""
    notifier = Notifier(manager.environ)
    notifier.status("")
    notifier.watchdog()
    assert manager.receive() == ["WATCHDOG=1"]
    notifier.close()


def test_a_manager_that_does_not_read_blocks_nobody(manager: Manager) -> None:
    """When its queue is full, messages are dropped, at once and without an error."""
    notifier = Notifier(manager.environ)
    start = time.monotonic()
    for _ in range(5000):
        notifier.watchdog()
    assert time.monotonic() - start < 60
    assert manager.receive() == ["WATCHDOG=1"]
    notifier.close()


def test_a_manager_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    """systemd may be restarted under a running service."""
    address = str(tmp_path / "notify")
    first = Manager(address)
    notifier = Notifier(dict(first.environ))
    first.socket.close()
    Path(address).unlink()
    notifier.status("lost")
    second = Manager(address)
    notifier.status("heard")
    assert second.receive() == ["STATUS=heard"]
    notifier.close()
    second.socket.close()


@table("address", ["", "relative", "vsock:2:1234", "/" + "long" * 100, "@"])
def test_without_a_usable_socket_nothing_happens(address: str) -> None:
    """The daemon runs just so under no systemd, or an odd one."""
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    notifier.ready("here")
    notifier.close()


def sockets() -> set[str]:
    """The open sockets of this process, as `/proc` names them."""
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return {link for link in links if link.startswith("socket:")}


def test_children_inherit_neither_the_variables_nor_the_socket(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker cannot be taken for the daemon."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.environ["NOTIFY_SOCKET"])
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    before = sockets()
    notifier = Notifier()
    (added,) = sockets() - before
    code = (
        "import os; from pathlib import Path;"
        "print([str(p.readlink()) for p in Path('/proc/self/fd').iterdir() if p.is_symlink()],"
        " [name for name in os.environ if name.startswith(('NOTIFY', 'WATCHDOG'))])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        close_fds=False,
    )
    assert answer.stdout.endswith("] []\n")
    assert added not in answer.stdout
    assert notifier.watchdog_interval == 0.5
    notifier.close()


@table(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_twice_its_pace(
    environ: dict[str, str], expected: float | None
) -> None:
    """sd_watchdog_enabled(3): half the time-out, and only for the process that is meant."""
    assert Notifier(environ).watchdog_interval == expected
