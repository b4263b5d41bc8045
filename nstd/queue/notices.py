"""Notices for people who are elsewhere: the daemon writes them, and `nstd notify` sends them.

A notice is a file in `work/.notices`, because the daemon has no network. Several notices are summed
up into one.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from nstd.documents.model import StoredModel, Text, Version
from nstd.system.durable import Files
from nstd.system.units import counted

MOST = 50
"""The most notices that are kept; further ones are summed up with the latest."""
SHOWN = 10
"""The most jobs and batches that a notice names; the others are only counted."""
_MOST_BYTES = 2**20
_NAME = re.compile(r"\d{19}-[0-9a-f]{8}\.json")


class Notice(StoredModel):
    """What has happened since `time`, in seconds since the epoch; `root` names the daemon.

    `lines` has some of the failed jobs and finished batches, one each.
    """

    root: Text
    time: float
    failures: int = 0
    batches: int = 0
    is_idle: bool = False
    lines: tuple[Text, ...] = ()
    schema_version: Version = 1

    @classmethod
    def merged(cls, notices: Iterable[Notice]) -> Self:
        """Several notices, at least one, as one; the oldest come first."""
        every = sorted(notices, key=lambda notice: notice.time)
        return cls(
            root=every[-1].root,
            time=every[0].time,
            failures=sum(notice.failures for notice in every),
            batches=sum(notice.batches for notice in every),
            is_idle=any(notice.is_idle for notice in every),
            lines=tuple([line for notice in every for line in notice.lines][:SHOWN]),
        )

    @property
    def title(self) -> str:
        """What has happened, in one line."""
        failures = counted(self.failures, "job has failed", "jobs have failed")
        batches = counted(self.batches, "batch is done", "batches are done")
        words = [failures] * bool(self.failures) + [batches] * bool(self.batches)
        words += ["nothing is left to do"] * self.is_idle
        return f"nstd {self.root}: {', '.join(words) or 'a test'}"

    @property
    def text(self) -> str:
        """The title and the lines."""
        more = self.failures + self.batches - len(self.lines)
        rest = [f"... and {more} more"] if more > 0 else []
        return "\n".join([self.title, *self.lines, *rest])


class NoticeFolder:
    """The notices that are not sent yet."""

    def __init__(self, path: Path, files: Files) -> None:
        self._path, self._files = path, files

    def add(self, notice: Notice) -> None:
        """Write a notice durably; with `MOST` of them, into the latest one. Raises OSError."""
        self._files.make_folder(self._path)
        names = self.names()
        latest = names[-1] if len(names) >= MOST else ""
        before = self.read(latest) if latest else None
        if before is not None:
            notice = Notice.merged([before, notice])
        name = f"{time.time_ns()}-{secrets.token_hex(4)}.json"
        self._files.write(self._path / name, notice.model_dump_json().encode())
        if latest:
            self.remove(latest)

    def names(self) -> list[str]:
        """The names of the notices, oldest first; none where there is no folder. Raises OSError."""
        try:
            entries = list(self._path.iterdir())
        except FileNotFoundError:
            return []
        return sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))

    def waited(self, now: float) -> float:
        """For how many seconds the oldest notice waits; 0 if there is none. Raises OSError."""
        names = self.names()
        return max(0.0, now - int(names[0].partition("-")[0]) / 1e9) if names else 0.0

    def read(self, name: str) -> Notice | None:
        """A notice; None for one that is torn or not there any more. Raises OSError."""
        try:
            with (self._path / name).open("rb") as file:
                return Notice.model_validate_json(file.read(_MOST_BYTES))
        except (FileNotFoundError, ValidationError):
            return None

    def remove(self, name: str) -> None:
        """Remove a notice. Raises OSError."""
        self._files.unlink(self._path / name)
