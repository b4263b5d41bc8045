"""The loop of `nstd notify`: sends what the daemon has written, and tries again what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nstd.client.notify.channels import NoticeChannel, SendError
from nstd.errors import printable
from nstd.queue.notices import Notice, NoticeFolder
from nstd.system.backoff import backoff

GAP = 60.0
"""The least time between two messages on a channel, in seconds; the rest is summed up."""
FIRST, LONGEST = 15.0, 3600.0
"""Seconds until a message that failed is tried again: at first, and at most."""
LOOK = 2.0
"""Seconds between two looks into the folder."""


@dataclass
class _Delivery:
    """How far one channel is."""

    channel: NoticeChannel
    sent: set[str] = field(default_factory=set)  # notices that are still there for other channels
    due: float = 0.0
    failures: int = 0  # in a row


class NoticeSender:
    """Sends each notice on every channel; one that fails does not stop the others.

    A notice is removed once it was sent on all. After a kill, it may be sent once more.
    """

    def __init__(
        self,
        folder: NoticeFolder,
        channels: Sequence[NoticeChannel],
        tell: Callable[[str], None],
    ) -> None:
        """`tell` is called with a line about each message, and about each failure."""
        self._folder, self._tell = folder, tell
        self._deliveries = [_Delivery(channel) for channel in channels]

    def run(self) -> None:
        """Send until the process is ended."""
        while True:
            try:
                self.step(time.monotonic())
            except OSError as error:
                self._tell(f"the notices cannot be read or removed: {printable(str(error))}")
                time.sleep(GAP)
            time.sleep(LOOK)

    def send_all(self) -> bool:
        """Send what is there now, once; whether all of it was sent. Raises OSError."""
        self.step(float("inf"))
        return not self._folder.names()

    def step(self, now: float) -> None:
        """Send what is due, on each channel. Raises OSError."""
        notices = self._read()
        for delivery in self._deliveries:
            delivery.sent &= notices.keys()
            left = [name for name in notices if name not in delivery.sent]
            if left and now >= delivery.due:
                self._send(delivery, left, Notice.merged(notices[name] for name in left), now)
        for name in notices:
            if all(name in delivery.sent for delivery in self._deliveries):
                self._folder.remove(name)

    def _read(self) -> dict[str, Notice]:
        """The notices, by name; one that is torn is removed."""
        found = {}
        for name in self._folder.names():
            notice = self._folder.read(name)
            if notice is not None:
                found[name] = notice
            else:
                self._tell(f"{name}: a notice that cannot be read; it is removed")
                self._folder.remove(name)
        return found

    def _send(self, delivery: _Delivery, names: list[str], notice: Notice, now: float) -> None:
        channel = delivery.channel.name
        try:
            delivery.channel.send(notice)
        except SendError as error:
            delivery.failures += 1
            wait = backoff(delivery.failures, FIRST, LONGEST)
            delivery.due = now + wait
            self._tell(f"{channel}: not sent, again in {wait:g} s: {printable(str(error))}")
        else:
            delivery.failures, delivery.due = 0, now + GAP
            delivery.sent |= set(names)
            self._tell(f"{channel}: sent: {printable(notice.title)}")
