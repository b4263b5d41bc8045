"""`python -m tests.soak.scan`: what one look at the inbox costs, against what waits in it."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from nstd.client.init import make_root
from nstd.documents.config import Config
from nstd.intake.inbox import Inbox

WAITING = (1_000, 10_000, 100_000)
IGNORED = 100_000
SETTLE = 5.0


def make_crowd(root: Path, waiting: int, ignored: int = 0) -> Config:
    """A root whose inbox holds so many pairs, all in one style, and files that are no sidecars."""
    make_root(root)
    (root / "styles" / "starry.png").touch()
    for number in range(waiting):
        (root / "inbox" / f"{number:06}.png").touch()
        text = f"content: {number:06}.png\nstyle: starry.png\n"
        (root / "inbox" / f"{number:06}.yaml").write_text(text)
    for number in range(ignored):
        (root / "inbox" / f"{number:06}.part").touch()
    return Config.at(root, watch={"settle": SETTLE})


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Append the CPU seconds that the body takes: those of a busy machine are the same."""
    began = time.process_time()
    yield
    into.append(time.process_time() - began)


def measure(waiting: int, ignored: int = 0) -> tuple[list[float], float]:
    """CPU seconds of the first look, of those that read all sidecars, and of a later one; MiB."""
    with tempfile.TemporaryDirectory() as folder:
        inbox = Inbox(make_crowd(Path(folder), waiting, ignored))
        memory, seconds = psutil.Process().memory_info().rss, list[float]()
        clock = itertools.count(0, SETTLE)
        with timed(seconds):
            inbox.ready(next(clock))
        with timed(seconds):
            inbox.ready(next(clock))
            while inbox.deadline <= SETTLE:  # one look reads for so long only
                inbox.ready(SETTLE)
        inbox.ready(next(clock))  # now the pictures have settled too
        with timed(seconds):
            ready = inbox.ready(next(clock))
        if len(ready) != waiting:
            sys.exit(f"{len(ready)} of {waiting} were found ready")
        return seconds, (psutil.Process().memory_info().rss - memory) / 2**20


def main() -> None:
    """Print the table."""
    print(f"{'waiting':>8} {'ignored':>8} {'first':>9} {'read':>9} {'later':>9} {'memory':>9}")
    for waiting, ignored in [*((count, 0) for count in WAITING), (0, IGNORED), (1000, IGNORED)]:
        seconds, memory = measure(waiting, ignored)
        shown = " ".join(f"{each:>7.3f} s" for each in seconds)
        print(f"{waiting:>8} {ignored:>8} {shown} {memory:>5.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
