"""Reads the structured log from beside the daemon: every line once, across rotations."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from nstd.errors import SidecarError
from nstd.system.nofollow import Folder


class LogReader:
    """The lines of `folder/name`, and of `name.1` and so on, which are older."""

    def __init__(self, folder: Path, name: str) -> None:
        self._logs, self._name = Folder(folder), name  # people may write there: no link is followed
        self._numbered = re.compile(re.escape(name) + r"\.([1-9]\d*)")
        self._inode = -1
        self._offset = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines that came since the last call, all at the first, oldest first.

        What is not a line of the log, for a power cut may have torn it, is passed over.
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
        """The files that may hold lines not yet read, oldest first.

        They are opened newest first: a rotation meanwhile moves them ahead of us, so one may be
        met twice, but none is missed.
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
        """The names that there may be, newest first."""
        yield self._name
        try:
            names = [path.name for path in self._logs.path.iterdir()]
        except OSError:
            return
        numbers = [int(match[1]) for name in names if (match := self._numbered.fullmatch(name))]
        for number in [*sorted(numbers), max(numbers, default=0) + 1]:
            yield f"{self._name}.{number}"


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    is_line = isinstance(line, dict) and all(
        isinstance(line.get(key), str) for key in ("timestamp", "level", "event")
    )
    return line if is_line else None
