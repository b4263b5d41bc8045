"""The contract of the parts that the daemon's loop calls."""

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
        """Take over new settings; work in progress continues."""

    def work(self, now: float) -> None:
        """Do the work of one turn without blocking. Raises OSError when a disk fails; the next turn
        calls it again."""

    def next_event(self, now: float) -> float:
        """The time at which `work` must be called if nothing else happens; infinity for never."""
        ...

    def waitables(self) -> Sequence[Any]:
        """What `multiprocessing.connection.wait` waits on for this part."""
        ...

    @property
    def is_idle(self) -> bool:
        """Whether the part has no work left, so that a run with `--once` may end."""
        ...

    def close(self) -> None:
        """Stop at once, and write what can be written."""
