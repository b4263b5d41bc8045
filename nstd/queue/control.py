"""Requests to the daemon: a file each in `work/.requests`, so that the daemon need not run.

Only the daemon moves jobs; the commands only write a request, and it is durable.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from nstd.errors import SidecarError
from nstd.system.durable import Files
from nstd.system.layout import REQUESTS
from nstd.system.nofollow import Folder

Action = Literal["cancel", "retry"]
_NOTE = 2**16
"""The bytes that are read of a note, at most; people of the service's group may leave any file."""


@dataclass(frozen=True)
class ControlRequest:
    """A request about one job: its id, or the name of a sidecar that is still in the inbox."""

    action: Action
    job: str


class ControlRequests:
    """The folder of requests."""

    def __init__(self, work: Path, files: Files) -> None:
        self._folder, self._files = work / REQUESTS, files

    def leave(self, request: ControlRequest) -> None:
        """Write a request for the daemon. Raises OSError."""
        self._files.make_folder(self._folder)
        note = json.dumps({"action": request.action, "job": request.job})
        self._files.write(self._folder / f"{secrets.token_hex(8)}.json", note.encode())

    @property
    def is_empty(self) -> bool:
        """Whether no request waits."""
        return not self._notes()

    def take(self) -> Iterator[ControlRequest]:
        """Every request, oldest first; each is durably removed before it is yielded.

        A request that cannot be read is dropped. Raises OSError when one cannot be removed: it
        would be carried out again, after a power cut perhaps for another sidecar of the same name.
        """
        for path in sorted(self._notes(), key=_age):
            request = _read(path)
            self._files.unlink(path)
            self._files.sync_folder(self._folder)
            if request is not None:
                yield request

    def _notes(self) -> list[Path]:
        """All but folders: those cannot be removed like a note, and ask for nothing."""
        found = self._folder.glob("*.json")
        return [path for path in found if path.is_symlink() or not path.is_dir()]


def _age(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def _read(path: Path) -> ControlRequest | None:
    try:
        with Folder(path.parent).open(path.name) as file:
            note = json.loads(file.read(_NOTE))
        action, job = note["action"], note["job"]
    except (OSError, SidecarError, ValueError, KeyError, TypeError):
        return None
    return (
        ControlRequest(action, job) if action in get_args(Action) and isinstance(job, str) else None
    )
