"""The contract of the parts that the daemon's loop turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from nstd.documents.config import Config


class Part(Protocol):
    """One stage of the pipeline, or something beside it, such as the metrics.

    The loop calls `work` of every part once a turn, in the order of the pipeline, and sleeps until
    the earliest `next_event`, or until one of the `waitables` is ready. A part takes its input from
    the structures of `nstd.queue` that it was made with, and puts its output there: no part calls
    back into another. All times are of `time.monotonic()`, in seconds.
    """

    def configure(self, config: Config) -> None:
        """Take over new settings; what is under way goes on."""

    def work(self, now: float) -> None:
        """Do what is due, and return soon. Raises OSError when a disk fails; it is called again."""

    def next_event(self, now: float) -> float:
        """When `work` has something to do if nothing else happens; infinity for never."""
        ...

    def waitables(self) -> Sequence[Any]:
        """What `multiprocessing.connection.wait` is to wait on for this part."""
        ...

    @property
    def is_idle(self) -> bool:
        """Whether the part has nothing left to do, so that a run with `--once` may end."""
        ...

    def close(self) -> None:
        """End at once, and write what can be written."""
