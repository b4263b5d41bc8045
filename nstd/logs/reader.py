"""Reads the structured log: every line once, across rotations; or whether it has a given end."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from nstd.errors import SidecarError
from nstd.logs.events import HEAD, TERMINAL
from nstd.logs.file import sync_names
from nstd.system.layout import LOG
from nstd.system.nofollow import Folder


class LogReader:
    """Reads the lines of `folder/name`, and of the older files `name.1` and so on."""

    def __init__(self, folder: Path, name: str) -> None:
        self._logs, self._name = Folder(folder), name  # others may write there: follow no link
        self._numbered = re.compile(re.escape(name) + r"\.([1-9]\d*)")
        self._inode = -1
        self._offset = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines since the last call, or all at the first call, oldest first.

        Invalid lines are skipped; a power cut may have damaged them.
        """
        for file in self._files():
            with file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._inode, self._offset = status.st_ino, 0
                file.seek(self._offset)
                yield from self._lines(file)

    def _lines(self, file: BufferedReader) -> Iterator[dict[str, Any]]:
        for raw in file:
            if not raw.endswith(b"\n"):  # it is being written
                return
            self._offset += len(raw)
            if (line := _parse(raw)) is not None:
                yield line

    def _files(self) -> list[BufferedReader]:
        """The files that may have unread lines, oldest first.

        They are opened newest first: if the files are rotated meanwhile, one may be opened twice,
        but none is missed.
        """
        found: dict[int, BufferedReader] = {}
        for name in self._names():
            try:
                file = self._logs.open(name)
            except (OSError, SidecarError):
                continue
            inode = os.fstat(file.fileno()).st_ino
            if inode in found:
                file.close()
                continue
            found[inode] = file
            if inode == self._inode:
                break
        return list(reversed(found.values()))

    def _names(self) -> Iterator[str]:
        """The possible names, newest first."""
        yield self._name
        try:
            names = [path.name for path in self._logs.path.iterdir()]
        except OSError:
            return
        numbers = [int(match[1]) for name in names if (match := self._numbered.fullmatch(name))]
        for number in [*sorted(numbers), max(numbers, default=0) + 1]:
            yield f"{self._name}.{number}"


def has_ended(folder: Path, job: str) -> bool:
    """Whether the log in `folder` has the terminal event of `job`; if so, the log is synced.

    The `job` may also be a batch. Called only after a crash between publication and clean-up, so
    it may read the whole log. A line damaged by a power cut does not count. Raises OSError when
    the log cannot be synced.
    """
    return _holds(folder, job, lambda line: _ends(line, job))


def has_finished(folder: Path, batch: str, round_: int) -> bool:
    """The same for the event that ends round `round_` of a batch."""
    return _holds(folder, batch, lambda line: _ends(line, batch) and line.get("round") == round_)


def _holds(folder: Path, about: str, is_wanted: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether the log has a line with the id `about` for which `is_wanted` is true; then sync
    it."""
    logs = Folder(folder)  # others may write there: skip links and FIFOs
    for path in sorted(folder.glob(f"{LOG}*")):
        with (
            suppress(FileNotFoundError, PermissionError, SidecarError),
            logs.open(path.name) as file,
        ):
            lines = (_parse(raw) for raw in file if about.encode() in raw)
            if any(is_wanted(line) for line in lines if line is not None):
                os.fsync(file.fileno())
                sync_names(folder)
                return True
    return False


def _ends(line: dict[str, Any], job: str) -> bool:
    """Whether a line of the log is the terminal event of the job, or batch, with this id."""
    if line["event"] == "batch.finished":
        return bool(line.get("batch") == job)
    return line.get("job") == job and line["event"] in TERMINAL


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    is_line = isinstance(line, dict) and all(isinstance(line.get(key), str) for key in HEAD)
    return line if is_line else None
