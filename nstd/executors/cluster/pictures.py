"""The input files of attempts, in Ray's object store; each node fetches a file once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nstd.queue.job import Input, Job
from nstd.queue.paths import JobPaths

KEPT = 256 * 2**20
"""The most bytes of styles kept in the store; the least recently used are dropped first."""


class PictureStore:
    """The files of jobs. Styles stay in the store, because many jobs share them. Thread-safe.

    `put` puts bytes into the store and returns a reference; the store keeps them as long as a
    reference exists.
    """

    def __init__(self, put: Callable[[bytes], Any]) -> None:
        self._put = put
        self._styles: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def of(self, job: Job, folder: Path) -> dict[str, Any]:
        """References to the input files of the attempt, by file name. Raises OSError."""
        found = {given.file: self._picture(given, folder / given.file) for given in job.inputs}
        checkpoint = JobPaths(folder).checkpoint
        with suppress(FileNotFoundError):
            found[checkpoint.name] = self._put(checkpoint.read_bytes())
        return found

    def _picture(self, given: Input, path: Path) -> Any:
        if given.role != "style" or not given.sha256:
            return self._put(path.read_bytes())
        with self._lock:  # a second thread waits, instead of storing it again
            if given.sha256 not in self._styles:
                self._keep(given.sha256, path.read_bytes())
            self._styles.move_to_end(given.sha256)
            reference, _ = self._styles[given.sha256]
            self._shrink()
        return reference

    def _keep(self, name: str, data: bytes) -> None:
        self._styles[name] = self._put(data), len(data)
        self._held += len(data)

    def _shrink(self) -> None:
        while self._held > KEPT:
            _, (_, size) = self._styles.popitem(last=False)
            self._held -= size
